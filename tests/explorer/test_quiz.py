"""Answers to the questions of Check, counted a second time: from the question's text alone.

Nothing of the toolkit but its definitions, ``faltung.reference``, is used: positions, pairs and
windows are enumerated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from faltung import reference
from faltung.explorer.quiz import FAMILIES, Problem, draw

SEEDS = 1000


def numbers(text: str) -> list[int]:
    """Every whole number of a text, in order."""
    plain = text.replace("−", "-")
    return [int(n.replace(",", "")) for n in re.findall(r"(?<!\w)-?\d+(?:,\d{3})*", plain)]


def after(text: str, word: str, missing: int) -> int:
    """The number that follows a word."""
    found = re.search(rf"{word} (\d+)", text)
    return int(found[1]) if found else missing


def dense(text: str) -> int:
    height, width, channels, outputs = numbers(text)[:4]
    inputs = sum(1 for _ in product(range(height), range(width), range(channels)))
    return outputs * inputs + outputs * ("with biases" in text)


def conv(text: str) -> int:
    kernel, _, before, out = numbers(text)[:4]
    shape = (out, before // after(text, "in", 1), kernel, kernel)
    return int(np.ones(shape).sum()) + out * ("with biases" in text)


def same_pads(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """The least padding that gives as many outputs as strides begin; the odd one at the end."""
    extent = dilation * (kernel - 1) + 1
    wanted = len(range(0, size, stride))
    total = 0
    while len(range(0, size + total - extent + 1, stride)) < wanted:
        total += 1
    return total // 2, total - total // 2


def met(height: int, width: int, kernel: int, pads: Any) -> int:
    """Pairs of an output and an input pixel: a kernel of ones over ones."""
    x, w = np.ones((1, 1, height, width)), np.ones((1, 1, kernel, kernel))
    return int(reference.conv_loops(x, w, pads=pads).sum())


def connections(text: str) -> int:
    kernel, _, _, height, width = numbers(text)[:5]
    if "padding count?" in text:
        return height * width * kernel**2
    return met(height, width, kernel, [same_pads(n, kernel) for n in (height, width)])


def macs(text: str) -> int:
    kernel, _, before, out, stride, side, _ = numbers(text)[:7]
    places = len(range(0, side, stride)) ** 2
    return places * out * before * kernel * kernel


@cache
def square_counts(size: tuple[int, ...], lo: int, hi: int) -> dict[str, int]:
    """Weights of each corner, from all pairs of positions."""
    places = list(product(*map(range, size)))
    pairs = list(product(places, places))
    offset = {(i, j): tuple(b - a for a, b in zip(i, j, strict=True)) for i, j in pairs}
    near = [p for p in pairs if all(lo <= n <= hi for n in offset[p])]
    return {
        "dense": len(pairs),
        "shared": len(set(offset.values())),
        "local": len(near),
        "convolution": len({offset[p] for p in near}),
    }


def corners(text: str) -> int:
    named = re.search(r"from ([\d×]+) pixels", text)[1]  # type: ignore[index]
    size = tuple(int(n) for n in named.split("×"))
    shared, near = "the same weights" in text, "near pixels only" in text
    lo, hi = numbers(text)[-2:] if near else (0, 0)
    name = {(True, False): "shared", (False, True): "local", (True, True): "convolution"}
    return square_counts(size, lo, hi)[name[shared, near]]


def examples(text: str) -> int:
    inputs, hidden, classes, each = numbers(text)[:4]
    return each * (inputs * hidden + hidden + hidden * classes + classes)


def axis_of(text: str) -> tuple[int, int, int, int, int]:
    size = int(re.search(r"(\d+) wide", text)[1])  # type: ignore[index]
    kernel, stride = after(text, "kernel", 0), after(text, "stride", 1)
    return size, kernel, stride, after(text, "dilation", 1), after(text, "padding", 0)


def windows(text: str) -> list[int]:
    """Where the windows begin, in the padded input."""
    size, kernel, stride, dilation, pad = axis_of(text)
    return list(range(0, size + 2 * pad - dilation * (kernel - 1), stride))


def out_size(text: str) -> int:
    return len(windows(text))


def ceil_size(text: str) -> int:
    size, kernel, stride, _, pad = axis_of(text)
    count, end = 0, 0
    while end < size + 2 * pad and count * stride - pad < size:
        end, count = count * stride + kernel, count + 1
    return count


def dropped(text: str) -> int:
    size, kernel, _, dilation, pad = axis_of(text)
    return size + 2 * pad - (windows(text)[-1] + dilation * (kernel - 1) + 1)


def same_split(text: str) -> tuple[int, int]:
    size, kernel, stride, dilation, _ = axis_of(text)
    lo, hi = same_pads(size, kernel, stride, dilation)
    return (hi, lo) if "'same_lower'" in text else (lo, hi)


def transposed_size(text: str) -> int:
    pad, extra = re.search(r"padding (\d+) at each side, output padding (\d+)", text).groups()  # type: ignore[union-attr]
    size, kernel, stride = axis_of(text)[:3]
    made = reference.conv_transpose(
        np.ones((1, 1, size)),
        np.ones((1, 1, kernel)),
        stride=(stride,),
        pads=((int(pad), int(pad)),),
        output_padding=(int(extra),),
    )
    return int(made.shape[-1])


def extent(text: str) -> int:
    taps, dilation = numbers(text)[:2]
    places = [dilation * t for t in range(taps)]
    return max(places) - min(places) + 1


def stack(text: str) -> list[tuple[int, int, int]]:
    """Kernel, stride and dilation of each layer that a text names."""
    parts = re.findall(r"(?:onvolution|ooling|kernel) (\d+)((?: (?:stride|dilation) \d+)*)", text)
    return [(int(k), after(rest, "stride", 1), after(rest, "dilation", 1)) for k, rest in parts]


def seen(layers: Sequence[tuple[int, int, int]], output: int) -> set[int]:
    """Every input position that an output uses."""
    places = {output}
    for kernel, stride, dilation in reversed(layers):
        places = {p * stride + t * dilation for p in places for t in range(kernel)}
    return places


def field(text: str) -> int:
    found = seen(stack(text), 0)
    return max(found) - min(found) + 1


def jump(text: str) -> int:
    return min(seen(stack(text), 1)) - min(seen(stack(text), 0))


def halo(text: str) -> tuple[int, int]:
    layers = stack(text.partition(":")[2])
    lows = sum(same_pads(99, kernel, 1, dilation)[0] for kernel, _, dilation in layers)
    found = seen(layers, 0)
    return lows, max(found) - min(found) - lows


def depth(text: str) -> int:
    kernel, pixels = numbers(text)[0], numbers(text)[-1]
    sees, layers, dilation = 1, 0, 1
    while sees < pixels:
        sees, layers = sees + (kernel - 1) * dilation, layers + 1
        dilation *= 2 if "dilations" in text else 1
    return layers


def span(text: str) -> int:
    kernel, stride, outputs = numbers(text)
    used = [o * stride + t for o in range(outputs) for t in range(kernel)]
    return max(used) - min(used) + 1


def value(problem: Problem) -> int:
    (_, image), (_, kernel) = problem.grids
    row, column = numbers(problem.text)[:2]
    x, w = np.array(image), np.array(kernel)
    flipped = "flip included" in problem.text
    made = (reference.convolve if flipped else reference.correlate)(x, w, mode="valid")
    return int(made[row, column])


def on_a_line(problem: Problem) -> int:
    ((_, (f,)), (_, (g,))) = problem.grids
    return int(reference.convolve(np.array(f), np.array(g))[numbers(problem.text)[0]])


def matrix_settings(text: str) -> tuple[int, int, int, int, Any]:
    kernel, _, height, width = numbers(text)[:4]
    stride = after(text, "stride", 1)
    is_same = "'same'" in text
    pads = [same_pads(n, kernel, stride) if is_same else (0, 0) for n in (height, width)]
    return kernel, height, width, stride, pads


def matrix(text: str) -> tuple[int, int]:
    kernel, height, width, stride, pads = matrix_settings(text)
    x, w = np.ones((1, 1, height, width)), np.ones((1, 1, kernel, kernel))
    return reference.conv(x, w, stride=(stride, stride), pads=pads).size, x.size


def nonzeros(text: str) -> int:
    kernel, height, width, _, pads = matrix_settings(text)
    return met(height, width, kernel, pads)


def composed(text: str) -> int:
    kernel = np.ones(1)
    for size in re.findall(r"(\d+)×\d+", text):
        kernel = reference.convolve(kernel, np.ones(int(size)))
    return len(kernel)


# Ideas: which choice is right -------------------------------------------------------------------


def kind_of(layer: str, shift: int) -> str:
    """What a layer makes of a shift all round, by reasoning."""
    if "global" in layer:
        return "invariant"
    if "stride" in layer:
        stride = int(re.search(r"stride (\d+)", layer)[1])  # type: ignore[index]
        return "neither" if shift % stride else "equivariant"
    if any(word in layer for word in ("dense", "holds each position", "locally", "zeros")):
        return "neither"
    return "equivariant"


def follows(problem: Problem) -> str:
    layer = problem.text.partition("Under this shift, ")[2].removesuffix(" is …")
    kind = kind_of(layer, numbers(problem.text)[1])
    return next(choice for choice in problem.choices if choice.startswith(kind))


def breaks(problem: Problem) -> str:
    shift = numbers(problem.text)[1]
    (right,) = (c for c in problem.choices if kind_of(c, shift) == "neither")
    return right


def turned(problem: Problem) -> str:
    (right,) = (c for c in problem.choices if numbers(c) == numbers(c)[::-1])
    return right


def depends(problem: Problem) -> str:
    kernel, stride, first, second = numbers(problem.text)
    one, two = (
        f"{lo} and {hi}" for lo, hi in (same_pads(n, kernel, stride) for n in (first, second))
    )
    return f"no: {one} on both" if one == two else f"yes: {one} on {first}, {two} on {second}"


def which(problem: Problem) -> str:
    height, width, count, lo, hi = numbers(problem.text)
    counts = square_counts((height, width), lo, hi)
    (name,) = (name for name, weights in counts.items() if weights == count)
    return next(choice for choice in problem.choices if choice.startswith(name))


KNOWN = {
    "this sharing exploit": "does not depend on where it is",
    "near inputs only": "lies close together",
    "Max pooling keeps": "a small shift",
    "A depthwise convolution": "in each channel by itself",
    "its own weights at each place": "does not depend on where it is",
    "near and far alike": "lies close together",
    "the left half counts double": "the same at every place",
    "compare two pixels far apart": "more layers, or dilation",
    "What makes it invariant": "global pooling",
    "nothing between them": "they are one convolution",
    "without the flip": "it learns the flipped kernel",
    "one fixed random order": "dense layers",
}
ANYWHERE = ("cat may sit anywhere", "begin at any time", "stamp is to be found", "may be anywhere")


def known(problem: Problem) -> str:
    (said,) = (right for phrase, right in KNOWN.items() if phrase in problem.text)
    (right,) = (choice for choice in problem.choices if said in choice)
    return right


def misfit(problem: Problem) -> str:
    fits = [c for c in problem.choices if any(a in c for a in ANYWHERE)]
    wanted = fits if "best" in problem.text else [c for c in problem.choices if c not in fits]
    (right,) = wanted
    return right


TEXTS: dict[str, Callable[[str], Any]] = {
    "dense": dense,
    "conv": conv,
    "connections": connections,
    "macs": macs,
    "corners": corners,
    "examples": examples,
    "size": out_size,
    "ceil": ceil_size,
    "dropped": dropped,
    "same": same_split,
    "transposed": transposed_size,
    "extent": extent,
    "field": field,
    "jump": jump,
    "halo": halo,
    "depth": depth,
    "span": span,
    "matrix": matrix,
    "nonzeros": nonzeros,
    "composed": composed,
}
PROBLEMS: dict[str, Callable[[Problem], Any]] = {
    "value": value,
    "flip": on_a_line,
    "follows": follows,
    "breaks": breaks,
    "turned": turned,
    "depends": depends,
    "exploits": known,
    "given-up": known,
    "misfit": misfit,
    "which": which,
}


def answer_to(family: str, problem: Problem) -> tuple[int, ...]:
    """Return the answer to a question."""
    found = TEXTS[family](problem.text) if family in TEXTS else PROBLEMS[family](problem)
    if isinstance(found, str):
        return (problem.choices.index(found),)
    return tuple(found) if isinstance(found, tuple) else (found,)


def test_there_are_enough_families() -> None:
    """At least 14, numbers and ideas; each has a second way to its answers."""
    assert len(FAMILIES) >= 14
    assert {family.is_idea for family in FAMILIES.values()} == {True, False}
    assert set(FAMILIES) == {*TEXTS, *PROBLEMS}


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_agree_with_the_definitions(family: str) -> None:
    """A thousand seeds: counted again from the text alone; near misses are no answers."""
    for seed in range(SEEDS):
        problem = draw(family, seed)
        assert problem.answer == answer_to(family, problem), (seed, problem)
        wrong = [near.answer for near in problem.near]
        assert len(wrong) >= 2
        assert problem.answer not in wrong
        assert len({*wrong}) == len(wrong)
        assert len({*problem.choices}) == len(problem.choices)
