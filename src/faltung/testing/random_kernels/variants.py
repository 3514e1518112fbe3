"""How many variants of kernels some cases may have compiled: what LLVM takes is what a run takes.

A case is checked in half a millisecond, and a variant compiled in hundreds: so many cases share
each. What a run may have compiled grows with the cases that were checked; a case that needs more
is passed over for the next seed. Whether it is depends on the seeds before it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from faltung.kernels.compiled import Kernel
from faltung.kernels.isa import Isa

AT_ONCE: Final = 60
"""Variants that any run may have."""
EACH: Final = 100
"""Cases for each variant more."""


class TooMany(Exception):  # noqa: N818 - no error: the case is for another run
    """A case needs a variant that this run may not have yet."""


class Variants:
    """Those that a run had so far."""

    def __init__(self) -> None:
        self._known: set[tuple[Any, ...]] = set()

    @contextmanager
    def limited(self, checked: int) -> Iterator[None]:
        """Have kernels that are asked for refused where there are too many for so many cases.

        Raises
        ------
        TooMany
            From a kernel that is asked for.
        """
        address, most = Kernel.address, AT_ONCE + checked // EACH

        def limited(
            kernel: Kernel, number: str = "f32", isa: Isa | None = None, **constants: Any
        ) -> int:
            variant = (kernel, number, isa, *sorted(constants.items()))
            if variant not in self._known:
                if len(self._known) >= most:
                    raise TooMany
                self._known.add(variant)
            return address(kernel, number, isa, **constants)

        Kernel.address = limited  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            Kernel.address = address  # type: ignore[method-assign]
