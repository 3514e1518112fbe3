"""One output of a convolution or correlation, spelt out: which entry meets which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from numpy.typing import ArrayLike

from faltung.definitions.figures import Number, factor, finite, number
from faltung.definitions.given import real_numbers
from faltung.definitions.placement import Placement, place
from faltung.errors import GeometryError, message
from faltung.geometry import PaddingLike
from faltung.geometry.border import check_mode, source
from faltung.report import AbstractReport, Table

Position = tuple[int, ...]

PATCH: Final = ((1, 2, 0), (0, 1, 2), (2, 0, 1))
SOBEL_X: Final = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))
WIDEST_GRID: Final = 12
"""Columns of a kernel up to which it is drawn as it lies."""


@dataclass(frozen=True)
class Term:
    """One product of the sum: a kernel entry and what lies under it.

    Parameters
    ----------
    kernel_at, kernel_value
        The kernel entry.
    tap
        The position under it, outside the image on padding.
    source
        The position of the image whose value stands there; None for a zero.
    image_value
        That value.
    """

    kernel_at: Position
    kernel_value: Number
    tap: Position
    source: Position | None
    image_value: Number

    @property
    def is_padding(self) -> bool:
        """Whether the tap lies outside the image."""
        return self.source != self.tap

    @property
    def value(self) -> Number:
        """The product."""
        return self.image_value * self.kernel_value


@dataclass(frozen=True)
class Expansion(AbstractReport):
    """An output as a sum of terms, in symbols and in numbers.

    Parameters
    ----------
    placement
        How the kernel lies on the image.
    position
        Which output.
    padding_mode
        What stands outside the image.
    terms
        One for each kernel entry, in row-major order.
    """

    placement: Placement
    position: Position
    padding_mode: str
    terms: tuple[Term, ...]

    @property
    def value(self) -> Number:
        """The sum: exact for integers, rounded once for floats."""
        values = [term.value for term in self.terms]
        exact = all(isinstance(v, int) for v in values)
        return sum(values) if exact or not all(map(math.isfinite, values)) else math.fsum(values)

    @property
    def padding_taps(self) -> int:
        """How many kernel entries lie on padding."""
        return sum(term.is_padding for term in self.terms)

    @property
    def present(self) -> tuple[Term, ...]:
        """The terms but for those on padding of zeros."""
        return tuple(term for term in self.terms if term.source is not None)

    @property
    def symbols(self) -> str:
        """The terms that are there, such as ``I(0,0)K(2,2)``; 0 if there are none."""
        pairs = (entry("I", term.source) + entry("K", term.kernel_at) for term in self.present)
        return " + ".join(pairs) or "0"

    @property
    def numbers(self) -> str:
        """The same terms in numbers, such as ``1·2 + 0·(-1)``."""
        pairs = (f"{factor(t.image_value)}·{factor(t.kernel_value)}" for t in self.present)
        return " + ".join(pairs) or "0"

    def blocks(self) -> list[Table | str]:
        """Return the formula, the sum, its terms, and the kernel as it lies."""
        placement, left = self.placement, entry("S", self.position)
        kind = (
            "Convolution, which flips the kernel"
            if placement.is_flipped
            else ("Cross-correlation, which does not flip the kernel")
        )
        sums = [f"{left} = {self.symbols}"]
        if self.present:
            sums.append(f"{' ' * len(left)} = {self.numbers}")
        sums.append(f"{' ' * len(left)} = {number(self.value)}")
        return [
            f"{kind}: {placement.formula()}",
            self._border(),
            "\n".join(sums),
            self._table(),
            *self._grids(),
        ]

    def _border(self) -> str:
        sizes = "×".join(map(str, self.placement.out_shape))
        text = f"It has {sizes} outputs. {self.placement.described()}"
        if not self.padding_taps:
            return text
        filled = "zeros" if self.padding_mode == "zeros" else f"{self.padding_mode} values"
        here = f"At {entry('S', self.position)} {self.padding_taps} of {len(self.terms)} kernel"
        return f"{text} {here} entries lie on padding, where {filled} stand."

    def _table(self) -> Table:
        rows = [
            (
                entry("K", term.kernel_at),
                number(term.kernel_value),
                entry("I", term.tap),
                _filled(term),
                number(term.image_value),
                number(term.value),
            )
            for term in self.terms
        ]
        header = ("kernel", "value", "meets", "", "value", "product")
        footer = ("sum", "", "", "", "", number(self.value))
        return Table(header, rows, footer, left=(0, 2, 3))

    def _grids(self) -> list[Table]:
        """The image under the kernel, and the kernel as it lies on it; for one or two axes."""
        *_, columns = shape = self.placement.kernel_shape
        if len(shape) > 2 or columns > WIDEST_GRID:
            return []
        lying = self.terms[::-1] if self.placement.is_flipped else self.terms
        rows = [lying[i : i + columns] for i in range(0, len(lying), columns)]
        flipped = ", flipped" if self.placement.is_flipped else ""
        return [
            _grid("the image there ([0] is padding)", "I", rows, _on_image),
            _grid(f"the kernel as it lies there{flipped}", "K", rows, _on_kernel),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the sum and each of its terms."""
        return {
            "mode": self.placement.mode,
            "formula": self.placement.formula(),
            "position": list(self.position),
            "out_shape": list(self.placement.out_shape),
            "padding": [list(pair) for pair in self.placement.pads],
            "padding_mode": self.padding_mode,
            "symbols": self.symbols,
            "numbers": self.numbers,
            "value": finite(self.value),
            "terms": [_as_dict(term) for term in self.terms],
        }


def expand(
    image: ArrayLike | None = None,
    kernel: ArrayLike | None = None,
    position: Sequence[int] | None = None,
    *,
    mode: str = "correlate",
    padding: PaddingLike | None = None,
    anchor: Sequence[int] | None = None,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    padding_mode: str = "zeros",
) -> Expansion:
    """Spell out one output: which entry of the image meets which entry of the kernel.

    ``correlate``: ``S(i,j) = Σ I(i+m, j+n) K(m,n)``, what layers compute. ``convolve``:
    ``S(i,j) = Σ I(i-m, j-n) K(m,n)``, which flips the kernel on every axis. The padding decides
    where the outputs begin; the report shows the formula with it.

    Parameters
    ----------
    image, kernel : array_like of numbers, 1 to 3 axes, optional
        By default a patch of 3×3 and Sobel's kernel for columns.
    position : sequence of int, optional
        Which output, counted from 0; by default the first.
    mode : {"correlate", "convolve"}
        Whether the kernel stays as it is or is flipped.
    padding : word, int, one int or one pair ``(lo, hi)`` for each axis, optional
        As in `faltung.conv`, and ``"formula"``: as many outputs as inputs from the formula as it
        is written above. That adds k - 1 positions at top and left for convolution, at bottom and
        right for correlation. By default ``"valid"``.
    anchor : sequence of int, optional
        In place of padding: the kernel entry that lies on the output's own position, with as many
        outputs as inputs.
    stride, dilation : int or one for each axis
        As in `faltung.conv`.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What stands outside the image.

    Returns
    -------
    Expansion
        A report: text when printed, HTML in notebooks, ``to_dict()`` for JSON.

    Raises
    ------
    GeometryError
        expand E1: an unknown mode. E2: an anchor outside the kernel. E3: both padding and anchor.
        E4: a position that is no output. Else what `faltung.conv` refuses.
    DTypeError
        expand E5: entries that are no integers, booleans or floats.

    Examples
    --------
    >>> expand().numbers
    '1·(-1) + 2·0 + 0·1 + 0·(-2) + 1·0 + 2·2 + 2·(-1) + 0·0 + 1·1'
    >>> expand().value, expand(mode="convolve").value
    (2, -2)
    >>> expand(mode="convolve", padding="full").symbols
    'I(0,0)K(0,0)'
    >>> expand(padding="full").symbols
    'I(0,0)K(2,2)'
    """
    x = real_numbers("expand", "image", PATCH if image is None else image, "expand E5")
    w = real_numbers("expand", "kernel", SOBEL_X if kernel is None else kernel, "expand E5")
    check_mode(padding_mode, "expand")
    placement = place(x.shape, w.shape, mode, padding, anchor, stride, dilation)
    at = _output(position, placement.out_shape)
    taps = [placement.taps(axis, o) for axis, o in enumerate(at)]
    terms = []
    for kernel_at in product(*map(range, w.shape)):
        tap = tuple(row[k] for row, k in zip(taps, kernel_at, strict=True))
        origin = _source(padding_mode, tap, x.shape)
        value = 0 if origin is None else x[origin].item()
        terms.append(Term(kernel_at, w[kernel_at].item(), tap, origin, value))
    return Expansion(placement, at, padding_mode, tuple(terms))


def entry(name: str, position: Sequence[int] | None) -> str:
    """Return an entry's symbol.

    >>> entry("I", (0, 2))
    'I(0,2)'
    """
    return f"{name}({','.join(map(str, position or ()))})"


def _output(position: Sequence[int] | None, out_shape: tuple[int, ...]) -> Position:
    at = tuple(position) if position is not None else (0,) * len(out_shape)
    if len(at) != len(out_shape) or not all(0 <= o < n for o, n in zip(at, out_shape, strict=True)):
        values = {"position": at, "out_shape": out_shape}
        cure = "Use a smaller position" if all(out_shape) else "Pad the image"
        rule = "position must be one of the outputs"
        raise GeometryError(message("expand", rule, values, cure, "expand E4"))
    return at


def _source(mode: str, tap: Position, shape: tuple[int, ...]) -> Position | None:
    found = [source(mode, i, size) for i, size in zip(tap, shape, strict=True)]
    known = tuple(i for i in found if i is not None)
    return known if len(known) == len(found) else None


def _filled(term: Term) -> str:
    """What stands on padding."""
    if not term.is_padding:
        return ""
    return "padding" if term.source is None else f"padding, {entry('I', term.source)}"


def _grid(title: str, name: str, rows: Sequence[Sequence[Term]], cell: Any) -> Table:
    header = [name, *(cell(term)[0][-1] for term in rows[0])]
    body = [[cell(row[0])[0][0], *(cell(term)[1] for term in row)] for row in rows]
    if len(rows[0][0].tap) == 1:
        body = [["", *row[1:]] for row in body]
    return Table(header, body, title=title, left=())


def _on_image(term: Term) -> tuple[list[str], str]:
    shown = number(term.image_value)
    return [str(i) for i in term.tap], f"[{shown}]" if term.is_padding else shown


def _on_kernel(term: Term) -> tuple[list[str], str]:
    return [str(i) for i in term.kernel_at], number(term.kernel_value)


def _as_dict(term: Term) -> dict[str, Any]:
    return {
        "kernel": list(term.kernel_at),
        "kernel_value": finite(term.kernel_value),
        "tap": list(term.tap),
        "source": None if term.source is None else list(term.source),
        "image_value": finite(term.image_value),
        "product": finite(term.value),
    }
