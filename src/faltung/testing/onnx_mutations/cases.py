"""One case: the file that a seed and an index stand for."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from faltung.testing.onnx_mutations.bases import Base, bases
from faltung.testing.onnx_mutations.damage import damaged
from faltung.testing.onnx_mutations.structural import mutated

STRUCTURAL_SHARE: Final = 0.8


@dataclass(frozen=True)
class Case:
    """One mutant.

    Parameters
    ----------
    base
        What it was made of.
    structural
        Whether its structure was changed; else its bytes were damaged.
    what
        The names of the mutations.
    data
        The file.
    """

    base: Base
    structural: bool
    what: str
    data: bytes


def case_of(seed: int, index: int) -> Case:
    """Return the mutant that a seed and an index stand for, always the same.

    Parameters
    ----------
    seed, index : int
        Which one.
    """
    base = bases()[index % len(bases())]
    rng = Random(f"{seed}:{index}")
    if rng.random() >= STRUCTURAL_SHARE:
        return Case(base, False, *damaged(rng, base.data))
    what, model = mutated(rng, base.model)
    return Case(base, True, what, model.SerializeToString(deterministic=True))
