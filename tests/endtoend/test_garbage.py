"""Garbage in: one clear error and its exit code, in bounded time, and nothing of what is read runs."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import unicodedata
from pathlib import Path

import pytest

from archcheck.cli.entry import FAILED, HOLDS, NOTHING_JUDGED, VIOLATED, run
from archcheck.errors import SpecError
from archcheck.findings import Report, Verdict
from archcheck.frontends.static import reader
from archcheck.frontends.static.machine import Limits
from archcheck.pipeline import check
from archcheck.sweep import Request

LAYER = """\
from torch import nn

class Layer(nn.Module):
    def __init__(self, mode="post"):
        super().__init__()
        self.mode = mode
        self.attention = nn.MultiheadAttention(512, 8)
        self.norm = nn.LayerNorm(512)

    def forward(self, x):
        return self.norm(x + self.attention(x, x, x)[0])
"""
NOT_PRINTED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # steers a terminal, or turns what a reader sees


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "model.py"
    file.write_text(LAYER, encoding="utf-8")
    return file


def failing(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What one failing command says: one error and no more, with exit code 2."""
    assert run(list(arguments)) == FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert "a mistake of archcheck" not in err
    assert len(err) < 4000
    assert printable(err)
    assert len(re.findall(r"(?i)^error: ", err, re.MULTILINE)) == 1
    return err


def printable(text: str) -> bool:
    return not any(unicodedata.category(char) in NOT_PRINTED for char in text if char != "\n")


# ---- targets


@pytest.mark.parametrize(
    ("name", "content", "target", "said"),
    [
        ("model.py", LAYER, "modle.py:Layer", ["modle.py: no such file", "did you mean model.py?"]),
        ("model.py", LAYER, "model.py:Layr", ['model.py: "Layr" is not defined there', "did you mean Layer?"]),
        ("model.py", LAYER, "model.py:Layer.forwrd", ["forwrd"]),
        ("model.py", LAYER, "model.py:", ["no name after the colon"]),
        ("model.py", LAYER, "model.py:3", ["a line cannot be given"]),
        ("model.py", LAYER, "", ["the target is empty"]),
        ("model.py", "import os\nX = 3\n", "model.py:X", ["X", "computes nothing"]),
        ("model.py", "import os\n", "model.py", ["no class that computes"]),
        ("model.py", "", "model.py", ["no class that computes"]),
        ("model.py", "def f(x:\n    return x\n", "model.py:f", ["model.py:1:6:", "never closed", "\n     |      ^"]),
        ("model.py", "x = " + "(" * 100_000, "model.py:f", ["model.py:1:", "too many nested parentheses", "^"]),
        ("model.py", "x = " + "(" * 100_000 + ")" * 100_000, "model.py:x", ["model.py:1:", "^"]),
        ("model.py", "x = " + "-" * 100_000 + "1\n", "model.py:x", ["model.py"]),
        ("model.py", b"\x00\x01\x02\xff" * 999, "model.py:f", ["NUL byte", "no text"]),
        ("model.py", b"# caf\xe9\nx = 1\n", "model.py:x", ["model.py: not Python source", "save the file as UTF-8"]),
        ("data/readme.txt", "no code", "data", ["data: there is no Python file in this folder"]),
        ("model.pt", b"PK\x03\x04", "model.pt", ["hold weights, not code"]),
        ("model.ipynb", "{}", "model.ipynb", ["is a notebook", "nbconvert"]),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_read_is_one_clear_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str | bytes,
    target: str,
    said: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    err = failing(capsys, "audit", target, "--spec", "vaswani2017")
    for words in said:
        assert words in err


def test_a_link_to_itself_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.symlink("model.py", tmp_path / "model.py")
    assert "model.py" in failing(capsys, "audit", "model.py:Layer", "--spec", "vaswani2017")


# ---- specs

TEN_MISTAKES = """\
archcheck: 2
id: Bad Id
title: 7
paper: {yeer: 2020}
terms: {norm: layernorm}
blocks:
  one:
    flow: x = nrom(x
  two:
    where: Here
    flow: attention(x) + foo.bar
  three:
    where: There
    order: {self_attention: F q a n}
claims:
  - id: c
    where: Z
    absent: norm beside one
unknown: 1
"""
BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
FLOW = "archcheck: 1\nid: p2020\ntitle: T\npaper: {year: 2020}\nblocks:\n  b:\n    where: X\n    flow: "


def test_every_mistake_of_a_spec_is_told_at_once_with_its_place(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = model.with_name("bad.yaml")
    spec.write_text(TEN_MISTAKES, encoding="utf-8")
    err = failing(capsys, "audit", "model.py:Layer", "--spec", "bad.yaml")
    places = re.findall(r"^(?:error: )?bad\.yaml:(\d+):(\d+): ", err, re.MULTILINE)
    assert len(places) >= 10
    assert places == sorted(places, key=lambda place: (int(place[0]), int(place[1])))
    assert {int(line) for line, _ in places} >= {1, 2, 3, 4, 5, 7, 8, 11, 14, 18, 19}
    assert err.count("^") >= 10
    with pytest.raises(SpecError) as caught:
        check(Request("model.py:Layer"), "bad.yaml")
    assert len(caught.value.problems) == len(places)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB, ["spec.yaml:1:4: anchors", "^^"]),
        (FLOW + "(" * 100_000 + "\n", ["spec.yaml:8:11: ", "^"]),
        (FLOW + "(" * 60_000 + "\n", ["spec.yaml:8:", "^"]),
        (FLOW + "f(" * 20_000 + "x" + ")" * 20_000 + "\n", ["spec.yaml:8:", "^"]),
        (FLOW + "x" + "+x" * 30_000 + "\n", ["spec.yaml:8:"]),
        ("[" * 100_000, ["spec.yaml:1:"]),
        ("a: !!python/object/apply:os.system ['true']\n", ["spec.yaml:1:4:"]),
        (b"\xff\xfe\x00", ["spec.yaml"]),
        ("", ["spec.yaml"]),
        ("- 1\n", ["spec.yaml:1:"]),
        ("archcheck: 1\n\tid: x\n", ["spec.yaml:2:"]),
    ],
)  # fmt: skip
def test_a_spec_that_cannot_be_read_is_one_clear_error(
    model: Path, capsys: pytest.CaptureFixture[str], content: str | bytes, said: list[str]
) -> None:
    spec = model.with_name("spec.yaml")
    spec.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    err = failing(capsys, "audit", "model.py:Layer", "--spec", "spec.yaml")
    for words in said:
        assert words in err


# ---- options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--spec", "vaswani2016"], ['no spec is called "vaswani2016"', 'did you mean "vaswani2017"?']),
        (["--spec", "gone.yaml"], ["gone.yaml"]),
        (["--spec", "vaswani2017#encoder"], ['vaswani2017 has no block "encoder"', "encoder_layer"]),
        (["--format", "xml"], ["'--format'", "'xml' is not one of 'text'"]),
        (["--mode", "both"], ["'both' is not one of 'train', 'eval'"]),
        (["--undetermined", "maybe"], ["'maybe' is not one of 'warn', 'fail'"]),
        (["--preset", "tiny"], ['no preset "tiny"', "base, big"]),
        (["--size", "d_model=many"], ["--size d_model=many: not a number"]),
        (["--size", "d_modle=3"], ['no size "d_modle"', 'did you mean "d_model"?']),
        (["--bind", "encoder_laier=Layer"], ['no block "encoder_laier"', 'did you mean "encoder_layer"?']),
        (["--bind", "encoder_layer"], ["no NAME=VALUE"]),
        (["--output", "xml=report"], ["--output xml: no such format", "text"]),
        (["--arg", "mode"], ["--arg mode: no NAME=VALUE"]),
        (["--arg", "mode=(1"], ["--arg mode=(1: '(' was never closed\n"]),
        (["--arg", "mode=" + "(" * 50_000], ["--arg mode=((", "too many nested parentheses"]),
        (["--arg", "mode=import os"], ["--arg mode=import os: invalid syntax"]),
        (["--arg", "mode=undefined"], ["--arg mode=undefined: the name undefined is not defined"]),
        (["--arg", "moed=1"], ["Layer has no parameter moed", "mode"]),
        (["--arg", "mode=1", "--arg", "mode=2"], ["--arg mode is given twice"]),
        (["--no-such-option"], ["No such option"]),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_clear_error(
    model: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: list[str]
) -> None:
    spec = [] if "--spec" in options else ["--spec", "vaswani2017"]
    err = failing(capsys, "audit", "model.py:Layer", *spec, *options)
    for words in said:
        assert words in err


def test_an_unknown_command_is_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert 'did you mean "audit"?' in failing(capsys, "audti", "model.py")


# ---- code that reads badly: bounded, and said why


def undetermined(source: str, tmp_path: Path, symbol: str = "Layer") -> tuple[Report, str]:
    """The report on code that cannot be judged, and all that it says in reasons."""
    file = tmp_path / "model.py"
    file.write_text(source, encoding="utf-8")
    (report,) = check(Request(f"{file}:{symbol}"), "vaswani2017#encoder_layer")
    assert {claim.verdict for claim in report.default.claims} == {Verdict.UNDETERMINED}
    words = [finding.message for claim in report.default.claims for finding in claim.findings]
    words += [f"{one.what}: {one.why} (line {one.span.line if one.span else '?'})" for one in report.undetermined]
    return report, "\n".join(words)


def layer(body: str, rest: str = "", before: str = "") -> str:
    """A layer whose `forward` is `body`."""
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    return (
        "from torch import nn\n"
        + before
        + "class Layer(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.norm = nn.LayerNorm(8)\n" + rest + f"    def forward(self, x):\n{lines}\n"
    )


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (layer("return self.norm(x)", '        raise RuntimeError("no weights")\n'), "RuntimeError: no weights"),
        (layer('raise NotImplementedError("later")'), "NotImplementedError: later"),
        (layer("return self.forward(x)"), "calls nest deeper than"),
        (layer("return self.f(x)", "        self.f = lambda x: self.f(x)\n"), "calls nest deeper than"),
        (layer("while True:\n    x = x + 1\nreturn x"), "while loop did not end"),
        (layer("i = 0\nwhile i >= 0:\n    i += 1\nreturn x"), "while loop did not end"),
        (layer("for i in range(100_000):\n    x = x + self.norm(x)\nreturn x"), "a loop of more than"),
        (layer("for i in range(10**30):\n    x = self.norm(x)\nreturn x"), "loop over more than 10,000,000 items"),
        (layer("for i in zip(range(10**12), range(10**12)):\n    x = self.norm(x)\nreturn x"), "loop over more than"),
        (layer("def g():\n    while True:\n        yield 1\nfor i in g():\n    x = x + i\nreturn x"), "did not end"),
        (layer("s = [1]\nfor _ in range(99):\n    s.extend(s)\nreturn self.norm(x)"), "loop over more than"),
        (layer("s = [x]\ns.append(s)\nreturn undefined(s)"), "more than 100,000 parts"),
        (layer("s = [x]\nfor _ in range(60):\n    s = [s, s]\nreturn undefined(s)"), "more than 100,000 parts"),
        (layer("return self.norm(x).not_a_method()"), "not_a_method"),
    ],
)  # fmt: skip
def test_code_that_cannot_be_read_to_its_end_is_undetermined_with_its_reason(
    tmp_path: Path, source: str, why: str
) -> None:
    _, words = undetermined(source, tmp_path)
    assert why in words


def test_layers_that_hold_each_other_do_not_hang(tmp_path: Path) -> None:
    source = "from torch import nn\n" + "".join(
        f"class {own}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.other = {other}()\n    def forward(self, x):\n        return self.other(x)\n"
        for own, other in (("Layer", "Other"), ("Other", "Layer"))
    )
    _, words = undetermined(source, tmp_path)
    assert "calls nest deeper than" in words


@pytest.mark.parametrize(
    "expression",
    [
        "[0] * 10**10",
        '"a" * 10**11',
        '"a" * 10**7 + "a" * 10**7',
        "10 ** 10 ** 9",
        "1 << 10 ** 11",
        "list(range(10**11))",
        '"%5000000000d" % 1',
        '"%*d" % (10**10, 1)',
        "f'{1:1000000000}'",
        '"{:1000000000}".format(1)',
        '"a".ljust(10**11)',
        '("a" * 10**6).replace("a", "b" * 10**6)',
        '("a" * 10**6).join(["b"] * 10**6)',
        "math.factorial(10**8)",
        "math.comb(10**8, 5 * 10**7)",
        "math.prod([2**9999] * 10**5)",
        "pow(7, 10**9)",
        "bytes(10**11)",
    ],
)
def test_values_that_would_fill_the_memory_are_not_computed(tmp_path: Path, expression: str) -> None:
    before = f"import math\nHUGE = {expression}\n"
    report, words = undetermined(layer("return self.norm(x) * len(str(HUGE))", before=before), tmp_path)
    assert report.default.claims
    assert "no part of Layer has the sublayers" in words or "not followed" in words  # read on, or stopped and said so


@pytest.mark.parametrize(
    "step", ["n = n * n", "n = n ** 2", "n = n << n", "s = s + s", "s += s", "t = t + t", "t = (t, t)", "u = [u, u]"]
)
def test_values_that_double_in_a_loop_are_not_computed(tmp_path: Path, step: str) -> None:
    start = 'n, s, t, u = 3, "ab", (1, 2), [1]'
    body = f"{start}\nfor _ in range(99):\n    {step}\nreturn self.norm(x) * len(str(({{t: 1}}, u == [u], n, s)))"
    _, words = undetermined(layer(body), tmp_path)
    assert words


def test_evaluation_stops_when_its_steps_are_used_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "Limits", lambda: Limits(steps=20_000))
    loops = "".join(f"{'    ' * depth}for a{depth} in range(99):\n" for depth in range(4))
    _, words = undetermined(layer(f"{loops}{'    ' * 4}pass\nreturn x"), tmp_path)
    assert "evaluation was stopped after 20,000 steps" in words


def test_a_thousand_norms_in_a_row_are_read(tmp_path: Path) -> None:
    report, words = undetermined(layer("for i in range(1000):\n    x = self.norm(x)\nreturn x"), tmp_path)
    assert report.undetermined == ()
    assert "no part of Layer has the sublayers" in words


def test_a_class_that_is_its_own_base_is_told(tmp_path: Path) -> None:
    source = "class Layer(B):\n    pass\nclass B(Layer):\n    def forward(self, x):\n        return x\n"
    _, words = undetermined(source, tmp_path)
    assert words


def test_a_file_of_ten_thousand_lines_is_read(tmp_path: Path) -> None:
    functions = "".join(
        f"def f{i}(x):\n    y = [a for a in range(3)]\n    z = x\n    return z\n\n" for i in range(2000)
    )
    body = "\n".join(f"x = f{i}(x)" for i in range(500)) + "\nreturn self.norm(x)"
    source = layer(body, before=functions)
    assert len(source.splitlines()) > 10_000
    report, words = undetermined(source, tmp_path)
    assert report.undetermined == ()
    assert "no part of Layer has the sublayers" in words


# ---- nothing runs

HARMFUL = """\
import os, shutil, socket, subprocess, pathlib, sys
from torch import nn

FOLDER = pathlib.Path(__file__).parent
(FOLDER / "ran-import").write_text("x")
os.system(f"touch {FOLDER}/ran-system")
subprocess.run(["touch", str(FOLDER / "ran-subprocess")])
shutil.rmtree(FOLDER / "precious", ignore_errors=True)
exec("open(str(FOLDER / 'ran-exec'), 'w').close()")
eval("open(str(FOLDER / 'ran-eval'), 'w').close()")
__import__("evil_helper")
sys.path.insert(0, "/nowhere")
socket.create_connection(("127.0.0.1", PORT))


def decorate(function):
    (FOLDER / "ran-decorator").write_text("x")
    return function


class Meta(type):
    def __init__(cls, *args):
        (FOLDER / "ran-metaclass").write_text("x")


class Layer(nn.Module, metaclass=Meta):
    (FOLDER / "ran-body").write_text("x")

    def __init__(self, path=(FOLDER / "ran-default").write_text("x")):
        super().__init__()
        (FOLDER / "ran-init").write_text("x")
        open(FOLDER / "ran-open", "w").close()
        self.attention = nn.MultiheadAttention(512, 8)
        self.norm1, self.norm2 = nn.LayerNorm(512), nn.LayerNorm(512)
        self.up, self.down = nn.Linear(512, 2048), nn.Linear(2048, 512)
        self.drop = nn.Dropout(0.1)

    @decorate
    def forward(self, x):
        os.remove(FOLDER / "precious" / "file")
        (FOLDER / "ran-forward").write_text("x")
        x = self.norm1(x + self.drop(self.attention(x, x, x)[0]))
        return self.norm2(x + self.drop(self.down(self.up(x).relu())))
"""
HELPER = "import pathlib\n(pathlib.Path(__file__).parent / 'ran-helper').write_text('x')\n"


def test_reading_runs_nothing_and_opens_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("kept", encoding="utf-8")
    (tmp_path / "evil_helper.py").write_text(HELPER, encoding="utf-8")
    (tmp_path / "conftest.py").write_text(HELPER, encoding="utf-8")
    (tmp_path / "sitecustomize.py").write_text(HELPER, encoding="utf-8")
    (tmp_path / "torch.py").write_text(HELPER, encoding="utf-8")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        (tmp_path / "model.py").write_text(HARMFUL.replace("PORT", str(server.getsockname()[1])), encoding="utf-8")
        before = sorted(tmp_path.rglob("*"))
        started: list[object] = []
        monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: started.append(args))
        monkeypatch.setattr(os, "system", started.append)
        (report,) = check(Request(f"{tmp_path}/model.py:Layer"), "vaswani2017#encoder_layer")
        with pytest.raises(BlockingIOError):
            server.accept()
    assert started == []
    assert sorted(tmp_path.rglob("*")) == before  # nothing made, nothing deleted, no __pycache__
    assert (tmp_path / "precious" / "file").read_text(encoding="utf-8") == "kept"
    assert report.default.claims  # it was read, not refused


# ---- names that would steer a terminal

HOSTILE = LAYER.replace('mode="post"', 'mode="\\x1b[2J\x1b[31m\u202e\u2028"').replace(
    "        return self",
    '        if self.mode == "\\x1b]0;owned\\x07":  # \x1b[2K \u202e \x9b31m\n'
    '            raise ValueError("\\x1b[31m" + self.mode)\n        return self',
)


@pytest.mark.parametrize("form", ["text", "concise", "json"])
def test_names_and_strings_never_reach_the_terminal_raw(
    model: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    model.write_text(HOSTILE, encoding="utf-8")
    command = ["audit", "model.py:Layer", "--spec", "vaswani2017", "--format", form]
    for arguments in ([], ["--arg", r'mode="\x1b]0;owned\x07"'], ["--arg", 'mode="\x1b[31m\u202e"']):
        assert run([*command, *arguments]) in (HOLDS, VIOLATED, NOTHING_JUDGED)
        out, err = capsys.readouterr()
        assert out
        assert printable(out + err)
        if form == "json":
            json.loads(out)


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", "model\x1b[31m.py:Layer", "--spec", "vaswani2017"],
        ["audit", "model.py:La\u202eyer", "--spec", "vaswani2017"],
        ["audit", "model.py:Layer", "--spec", "vas\x1b[2Jwani"],
        ["audit", "model.py:Layer", "--spec", "vaswani2017", "--arg", "mode=\x1b[31m("],
        ["audit", "model.py:Layer", "--spec", "vaswani2017", "--bind", "\x1b[31m=Layer"],
        ["audit", "model.py:Layer", "--spec", "vaswani2017", "--output", "\x1b[31m=x"],
        ["explain", "norm\x1b[31m"],
        ["ops", "norm\x1b[31m"],
        ["describe", "model\x9b31m.py"],
    ],
)
def test_what_is_typed_is_not_echoed_raw(model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    failing(capsys, *arguments)


# ---- exit codes and streams


@pytest.mark.parametrize(
    ("source", "options", "code"),
    [
        (LAYER, [], VIOLATED),  # no feed-forward, no dropout
        (layer("return self.norm(x)"), [], NOTHING_JUDGED),
        (layer("return self.norm(x)"), ["--undetermined", "fail"], VIOLATED),
        (layer("return self.norm(x)", '        raise RuntimeError("no")\n'), [], NOTHING_JUDGED),
    ],
)
@pytest.mark.parametrize("form", ["text", "concise", "json"])
def test_the_exit_code_tells_the_verdict_whatever_the_format(
    model: Path, capsys: pytest.CaptureFixture[str], source: str, options: list[str], code: int, form: str
) -> None:
    model.write_text(source, encoding="utf-8")
    spec = "vaswani2017#encoder_layer"
    assert run(["audit", "model.py:Layer", "--spec", spec, "--format", form, *options]) == code
    out, err = capsys.readouterr()
    assert out
    assert err == ""
