"""The textbook: the formulas that proofs compare with, by kind, each with its paper and its named near misses.

The formulas themselves stand in three modules, one for each way in which a formula has parts:

| kinds | module | papers |
| --- | --- | --- |
| layer_norm, rms_norm, l2_norm | `norms` | ba2016, zhang2019 |
| activations | `activations` | hendrycks2016, ramachandran2017, misra2019, clevert2015, klambauer2017, so2021 |
| softmax | `prove_pointwise` | bridle1990 |
| rope | `rotations` | su2021 |
| attention | `attentions` | vaswani2017, ainslie2023, gemma2024, xiao2023 |
"""

from __future__ import annotations

from archcheck.proof.activations import activation_of, fitted, misspelled, named
from archcheck.proof.attentions import Form as AttentionForm
from archcheck.proof.norms import Form as NormForm
from archcheck.proof.norms import stated_form
from archcheck.proof.rotations import turned, turns

__all__ = [
    "AttentionForm",
    "NormForm",
    "activation_of",
    "fitted",
    "misspelled",
    "named",
    "stated_form",
    "turned",
    "turns",
]
