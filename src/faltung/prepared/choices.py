"""Which kernel runs for which images."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np

from faltung.geometry import ConvWindow
from faltung.kernels.choose import choose
from faltung.ops import dispatch

if TYPE_CHECKING:
    from faltung.kernels.registry import Row
    from faltung.prepared.abstract import AbstractPrepared

Sizes = tuple[int, ...]


class Choices(MutableMapping[Sizes, str]):
    """Which row runs for which images: the shape of one, (C, *space), to the row's name.

    What has run can be read; what is put in is imposed, and taking it out ends that.

    Examples
    --------
    >>> from faltung.prepared import prepare
    >>> conv = prepare(np.ones((1, 1, 3)))
    >>> _ = conv(np.ones((2, 1, 8)))
    >>> conv.choices[1, 9] = "conv_im2col_any_nchw"
    >>> sorted(conv.choices), conv.choices[1, 9]
    ([(1, 8), (1, 9)], 'conv_im2col_any_nchw')
    """

    def __init__(self, conv: AbstractPrepared[Any]) -> None:
        self._conv = conv
        self._imposed: dict[Sizes, str] = {}
        self._taken: dict[Sizes, str] = {}

    def taken(self, window: ConvWindow, image: Sizes, dtype: np.dtype[Any]) -> Row | None:
        """Return the row for a geometry, and note it; None for the reference."""
        conv, imposed = self._conv, self._imposed.get(image, "")
        how: dict[str, Any] = {"exact": conv.operator.exact, "prepared": True, "imposed": imposed}
        row = dispatch.row_of(conv.operation, window, dtype, **how)
        if row is not None:
            self._taken[image] = row.name
        return row

    def __getitem__(self, image: Sizes) -> str:
        return self._imposed.get(image) or self._taken[image]

    def __setitem__(self, image: Sizes, name: str) -> None:
        conv, zeros = self._conv, np.broadcast_to(np.float32(0), (1, *image))
        window, _ = conv._placed(zeros)
        choose(conv.operation, window, np.dtype(np.float32), name)
        self._imposed[tuple(image)] = name
        conv.forget()

    def __delitem__(self, image: Sizes) -> None:
        del self._imposed[image]
        self._conv.forget()

    def __iter__(self) -> Iterator[Sizes]:
        return iter({**self._taken, **self._imposed})

    def __len__(self) -> int:
        return len({**self._taken, **self._imposed})

    def __repr__(self) -> str:
        return f"Choices({dict(self)})"
