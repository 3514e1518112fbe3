"""Questions about how far layers see."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from operator import mul
from random import Random
from typing import Final, NamedTuple

from faltung.analysis.locality import locality
from faltung.analysis.loose_fields import exact_field, loose_field
from faltung.analysis.receptive_field import receptive_fields
from faltung.analysis.scale import reach
from faltung.explorer.quiz.problem import Family, Problem, misses, times
from faltung.geometry import AxisWindow, Interval
from faltung.graph import Graph
from faltung.graph.layers import Chain, Conv, MaxPool, sketch


class Layer(NamedTuple):
    """A layer of a stack, along one axis."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    is_pool: bool = False

    @property
    def told(self) -> str:
        """As a question says it."""
        name = "pooling" if self.is_pool else "convolution"
        stride = f" stride {self.stride}" if self.stride > 1 else ""
        dilation = f" dilation {self.dilation}" if self.dilation > 1 else ""
        return f"{name} {self.kernel}{stride}{dilation}"

    @property
    def code(self) -> str:
        """The call that makes it."""
        if self.is_pool:
            return f"L.MaxPool({self.kernel}, {self.stride})"
        stride = f", stride={self.stride}" if self.stride > 1 else ""
        dilation = f", dilation={self.dilation}" if self.dilation > 1 else ""
        return f"L.Conv(1, {self.kernel}{stride}{dilation})"


def _stack(rng: Random, least: int = 2, most: int = 4) -> list[Layer]:
    found = []
    for _ in range(rng.randint(least, most)):
        if rng.random() < 0.3:
            pool = rng.choice((2, 3))
            found.append(Layer(pool, 2, is_pool=True))
        else:
            stride, dilation = rng.choice(((1, 1), (1, 1), (1, 2), (2, 1), (3, 1)))
            found.append(Layer(rng.choice((2, 3, 3, 5, 7)), stride, dilation))
    return found


def graph_of(layers: list[Layer], size: int) -> Graph:
    """Return a stack as a network of one channel on a line."""
    made = [
        MaxPool(layer.kernel, layer.stride)
        if layer.is_pool
        else Conv(1, layer.kernel, stride=layer.stride, dilation=layer.dilation)
        for layer in layers
    ]
    return sketch(Chain(*made), (1, size))


def _told(layers: list[Layer]) -> str:
    return ", then ".join(layer.told for layer in layers)


def _code(layers: list[Layer], size: int) -> str:
    calls = ", ".join(layer.code for layer in layers)
    return f"[*faltung.receptive_fields(L.sketch(L.Chain({calls}), (1, {size}))).values()][-1][0]"


def field(rng: Random) -> Problem:
    """What one output of a stack sees."""
    layers = _stack(rng)
    steps = [1, *accumulate((layer.stride for layer in layers), mul)]
    adds = [
        (layer.kernel - 1) * layer.dilation * step
        for layer, step in zip(layers, steps[:-1], strict=True)
    ]
    graph = graph_of(layers, 400)
    answer = exact_field(graph)
    sums = " + ".join(
        times([n for n in (a.kernel - 1, a.dilation, step) if n != 1] or [1])
        for a, step in zip(layers, steps[:-1], strict=True)
    )
    plain = 1 + sum((layer.kernel - 1) * layer.dilation for layer in layers)
    undilated = 1 + sum((a.kernel - 1) * step for a, step in zip(layers, steps[:-1], strict=True))
    return Problem(
        f"{_told(layers).capitalize()}: how many input positions does one output see?",
        (answer,),
        f"Each layer adds (kernel − 1) times dilation times the strides before it: 1 + {sums} = "
        f"{answer}.",
        misses(
            answer,
            (loose_field(graph), "Not the layer's own stride: the strides before it."),
            (plain, "Strides spread all layers that come after them."),
            (undilated, "Dilation spreads the taps."),
            (sum(layer.kernel for layer in layers), "Windows overlap: each adds its kernel − 1."),
            (answer - 1, "An output without layers sees one position."),
            (prod(layer.kernel for layer in layers), "Kernels add up, they do not multiply."),
            (layers[-1].kernel, "That is what it sees of the layer below it only."),
            (1 + sum(adds[:-1]), "The last layer adds too."),
        ),
        code=f"{_code(layers, 400)}.size",
    )


def jump(rng: Random) -> Problem:
    """How far fields of neighbours lie apart."""
    layers = _stack(rng)
    *_, (found,) = receptive_fields(graph_of(layers, 400)).values()
    strides, answer = [layer.stride for layer in layers], int(found.jump)
    return Problem(
        f"{_told(layers).capitalize()}: two outputs beside each other see fields of the input. How "
        "many positions lie from the start of one to the start of the other?",
        (answer,),
        f"The strides multiply: {times(strides)} = {answer}.",
        misses(
            answer,
            (sum(strides), "Strides multiply."),
            (strides[-1], "The strides of all layers count."),
            (strides[0], "The strides of all layers count."),
            (1, "That would be so without strides."),
            (exact_field(graph_of(layers, 400)), "That is the size of the field."),
            (prod(strides[:-1]), "The last layer's stride counts too."),
            (sum(s - 1 for s in strides), "Strides multiply."),
        ),
        code=f"int({_code(layers, 400)}.jump)",
    )


def halo(rng: Random) -> Problem:
    """What a tile needs around it."""
    layers = [
        Layer(rng.choice((2, 3, 4, 5)), dilation=rng.choice((1, 1, 2)))
        for _ in range(rng.randint(1, 4))
    ]
    made = [Conv(1, a.kernel, dilation=a.dilation, padding="same") for a in layers]
    (axis,) = locality(sketch(Chain(*made), (1, 64))).axes
    lo, hi = axis.halo_lo, axis.halo_hi
    adds = [(a.kernel - 1) * a.dilation for a in layers]
    told = ", then ".join(
        f"kernel {a.kernel}{f' dilation {a.dilation}' if a.dilation > 1 else ''}" for a in layers
    )
    return Problem(
        f"Convolutions in a row, all 'same' and of stride 1: {told}. How many input positions does "
        "a tile need before it and after it, so that it comes out as in the whole image (two "
        "numbers)?",
        (lo, hi),
        f"Before: {' + '.join(str(n // 2) for n in adds)} = {lo}; after: "
        f"{' + '.join(str(n - n // 2) for n in adds)} = {hi}.",
        misses(
            (lo, hi),
            ((hi, lo), "'same' puts the odd one at the end."),
            ((lo + hi, lo + hi), "That is what is needed on both sides together."),
            ((lo + hi + 1, lo + hi + 1), "That is the field's size."),
            ((sum(adds) // 2,) * 2, "Odd paddings do not split evenly."),
            ((adds[0] // 2, adds[0] - adds[0] // 2), "Every layer needs its own; they add up."),
            ((sum(a.kernel // 2 for a in layers),) * 2, "Half of each kernel is not always right."),
        ),
        code="[(a.halo_lo, a.halo_hi) for a in faltung.analysis.locality.locality(L.sketch(L.Chain("
        f"{', '.join(_same(a) for a in layers)}), (1, 64))).axes][0]",
    )


def _same(layer: Layer) -> str:
    return f"L.Conv(1, {layer.kernel}, dilation={layer.dilation}, padding='same')"


def depth(rng: Random) -> Problem:
    """How many layers it takes to see far."""
    pixels, kernel = rng.randint(10, 300), rng.choice((3, 3, 5, 7))
    doubling = rng.random() < 0.4
    found = reach(pixels, kernel)
    assert found is not None
    answer, other = (
        (found.plain, found.doubling)[::-1] if doubling else (found.plain, found.doubling)
    )
    step = kernel - 1
    if doubling:
        how = "dilations 1, 2, 4 and so on"
        working = f"n layers see 1 + (2ⁿ − 1)·{step}: for n = {answer} {found.doubling_sees}"
        before = 1 + (2 ** (answer - 1) - 1) * step
    else:
        how = "no stride and no dilation"
        working = f"n layers see 1 + n·{step}: for n = {answer} {found.plain_sees}"
        before = 1 + (answer - 1) * step
    return Problem(
        f"Convolutions {kernel}×{kernel} in a row, {how}: how many does it take until one output "
        f"sees at least {pixels} positions across?",
        (answer,),
        f"{working}, for n = {answer - 1} only {before}.",
        misses(
            answer,
            (other, f"That is with{'out' if doubling else ''} doubling dilation."),
            (answer - 1, f"So many see {before} only."),
            (-(-pixels // kernel), f"Windows overlap: each adds {step}."),
            (answer + 1, "One fewer does."),
            (pixels // step, "The first position is seen without any layer."),
        ),
        code=f"faltung.cost((1, {pixels}, {pixels}), kernel={kernel}).reach."
        f"{'doubling' if doubling else 'plain'}",
    )


def span(rng: Random) -> Problem:
    """What several outputs need together."""
    kernel, stride, outputs = rng.randint(2, 9), rng.randint(1, 5), rng.randint(2, 40)
    axis = AxisWindow(999, kernel, stride)
    needed = axis.input_span(Interval(0, outputs))
    answer = needed.hi - needed.lo
    return Problem(
        f"A convolution with kernel {kernel} and stride {stride}: from how many input positions "
        f"are {outputs} outputs in a row computed?",
        (answer,),
        f"{outputs - 1} steps of {stride}, and the kernel: {outputs - 1}·{stride} + {kernel} = "
        f"{answer}.",
        misses(
            answer,
            (outputs * kernel, "The windows overlap, or leave gaps."),
            (outputs * stride + kernel, "From the first output to the last it is one step fewer."),
            (outputs + kernel - 1, "The stride is missing."),
            (outputs * stride, "The last window is wider than a step, or narrower."),
            ((outputs - 1) * stride, "The last window has to be added."),
        ),
        code=f"geometry.AxisWindow(999, {kernel}, {stride}).input_span("
        f"geometry.Interval(0, {outputs})).hi",
    )


SEES: Final = (
    Family("field", "Receptive field", field),
    Family("jump", "Jump", jump),
    Family("halo", "Halo of a tile", halo),
    Family("depth", "Layers to see far", depth),
    Family("span", "Input of several outputs", span),
)
