"""One convolution after another: what makes two layers one, and what keeps them two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.definitions.agreement import Agreement, agreement, rounding, table_of
from faltung.definitions.continuous import BOXES, Gaussians, gaussian_sums, triangle
from faltung.definitions.given import real_numbers, widened
from faltung.definitions.layered import Layers
from faltung.errors import GeometryError, message
from faltung.report import AbstractReport, Table
from faltung.signal import convolve

Array = NDArray[Any]

IMAGE: Final = (
    (0, 0, 0, 0, 0, 0, 0, 1),
    (0, 3, 3, 3, 3, 0, 0, 0),
    (0, 3, 5, 5, 3, 0, 2, 0),
    (0, 3, 5, 5, 3, 0, 0, 0),
    (0, 3, 3, 3, 3, 0, 0, 4),
    (0, 0, 0, 0, 0, 0, 0, 0),
    (1, 0, 0, 7, 0, 0, 6, 0),
    (0, 2, 0, 0, 0, 1, 0, 0),
)
FIRST: Final = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))
SECOND: Final = ((1, 2, 1), (2, 4, 2), (1, 2, 1))


@dataclass(frozen=True, eq=False)
class Composition(AbstractReport):
    """Two kernels applied to an image, one after the other and as one.

    Parameters
    ----------
    merged
        The one kernel of both.
    sizes
        The shapes of the first kernel and of the second.
    laws
        What holds exactly.
    border
        Padded layers: equal away from the border only.
    relu
        With a ReLU between them: one kernel is not enough.
    odd
        At how many positions ``N(-x) = -N(x)`` fails with the ReLU, as it does for no convolution.
    gaussians
        Sums of variances, at several steps.
    """

    merged: Array
    sizes: tuple[tuple[int, ...], tuple[int, ...]]
    laws: tuple[Agreement, ...]
    border: Agreement
    relu: Agreement
    odd: int
    gaussians: tuple[Gaussians, ...]

    def blocks(self) -> list[Table | str]:
        """Return the laws, the layers, and the continuous form."""
        return [
            "Convolution composes: (f*g)*h = f*(g*h), and it is linear.",
            table_of(self.laws),
            self._layers(),
            self._kernel(),
            self._relu(),
            "The continuous form is (f*g)(x) = ∫ f(z) g(x-z) dz. Two boxes give a triangle: "
            f"{_plain(BOXES)} with itself is {_plain(triangle(len(BOXES)))}. The variances of "
            "Gaussians add; summed in steps they do so but for an error that vanishes quickly:",
            _gaussians(self.gaussians),
        ]

    def _layers(self) -> str:
        first, second = (_by_size(size) for size in self.sizes)
        text = (
            f"Two layers without an activation are one: kernels of {first} and {second} are one of "
            f"{_by_size(self.merged.shape)}, K1*K2. "
        )
        border = self.border
        missing = border.positions - border.equal
        return (
            f"{text}Where both layers are zero-padded, {missing} of {border.positions} outputs "
            "differ, all near the border: the second layer pads what the first one has put out."
        )

    def _kernel(self) -> Table | str:
        if self.merged.ndim > 2 or max(self.merged.shape) > 12:
            return f"K1*K2 has {self.merged.size} entries."
        rows = [[f"{v:g}" for v in row] for row in np.atleast_2d(self.merged).tolist()]
        return Table([f"n={n}" for n in range(len(rows[0]))], rows, title="K1*K2", left=())

    def _relu(self) -> str:
        others = self.relu.positions - self.relu.equal
        text = f"With a ReLU between them {others} of {self.relu.positions} outputs are others"
        if not self.odd:
            return f"{text}: the first layer puts out nothing that it would change."
        return (
            f"{text}. No single kernel does what they do then: every convolution turns -x into -y, "
            f"these do not, at {self.odd} outputs. That is why networks have activations."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return every comparison, and the merged kernel."""
        return {
            "merged_kernel": self.merged.tolist(),
            "laws": [law.to_dict() for law in self.laws],
            "padded_layers": self.border.to_dict(),
            "relu": {**self.relu.to_dict(), "not_odd_at": self.odd},
            "triangle": triangle(len(BOXES)).tolist(),
            "gaussians": [each.to_dict() for each in self.gaussians],
        }


def compose(
    image: ArrayLike | None = None,
    first: ArrayLike | None = None,
    second: ArrayLike | None = None,
) -> Composition:
    """Apply two kernels one after the other, and as one.

    Parameters
    ----------
    image, first, second : array_like of numbers, 1 to 3 axes, optional
        By default an image of 8×8, Sobel's kernel for columns and a blur.

    Returns
    -------
    Composition
        A report: text when printed, HTML in notebooks, ``to_dict()`` for JSON.

    Raises
    ------
    GeometryError
        compose M1: arrays that have not the same 1 to 3 axes, or no finite values.
    DTypeError
        compose M2: entries that are no integers, booleans or floats.
    IntegerRangeError
        Integers whose sums could pass 64 bits.

    Examples
    --------
    >>> report = compose([1, 2, 3, 4, 5], [1, 1], [1, -1])
    >>> report.merged.tolist()
    [1, 0, -1]
    >>> [(law.claim, law.holds) for law in report.laws[:2]]
    [('(f*g)*h = f*(g*h)', True), ('f*g = g*f', True)]
    """
    given = (IMAGE, FIRST, SECOND)
    chosen = (d if a is None else a for a, d in zip((image, first, second), given, strict=True))
    x, k1, k2 = (
        widened(real_numbers("compose", name, a, "compose M2"))
        for name, a in zip(("image", "first", "second"), chosen, strict=True)
    )
    _check(x, k1, k2)
    layers = Layers(x, k1, k2)
    laws = (*_laws(x, k1, k2), layers.inside())
    sizes = (k1.shape, k2.shape)
    merged, relu = convolve(k1, k2), layers.with_relu()
    return Composition(
        merged, sizes, laws, layers.padded(), relu, layers.not_odd(), gaussian_sums()
    )


def merged_kernel(first: ArrayLike, second: ArrayLike) -> Array:
    """Return the filters of the one layer that two layers without activation are.

    Parameters
    ----------
    first : array_like, (M, C, *k1)
        Filters of the first layer: stride, dilation and groups 1.
    second : array_like, (O, M, *k2)
        Those of the second.

    Returns
    -------
    array, (O, C, *(k1 + k2 - 1))
        ``merged[o, c] = Σ_m second[o, m] * first[m, c]``, a convolution over space.

    Raises
    ------
    GeometryError
        compose M3: filters that cannot follow one another.

    Examples
    --------
    >>> merged_kernel([[[1, 1]]], [[[1, -1]]]).tolist()
    [[[1, 0, -1]]]
    """
    w1, w2 = np.asarray(first), np.asarray(second)
    if w1.ndim != w2.ndim or w1.ndim < 3 or w1.shape[0] != w2.shape[1]:
        values = {"first": w1.shape, "second": w2.shape}
        rule = "the second layer must take the channels that the first one puts out"
        cure = "Give (M, C, *k1) and (O, M, *k2)"
        raise GeometryError(message("compose", rule, values, cure, "compose M3"))
    return np.array(
        [
            [sum(convolve(w1[m, c], w2[o, m]) for m in range(len(w1))) for c in range(w1.shape[1])]
            for o in range(len(w2))
        ]
    )


def _check(*arrays: Array) -> None:
    shapes = [array.shape for array in arrays]
    ranks = {len(shape) for shape in shapes}
    held = all(array.size and np.isfinite(array).all() for array in arrays)
    if len(ranks) > 1 or not ranks <= {1, 2, 3} or not held:
        values = {"shapes": shapes}
        rule = "image and kernels must have the same 1 to 3 axes, and finite values"
        raise GeometryError(message("compose", rule, values, "", "compose M1"))


def _laws(f: Array, g: Array, h: Array) -> tuple[Agreement, ...]:
    """The algebra of full convolutions."""
    e = np.flip(f)
    three = convolve(convolve(abs(f), abs(g)), abs(h))
    two = 5 * convolve(abs(f) + abs(e), abs(g))
    products = g.size + h.size + convolve(g, h).size
    return (
        agreement(
            "(f*g)*h = f*(g*h)",
            convolve(convolve(f, g), h),
            convolve(f, convolve(g, h)),
            rounding(three, products),
        ),
        agreement("f*g = g*f", convolve(f, g), convolve(g, f), rounding(two, g.size)),
        agreement(
            "(2f-3e)*g = 2(f*g)-3(e*g)",
            convolve(2 * f - 3 * e, g),
            2 * convolve(f, g) - 3 * convolve(e, g),
            rounding(two, g.size + 3),
        ),
    )


def _gaussians(sums: tuple[Gaussians, ...]) -> Table:
    rows = [
        (
            f"{each.step:g}",
            *(f"{v:.6f}" for v in each.variances),
            f"{sum(s * s for s in each.sigmas):g}",
            f"{each.largest:.1e}",
            f"{each.bound:.1e}",
        )
        for each in sums
    ]
    header = ("step", "variance 1", "variance 2", "of the sum", "exact", "error / peak", "bound")
    return Table(header, rows, left=())


def _by_size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _plain(values: Any) -> str:
    return " ".join(str(int(v)) for v in values)
