"""Questions about ideas whose answers are measured: shifts, the flip, padding."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.explorer.quiz.problem import Family, Problem, choose
from faltung.functional import conv, max_pool
from faltung.geometry import explicit_padding

Array = NDArray[Any]

EQUIVARIANT, INVARIANT, NEITHER = "equivariant", "invariant", "neither"
WIDTH: Final = 12
INPUTS: Final = tuple(np.random.RandomState(n).randint(0, 10, WIDTH) for n in range(8))
"""What is shifted: the first one is shown, all of them decide."""


class Layer(NamedTuple):
    """A layer on a line of numbers, and how a question names it."""

    told: str
    run: Callable[[Array], Array]


def _weights(length: int) -> Array:
    return np.random.RandomState(length).randint(1, 4, length)


def _conv(x: Array, stride: int = 1, mode: str = "circular") -> Array:
    w = np.array([[[1, 2, 3]]])
    made: Array = conv(x[None, None], w, stride=stride, padding=1, padding_mode=mode)[0, 0]
    return made


def _pool(x: Array, stride: int) -> Array:
    made: Array = max_pool(x[None, None], stride, stride=stride)[0, 0]
    return made


@cache
def layers(stride: int) -> tuple[Layer, ...]:
    """Return layers to ask about; two of them stride."""
    ramp, dense = np.arange(WIDTH), _weights(WIDTH * WIDTH).reshape(-1, WIDTH)
    line = "a convolution with circular padding"
    return (
        Layer(line, _conv),
        Layer("ReLU", lambda x: np.maximum(x - 4, 0)),
        Layer("a dense layer on all values", lambda x: dense @ x),
        Layer("global average pooling", lambda x: x.mean(keepdims=True).round(2)),
        Layer("global max pooling", lambda x: x.max(keepdims=True)),
        Layer(f"{line}, then global max pooling", lambda x: _conv(x).max(keepdims=True)),
        Layer(f"{line} and stride {stride}", lambda x: _conv(x, stride)),
        Layer(f"max pooling {stride} with stride {stride}", lambda x: _pool(x, stride)),
        Layer("a convolution of a channel that holds each position", lambda x: _conv(x * ramp)),
        Layer("a locally connected layer", lambda x: _weights(WIDTH) * x + np.roll(x, 1)),
        Layer("a convolution 1×1 with a bias", lambda x: 3 * x + 2),
        Layer("a convolution padded with zeros", lambda x: _conv(x, mode="zeros")),
    )


@cache
def behaves(layer: Layer, shift: int) -> str:
    """Measure what a layer makes of a circular shift of its input.

    Invariant: its output stays. Equivariant: its output moves along, by the shift times outputs
    over inputs.
    """
    pairs = [(layer.run(x), layer.run(np.roll(x, shift))) for x in INPUTS]
    if all((there == here).all() for here, there in pairs):
        return INVARIANT
    moved, rest = divmod(shift * len(pairs[0][0]), WIDTH)
    follows = not rest and all((there == np.roll(here, moved)).all() for here, there in pairs)
    return EQUIVARIANT if follows else NEITHER


def _numbers(layer: Layer, shift: int) -> str:
    """What the first input becomes, before the shift and after it."""
    here, there = (layer.run(np.roll(INPUTS[0], by)).tolist() for by in (0, shift))
    before, after = (" ".join(f"{v:g}" for v in values) for values in (here, there))
    return f"{before} becomes {after}"


_SAID: Final = {
    EQUIVARIANT: "equivariant: the output moves along",
    INVARIANT: "invariant: the output stays as it is",
    NEITHER: "neither: the output becomes another one",
}
_WHYS: Final = {
    EQUIVARIANT: "Then a shifted input would give the same output, shifted.",
    INVARIANT: "Then a shifted input would give just the same output.",
    NEITHER: "Run it on a shifted input: the output stays as it is, or moves along.",
}
_FOLLOWS: Final = "Its output moves along: shift, then layer, is layer, then shift."


def follows(rng: Random) -> Problem:
    """What one layer makes of a shift."""
    layer, shift = rng.choice(layers(rng.choice((2, 3, 4)))), rng.randint(1, 9)
    found = behaves(layer, shift)
    outputs = len(layer.run(INPUTS[0]))
    moved = f"{shift}·{outputs} : {WIDTH} = {shift * outputs // WIDTH}"
    whys = {
        EQUIVARIANT: f"the old one, {moved} further",
        INVARIANT: "the old one",
        NEITHER: "neither the old one nor the old one shifted",
    }
    return choose(
        rng,
        f"An input of {WIDTH} values is shifted all round by {shift}. Under this shift, "
        f"{layer.told} is …",
        _SAID[found],
        [(said, _WHYS[name]) for name, said in _SAID.items() if name != found],
        f"Measured: {_numbers(layer, shift)}: {whys[found]}.",
    )


def breaks(rng: Random) -> Problem:
    """Which of four layers does not follow a shift."""
    shift = rng.randint(1, 9)
    made = {layer.told: layer for layer in layers(rng.choice((2, 3, 4)))}
    kinds = {told: behaves(layer, shift) for told, layer in made.items()}
    right = rng.choice([told for told, kind in kinds.items() if kind == NEITHER])
    even = [told for told, kind in kinds.items() if kind == EQUIVARIANT]
    return choose(
        rng,
        f"An input of {WIDTH} values is shifted all round by {shift}. Which of these layers breaks "
        "the equivariance?",
        right,
        [(told, _FOLLOWS) for told in rng.sample(even, 3)],
        f"Measured, {right}: {_numbers(made[right], shift)}, which is not the old output moved "
        "along. All others move along.",
    )


def _kernels(rng: Random) -> tuple[Array, list[Array]]:
    """A kernel that is the same when turned round, and some that are not."""
    a, b, c, d = rng.sample(range(-4, 5), 4)
    e = rng.randint(-4, 4)
    turns = np.array([[a, b, c], [d, e, d], [c, b, a]])
    others = [
        np.array([[a, b, c], [b, e, d], [c, d, a + 1]]),  # its own transpose
        np.array([[a, b, a], [c, e, c], [d, b, d]]),  # mirrored left to right
        np.array([[a, c, d], [b, e, b], [a, c, d]]),  # mirrored top to bottom
    ]
    return turns, others


def turned(rng: Random) -> Problem:
    """For which kernel cross-correlation is convolution."""
    same, others = _kernels(rng)
    x = np.random.RandomState(3).randint(0, 50, (1, 1, 6, 6))

    def is_same(kernel: Array) -> bool:
        both = (conv(x, k[None, None]) for k in (kernel, kernel[::-1, ::-1]))
        first, second = both
        return bool((first == second).all())

    whys = (
        "It is its own transpose: the flip is on both axes.",
        "It is mirrored left to right only: the flip is on both axes.",
        "It is mirrored top to bottom only: the flip is on both axes.",
    )
    wrong = [(_rows(k), why) for k, why in zip(others, whys, strict=True) if not is_same(k)]
    if not is_same(same) or len({_rows(same), *(told for told, _ in wrong)}) < 4:
        return Problem("", (0,), "", ())  # drawn again
    return choose(
        rng,
        "For which of these kernels do cross-correlation and convolution give the same?",
        _rows(same),
        wrong,
        f"Turned round on both axes, {_rows(same)} is itself.",
    )


def _rows(kernel: Array) -> str:
    rows = (" ".join(str(n).replace("-", "−") for n in row) for row in kernel.tolist())
    return "[" + " / ".join(rows) + "]"


def depends(rng: Random) -> Problem:
    """Whether the split of 'same' depends on the size."""
    kernel, stride = rng.choice((2, 3, 4, 5, 7)), rng.choice((1, 1, 2, 3))
    first, second = rng.sample(range(8, 40), 2)
    pads = [explicit_padding("same", (n,), (kernel,), (stride,), (1,))[0] for n in (first, second)]
    told = [f"{lo} and {hi}" for lo, hi in pads]
    is_same = pads[0] == pads[1]
    half = kernel // 2
    right = (
        f"no: {told[0]} on both" if is_same else f"yes: {told[0]} on {first}, {told[1]} on {second}"
    )
    swapped = [f"{hi} and {lo}" for lo, hi in pads]
    others = [
        (f"no: {half} and {half} on both", "Half the kernel is not always right."),
        (f"no: {told[0]} on both", "With this stride what is needed depends on what is left over."),
        (f"no: {told[1]} on both", "With this stride what is needed depends on what is left over."),
        (f"no: {swapped[0]} on both", "The odd one stands at the end."),
        (
            f"yes: {told[0]} on {first}, {half + 1} and {half + 1} on {second}",
            "'same' pads as little as keeps the size.",
        ),
        (
            f"yes: {told[1]} on {first}, {told[0]} on {second}",
            "It is the other way round.",
        ),
    ]
    wrong = [(each, why) for each, why in others if each != right][:3]
    outs = [-(-n // stride) for n in (first, second)]
    needs = [(out - 1) * stride + kernel for out in outs]
    return choose(
        rng,
        f"Kernel {kernel}, stride {stride}, padding 'same': does the padding before and after "
        f"depend on whether the input is {first} or {second} wide?",
        right,
        wrong,
        "; ".join(
            f"{n}: {out} outputs span {need}, {max(0, need - n)} to pad: {pad}"
            for n, out, need, pad in zip((first, second), outs, needs, told, strict=True)
        )
        + ".",
    )


MEASURED: Final = (
    Family("follows", "Equivariant, invariant or neither", follows, is_idea=True),
    Family("breaks", "What breaks equivariance", breaks, is_idea=True),
    Family("turned", "Kernels that may be flipped", turned, is_idea=True),
    Family("depends", "'same' with a stride", depends, is_idea=True),
)
