"""All planted bugs, by operator."""

from __future__ import annotations

from functools import cache

from faltung.testing.mutants.convolution import convolution_mutants
from faltung.testing.mutants.dense import dense_mutants
from faltung.testing.mutants.files import file_mutants
from faltung.testing.mutants.generic import generic_mutants
from faltung.testing.mutants.layers import layer_mutants
from faltung.testing.mutants.local import local_mutants
from faltung.testing.mutants.moving import moving_mutants
from faltung.testing.mutants.mutant import Mutant, Operator
from faltung.testing.mutants.pointwise import pointwise_mutants
from faltung.testing.mutants.pooling import pooling_mutants
from faltung.testing.mutants.windows import window_mutants

MAKERS = (
    generic_mutants,
    file_mutants,
    window_mutants,
    convolution_mutants,
    local_mutants,
    pooling_mutants,
    dense_mutants,
    pointwise_mutants,
    layer_mutants,
    moving_mutants,
)


def mutants_of(cls: Operator) -> list[Mutant]:
    """Return every bug that can be planted in an operator; their names differ.

    >>> from faltung.ops import Relu
    >>> len(mutants_of(Relu)) >= 12
    True
    """
    return list(_mutants_of(cls))


@cache
def _mutants_of(cls: Operator) -> tuple[Mutant, ...]:
    # Which there are the operator's own cases tell, some of them only by what comes out.
    return tuple(mutant for maker in MAKERS for mutant in maker(cls))
