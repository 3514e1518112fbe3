"""Random geometries and their numbers: any case again from a row's name and a seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod
from random import Random
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.errors import GeometryError
from faltung.geometry.window import ConvWindow, PoolWindow
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.registry import Row, Window

Array = NDArray[Any]
Ints = tuple[int, ...]

MOST: Final = 250_000
"""Multiply-adds of a case, at most; of a large one ten times as many."""
FIRST: Final = 1000
FEW: Final = 40
MANY: Final = 400
"""How many choices of form, channels, dtype and epilogue a row's first seeds have, and others."""
ERA: Final = 100_000
"""Seeds that share those choices; others have others."""
LARGEST: Final = {1: 70, 2: 21, 3: 9}
"""Positions along an axis, by how many axes there are."""
LONG: Final = ((15,), (17,), (33,), (64,), (16, 16), (15, 15), (1, 15), (3, 21), (31, 31))
"""Kernels of filters and signals."""
TILES: Final = ((2,), (3,), (2, 2), (3, 3), (4, 4), (2, 3), (2, 2, 2))
"""Kernels of windows that lie side by side."""
CHANNELS: Final = (1, 1, 2, 3, 4, 5, 8, 11, 16, 17, 24, 33, 40)


class Form(NamedTuple):
    """What kernels may be compiled for: so there are not too many of them."""

    kernel: Ints
    stride: Ints
    dilation: Ints
    sharing: str
    """How channels are connected: "all" with all, in "groups", each by itself ("depthwise"), or one
    with one ("single")."""


@dataclass(frozen=True)
class Case:
    """One call of a row.

    Parameters
    ----------
    row : Row
    seed : int
    window : Window
    dtype : dtype
    is_whole : bool
        Whether the numbers are small integers, whose sums are exact.
    extras : tuple of str
        Of "bias", "out", "packed", "residual", "include pad" and activations.
    """

    row: Row
    seed: int
    window: Window
    dtype: np.dtype[Any]
    is_whole: bool
    extras: tuple[str, ...]

    def __str__(self) -> str:
        axes = "; ".join(
            f"{a.size} k{a.kernel} s{a.stride} d{a.dilation} p{a.pad_lo},{a.pad_hi}"
            + " ceil" * a.ceil
            for a in self.window.axes
        )
        window = self.window
        if isinstance(window, ConvWindow):
            channels = f"{window.in_channels}->{window.out_channels} g{window.groups}"
        else:
            channels = f"{window.channels}"
        numbers = "integers" if self.is_whole else "normal"
        said = [f"N{window.batch} {channels}", axes, str(self.dtype), numbers, *self.extras]
        return f"--row {self.row.name} --seed {self.seed}  # {', '.join(said)}"

    @property
    def shape(self) -> Ints:
        """The result's, of a convolution or its gradient to the input."""
        is_backward = self.row.operation == "conv_dx"
        return self.window.x_shape if is_backward else self.window.out_shape

    @property
    def epilogue(self) -> tuple[str, float, float]:
        """What follows the sum: an activation with its two numbers."""
        name = next((e for e in self.extras if e in ACTIVATIONS), "")
        return (name, *ACTIVATIONS[name])

    def numbers(self) -> dict[str, Array]:
        """Return x, w, b, dout and residual, as far as the operation has them."""
        rng = np.random.default_rng(self.seed)
        window, shapes = self.window, {"x": self.window.x_shape, "dout": self.window.out_shape}
        if isinstance(window, ConvWindow):
            shapes |= {"w": window.w_shape, "b": self.shape[1:2]}
            shapes |= {"residual": self.shape} if "residual" in self.extras else {}
        return {name: self._drawn(rng, shape) for name, shape in shapes.items()}

    def _drawn(self, rng: np.random.Generator, shape: Ints) -> Array:
        if self.is_whole:
            return rng.integers(-4, 5, shape, np.int8).astype(self.dtype)
        return rng.standard_normal(shape, self.dtype)


ACTIVATIONS: Final = {"": (0.0, 0.0), "relu": (0.0, 0.0), "leaky_relu": (0.25, 0.0)} | {
    "clip": (-2.0, 6.0)
}
"""With numbers that leave integers exact."""


def plain_epilogue(case: Case, residual: Array | None) -> Epilogue:
    """Return what is fused into the store."""
    name, low, high = case.epilogue
    return Epilogue(name, low, high, residual) if name or residual is not None else PLAIN


def drawn(row: Row, seed: int, is_large: bool = False) -> Case | None:
    """Return a random case of a row; None where none was found that it takes.

    What a kernel is compiled for comes from a pool, small for the first seeds: sizes, padding and
    numbers differ from seed to seed all the same.
    """
    pool, random = (FEW if seed < FIRST else MANY), Random(f"{row.name} {seed}")
    member = seed // ERA * pool + seed % pool
    for turn in range(40):
        choice = Random(f"{row.name} {member} {turn}")
        dtype = np.dtype(np.float32 if choice.random() < 0.7 else np.float64)
        form, channels = choice.choice(_forms_of(row)), choice.random()
        extras = _extras(row, choice)
        window = _window(row, form, Random(channels), random, is_large)
        if window is not None and row.applies(window, dtype):
            is_whole = row.is_exact and row.block == 1 and random.random() < 0.6
            return Case(row, seed, window, dtype, is_whole, extras)
    return None


EPILOGUES: Final = ((), ("residual",), ("relu",), ("leaky_relu",), ("residual", "clip"))


def _extras(row: Row, random: Random) -> tuple[str, ...]:
    wanted: list[str] = []
    if row.operation in ("conv", "conv_dx"):
        wanted += ["bias"] if row.takes("b") and random.random() < 0.5 else []
        wanted += ["out"] if row.fuses and random.random() < 0.3 else []
        wanted += ["packed"] if row.packs and random.random() < 0.4 else []
        wanted += random.choice(EPILOGUES) if row.fuses and random.random() < 0.5 else []
    elif row.operation.startswith("avg") and random.random() < 0.5:
        wanted.append("include pad")
    return tuple(wanted)


@cache
def _forms() -> list[Form]:
    """Return the forms: those of real networks, and as many that chance gives."""
    forms = [
        Form((k,) * axes, (s,) * axes, (1,) * axes, sharing)
        for axes in (1, 2)
        for k, s in ((1, 1), (1, 2), (2, 2), (3, 1), (3, 2), (4, 2), (5, 1), (5, 2), (7, 1), (7, 2))
        for sharing in ("all", "groups", "depthwise")
    ]
    forms += [Form((3, 3), (1, 1), (1, 1), "all"), Form((3, 3, 3), (1,) * 3, (1,) * 3, "all")]
    forms += [Form((3, 3), (1, 1), (2, 2), "all"), Form((1, 7), (1, 1), (1, 1), "all")]
    forms += [Form((3, 3), (1, 1), (5, 3), "groups"), Form((5, 5), (1, 1), (2, 2), "all")]
    forms += [
        Form((1, 3, 3), (1,) * 3, (1,) * 3, "all"),
        Form((3, 1, 1), (1,) * 3, (1,) * 3, "all"),
        Form((2, 5, 5), (1,) * 3, (1,) * 3, "groups"),
    ]
    forms += [
        Form(kernel, (1,) * len(kernel), (1,) * len(kernel), sharing)
        for kernel in LONG
        for sharing in ("single", "depthwise", "all")
    ]
    forms += [Form(kernel, kernel, (1,) * len(kernel), "all") for kernel in TILES]
    random = Random(0)
    for n in range(120):
        axes = random.choice((1, 2, 2, 3))
        most = (9, 6, 4)[axes - 1]
        forms.append(
            Form(
                tuple(random.randint(1, most) for _ in range(axes)),
                tuple(random.choice((1, 1, 2, 3, 4)) for _ in range(axes)),
                tuple(random.choice((1, 1, 2, 3)) for _ in range(axes)),
                ("all", "groups", "depthwise")[n % 3],
            )
        )
    return forms


@cache
def _forms_of(row: Row) -> list[Form]:
    """Return the forms that a row takes in any size: a kernel for squares of 3 needs no others."""
    random = Random(row.name)
    kept = []
    for form in _forms():
        windows = [_window(row, form, random, random, False) for _ in range(12)]
        if any(w is not None and row.applies(w, np.dtype(np.float32)) for w in windows):
            kept.append(form)
    return kept or _forms()


def _window(row: Row, form: Form, choice: Random, random: Random, is_large: bool) -> Window | None:
    """Return a geometry of a form; None for one that is refused, or too large."""
    axes = len(form.kernel)
    largest = LARGEST[axes] * (2 if is_large else 1)
    space = tuple(random.randint(1, largest) for _ in range(axes))
    batch = random.choice((0, 1, 1, 1, 2, 3)) if not is_large else random.choice((1, 2, 3, 5))
    settings: dict[str, Any] = {"stride": form.stride, "dilation": form.dilation}
    settings["padding"] = tuple(_padding(random, k) for k in form.kernel)
    try:
        if not row.operation.startswith("conv"):
            shape = (batch, choice.choice(CHANNELS), *space)
            return PoolWindow.of(shape, form.kernel, **settings, ceil=random.random() < 0.3)
        groups, channels, out = _channels(form, choice, is_large)
        shapes = (batch, channels, *space), (out, channels // groups, *form.kernel)
        window = ConvWindow.of(*shapes, **settings, groups=groups)
    except GeometryError:
        return None
    most = MOST * (10 if is_large else 1)
    work = window.batch * prod(window.out_space) * prod(window.w_shape)
    return window if work <= most and (work or not is_large) else None


def _padding(random: Random, kernel: int) -> tuple[int, int]:
    if (usual := random.random()) < 0.6:
        return (0, 0) if usual < 0.2 else (kernel // 2, kernel // 2)
    return (random.randint(-1, min(kernel, 4)), random.randint(-1, min(kernel, 4)))


def _channels(form: Form, random: Random, is_large: bool) -> tuple[int, int, int]:
    if form.sharing == "single":
        return 1, 1, 1
    own, out = random.choice(CHANNELS), random.choice(CHANNELS)
    if is_large:
        own, out = own * random.choice((1, 2)), out * random.choice((1, 3))
    if form.sharing == "depthwise":
        return own, own, own * random.choice((1, 1, 1, 2, 3))
    groups = random.choice((2, 3, 4)) if form.sharing == "groups" else 1
    return groups, groups * own, groups * out
