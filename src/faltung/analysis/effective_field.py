"""The effective receptive field: how much each position of the input really matters to an output.

Of the exact field, most counts for little: contributions are summed over paths, of which many lead
through the middle. What counts is measured by gradients. They give no exact field: behind a ReLU
that is off, or a maximum that lost, there is none, though another image would reach through; the
exact interval stands beside it. Source: Luo, Li, Urtasun, Zemel, *Understanding the effective
receptive field in deep convolutional neural networks* (2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.analysis.drawn import drawn_input, has_weights, with_drawn_weights
from faltung.analysis.local_part import closed, local_part
from faltung.analysis.locality import AXES
from faltung.analysis.receptive_field import Walk
from faltung.errors import GraphError, message
from faltung.geometry import Interval
from faltung.graph import Graph
from faltung.graph.evaluate import evaluate
from faltung.graph.gradients import gradients
from faltung.graph.part import part
from faltung.ops.operator import Array, Everything, Spans
from faltung.report import AbstractReport, Table

HELD: Final = 0.95
"""The share of the energy whose area is told."""
DRAWS: Final = 8
"""Into so many draws of the weights the samples are divided, where there are none."""
_BATCH: Final = 4


@dataclass(frozen=True, eq=False)
class EffectiveField(AbstractReport):
    """How strongly one output depends on each position of the input.

    Parameters
    ----------
    value
        The map whose output it is.
    at
        Where in that map: its middle.
    input_space
        Positions along each axis of the input.
    theoretical
        Per axis, the exact interval that the output sees, not clipped to the input.
    energy : array (*space)
        The squared gradient, summed over channels of the input, the mean over samples.
    samples
        How many images.
    silent
        How many of these had no gradient at all.
    drawn
        Whether weights were drawn at random, as the graph has none.
    given
        Whether the images were given.
    """

    value: str
    at: tuple[int, ...]
    input_space: tuple[int, ...]
    theoretical: tuple[Interval, ...]
    energy: NDArray[np.float64]
    samples: int
    silent: int
    drawn: bool
    given: bool

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """The root of the mean squared gradient at each position."""
        weights: NDArray[np.float64] = np.sqrt(self.energy)
        return weights

    @cached_property
    def inside(self) -> tuple[slice, ...]:
        """The part of the input that the theoretical interval covers."""
        return tuple(
            slice(max(i.lo, 0), max(min(i.hi, n), 0))
            for i, n in zip(self.theoretical, self.input_space, strict=True)
        )

    @property
    def area(self) -> int:
        """How many positions of the input the theoretical field covers."""
        return prod(max(part.stop - part.start, 0) for part in self.inside)

    @cached_property
    def share_of_area(self) -> float:
        """The least share of the theoretical area that holds 95 % of the energy."""
        ordered = np.sort(self.energy, axis=None)[::-1]
        total = ordered.sum()
        if not total or not self.area:
            return float("nan")
        held = np.cumsum(ordered)
        return int(np.searchsorted(held, HELD * held[-1]) + 1) / self.area

    @cached_property
    def std(self) -> tuple[float, ...]:
        """Per axis, the standard deviation of the energy, in positions."""
        return tuple(_std(self.profile(axis)) for axis in range(self.energy.ndim))

    @property
    def untouched(self) -> int:
        """How many positions of the theoretical area no sample had a gradient at."""
        return int((self.energy[self.inside] == 0).sum())

    def profile(self, axis: int) -> NDArray[np.float64]:
        """Return the share of the energy at each position along an axis.

        Parameters
        ----------
        axis
            Of space, from 0.
        """
        others = tuple(i for i in range(self.energy.ndim) if i != axis)
        sums: NDArray[np.float64] = self.energy.sum(axis=others)
        total = sums.sum()
        return sums / total if total else sums

    def blocks(self) -> list[Table | str]:
        """Return the figures by axis, and how they were had."""
        rows = []
        for axis, (interval, size) in enumerate(
            zip(self.theoretical, self.input_space, strict=True)
        ):
            seen = interval.hi - interval.lo
            std = self.std[axis]
            uniform = uniform_std(seen)
            rows.append(
                (
                    AXES[len(self.input_space)][axis],
                    f"{size:,}",
                    f"{interval.lo} to {interval.hi - 1}",
                    f"{seen:,}",
                    f"{std:.2f}",
                    f"{uniform:.2f}",
                )
            )
        header = ("axis", "input", "sees", "positions", "std", "std if all counted alike")
        share = f"{100 * self.share_of_area:.1f} %"
        images = "images that were given" if self.given else "images at random"
        weights = f", He-normal weights in {min(DRAWS, self.samples)} draws" if self.drawn else ""
        return [
            Table(header, rows, title=f"Output {self._place()} of {self.value}"),
            f"{100 * HELD:.0f} % of the energy lies in {share} of the {self.area:,} positions "
            "of the input that the exact field covers.",
            f"Energy: the squared gradient, its mean over {self.samples} {images}{weights}. "
            f"{self.silent} of them gave none, and {self.untouched:,} positions of the exact field "
            "got none: a ReLU that is off or a maximum that lost lets no gradient through, though "
            "it sees the position. The exact field comes from integers.",
        ]

    def _place(self) -> str:
        return "(" + ", ".join(map(str, self.at)) + ")"

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON; a share that is not defined is None."""
        share = self.share_of_area
        return {
            "value": self.value,
            "at": list(self.at),
            "input_space": list(self.input_space),
            "theoretical": [list(interval) for interval in self.theoretical],
            "area": self.area,
            "share_of_area": None if np.isnan(share) else share,
            "std": list(self.std),
            "weights": self.weights.tolist(),
            "samples": self.samples,
            "silent": self.silent,
            "untouched": self.untouched,
            "drawn_weights": self.drawn,
            "given_images": self.given,
        }


def uniform_std(count: int) -> float:
    """Return the standard deviation of so many neighbouring positions that count alike.

    >>> round(uniform_std(5), 3)
    1.414
    """
    return float(np.sqrt((count * count - 1) / 12))


def _std(shares: NDArray[np.float64]) -> float:
    places = np.arange(shares.size)
    mean = float(shares @ places)
    return float(max(float(shares @ (places - mean) ** 2), 0.0) ** 0.5)


def effective_field(
    graph: Graph,
    value: str | None = None,
    input_shape: Sequence[int] | None = None,
    *,
    images: ArrayLike | None = None,
    seed: int = 0,
    samples: int = 32,
) -> EffectiveField:
    """Measure how much each position of the input matters to the middle output of a map.

    The gradient of all its channels, with random signs, is taken with respect to the first input:
    the mean of its square is that of the squared gradients of the channels, summed.

    Parameters
    ----------
    graph
        Any graph; weights that are zeros throughout (a sketch's) are drawn, He-normal.
    value
        The map; by default the last one before an operator that sees a whole axis.
    input_shape
        ``(N, C, *space)`` of the first input if not the declared one.
    images : array_like (N, C, *space), optional
        What to take gradients at, in place of ``samples`` images at random; of one input.
    seed
        Of the images, the signs, and drawn weights.
    samples
        How many images, 1 or more.

    Returns
    -------
    EffectiveField

    Raises
    ------
    GraphError
        There is no such value, it does not depend on the first input, or effective_field V1:
        no samples.

    Examples
    --------
    >>> from faltung.graph.layers import Chain, Conv, build
    >>> net = build(Chain(*[Conv(1, 3) for _ in range(4)]), (1, 15))
    >>> found = effective_field(net)
    >>> found.theoretical, found.weights.shape, int((found.weights > 0).sum())
    ((Interval(lo=3, hi=12),), (15,), 9)
    """
    given = None if images is None else np.asarray(images)
    if given is not None:
        input_shape = given.shape
    if samples < 1 or (given is not None and not len(given)):
        values = {"samples": samples if given is None else 0}
        rule = "there must be an image at least"
        raise GraphError(message("effective_field", rule, values, "", "effective_field V1"))
    if value is None:
        value = local_part(graph, input_shape).graph.outputs[-1]
    cut = part(closed(graph, input_shape), [value])
    return _measured(cut, value, graph.inputs[0].name, given, seed, samples)


def _measured(
    graph: Graph, value: str, source: str, given: Array | None, seed: int, samples: int
) -> EffectiveField:
    shapes = graph.shapes()
    at = tuple(n // 2 for n in shapes[value][2:] if isinstance(n, int))
    theoretical = _theoretical(graph, value, source, at)
    space = tuple(n for n in shapes[source][2:] if isinstance(n, int))
    count = samples if given is None else len(given)
    drawn = not has_weights(graph)
    runs = _Runs(graph, source, at, given, seed)
    energy, silent = np.zeros(space), 0
    parts = np.array_split(np.arange(count), min(DRAWS, count) if drawn else 1)
    for draw, part_of in enumerate(parts):
        run = with_drawn_weights(graph, seed + draw) if drawn else graph
        for start in range(0, len(part_of), _BATCH):
            each = runs.energies(run, part_of[start : start + _BATCH])
            energy += each.sum(axis=0)
            silent += int((each.reshape(len(each), -1).max(axis=1, initial=0) == 0).sum())
    return EffectiveField(
        *(value, at, space, theoretical, energy / count, count, silent, drawn, given is not None)
    )


def _theoretical(
    graph: Graph, value: str, source: str, at: tuple[int, ...]
) -> tuple[Interval, ...]:
    """Return the exact interval along each axis of the input."""
    walk = Walk(graph, graph.shapes())
    shape = walk.shapes[value]
    channels = [Interval(0, n if isinstance(n, int) else 1) for n in shape[1:2]]
    box: Spans = (Interval(0, 1), *channels, *(Interval(o, o + 1) for o in at))
    seen = walk.spans(value, box).get(source)
    if seen is None:
        rule = "the value must depend on the first input"
        raise GraphError(message("effective_field", rule, {"value": value, "input": source}))
    sizes = [n if isinstance(n, int) else 1 for n in walk.shapes[source]]
    whole = [
        Interval(0, n) if isinstance(s, Everything) else s for s, n in zip(seen, sizes, strict=True)
    ]
    return tuple(whole[2:])


@dataclass
class _Runs:
    """Gradients of one output with respect to an input, batch after batch."""

    graph: Graph
    source: str
    at: tuple[int, ...]
    given: Array | None
    seed: int

    def energies(self, graph: Graph, numbers: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the squared gradients of some samples, summed over the input's channels."""
        feeds = self._feeds(numbers)
        batched = graph.with_input_shape({name: x.shape for name, x in feeds.items()})
        done = evaluate(batched, feeds, record=True)
        (name,) = graph.outputs
        dout = np.zeros_like(done.values[name])
        for place, number in enumerate(numbers):
            rng = np.random.default_rng([self.seed, int(number)])
            at: Any = (place, slice(None), *self.at)
            dout[at] = rng.choice([-1.0, 1.0], dout.shape[1])
        found = gradients(batched, done, {name: dout}, wanted=[self.source])
        zero = np.zeros_like(feeds[self.source])
        dx = found.get(self.source, zero).astype(np.float64)
        energies: NDArray[np.float64] = (dx * dx).sum(axis=1)
        return energies

    def _feeds(self, numbers: NDArray[np.intp]) -> dict[str, Array]:
        feeds = {}
        for place, value in enumerate(self.graph.inputs):
            shape = tuple(n for n in value.shape if isinstance(n, int))
            if self.given is not None and value.name == self.source:
                feeds[value.name] = self.given[numbers].astype(value.dtype)
            else:
                draws = [
                    drawn_input(self.graph, value, shape, self.seed + 1000 * place + int(number))
                    for number in numbers
                ]
                feeds[value.name] = np.concatenate(draws)
        return feeds
