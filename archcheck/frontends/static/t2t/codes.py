"""Layer codes: tensor2tensor's notation for what stands before and after a sublayer, and archcheck's for the same.

`layer_prepostprocess` reads one letter after the other: `n` norm, `d` dropout, `a` add the layer's input, `z` add it
with the branch scaled by a learned scalar that starts at zero. The first sequence is applied to what the sublayer
reads, the second to what it gives; the residual is the value before the first.
"""

from __future__ import annotations

from dataclasses import dataclass

from archcheck.frontends.static.t2t.results import HParamsSet, ResolvedValue
from archcheck.ir.graph import Unknown
from archcheck.ir.span import Setting

PRE, POST = "layer_preprocess_sequence", "layer_postprocess_sequence"
_LETTERS = {"n": "n", "d": "d", "a": "a", "z": "s a"}


@dataclass(frozen=True, slots=True)
class LayerCodes:
    """The two codes of an hparams set as they are written, and what set each."""

    pre: str
    post: str
    pre_setting: Setting
    post_setting: Setting

    @property
    def order(self) -> str | Unknown:
        """The sublayer signature, or why the codes have none."""
        try:
            return order(self.pre, self.post)
        except ValueError as error:
            return Unknown(str(error), self.post_setting.span)


def layer_codes(hparams_set: HParamsSet) -> LayerCodes | Unknown:
    """The layer codes of a set, or why it has none.

    Releases 1.0 to 1.1.6 have no codes: there the order is a function that the model passes on. Which it is, is for
    the reader of the model to find out; nothing is concluded from a release.
    """
    pre, post = hparams_set.get(PRE), hparams_set.get(POST)
    if isinstance(pre, Unknown) and isinstance(post, Unknown) and hparams_set.rest is None:
        return Unknown("this set has no layer codes: the order is decided in the model's own code", hparams_set.span)
    found: list[str] = []
    for name, code in ((PRE, pre), (POST, post)):
        if isinstance(code, Unknown):
            return code
        if isinstance(code.value, Unknown):
            return Unknown(f"{name} is not known: {code.value.why}", code.value.span or code.setting.span)
        if not isinstance(code.value, str):
            return Unknown(f"{name} is {code.setting.value}, not a layer code", code.setting.span)
        found.append(code.value)
    assert isinstance(pre, ResolvedValue)
    assert isinstance(post, ResolvedValue)
    return LayerCodes(found[0], found[1], pre.setting, post.setting)


def order(pre: str, post: str) -> str:
    """The sublayer signature of a pair of layer codes: `order("none", "dan") == "F d a n"`.

    Args:
        pre: what is done to the sublayer's input; "none" and "" do nothing.
        post: what is done to its output.

    Returns:
        Letters in execution order around the sublayer `F`: `n` norm, `d` dropout, `s` scale on the branch, `a`
        residual add.

    Raises:
        ValueError: a code has another letter, or adds a residual before the sublayer, which the library refuses.
    """
    before = _letters(pre)
    if "a" in before:
        raise ValueError(f"the layer code {pre!r} adds a residual before the sublayer")
    return " ".join([*before, "F", *_letters(post)])


def _letters(code: str) -> list[str]:
    if code == "none":
        return []
    letters: list[str] = []
    for letter in code:
        if letter not in _LETTERS:
            raise ValueError(f"the layer code {code!r} has the letter {letter!r}, which stands for no operation")
        letters.extend(_LETTERS[letter].split())
    return letters
