"""Steps made ready: for each shape of batches a plan of it, or the interpreter where there is none.

What is made ready is kept beside the training state that it works on, and goes with it. An epoch
has batches of two sizes, so a few are kept; all use the memory of the largest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from faltung.graph.evaluate import Evaluation, evaluate
from faltung.graph.gradients import gradients
from faltung.graph.graph import Graph
from faltung.kernels.choose import compiled_for
from faltung.kernels.memory import line
from faltung.kernels.settings import settings, token
from faltung.ops.operator import Key
from faltung.plan.flat import DType, Flat, pieces_of
from faltung.training.optimisers import AbstractOptimiser
from faltung.training.state import Array, Moments, TrainState

if TYPE_CHECKING:
    from faltung.plan.training import TrainingPlan

KEPT: Final = 4
"""How many shapes of batches are kept for a training state."""


class Step(Protocol):
    """What takes steps on a training state, for batches of one shape."""

    def forward(self, feeds: Mapping[str, Array], key: Key) -> Array:
        """Return what the network puts out."""

    def backward(self, dout: Array) -> Mapping[str, Array]:
        """Return the gradients of the parameters."""

    def is_finite(self) -> bool:
        """Whether all of these are finite."""

    def finish(self, run: TrainState, optimiser: AbstractOptimiser, lr: float) -> None:
        """Change parameters, moments and state."""


def step_of(graph: Graph, run: TrainState, feeds: Mapping[str, Array]) -> Step:
    """Return what takes a step.

    Parameters
    ----------
    graph
        One output.
    run
        The numbers that are trained.
    feeds
        A batch.
    """
    if settings().kernel == "reference" or not compiled_for():
        return InterpretedStep(graph, run)
    shapes = tuple(np.shape(feeds[value.name]) for value in graph.inputs)
    key = (id(graph), shapes, token())
    kept = _kept.setdefault(run, OrderedDict())
    step = kept.get(key)
    if step is None or not step.fits(run):
        step = kept[key] = PlannedStep(graph, run, shapes, kept.values())
        if len(kept) > KEPT:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return step


class InterpretedStep:
    """A step through the operators' own `forward` and `backward`.

    Parameters
    ----------
    graph, run
        As of `step_of`.
    """

    def __init__(self, graph: Graph, run: TrainState) -> None:
        self._graph, self._run = graph, run
        self._done = Evaluation({}, {}, {})
        self._grads: Mapping[str, Array] = {}

    def forward(self, feeds: Mapping[str, Array], key: Key) -> Array:
        """See `Step.forward`."""
        run = self._run
        self._done = evaluate(
            self._graph,
            feeds,
            params=run.params,
            state=run.state,
            training=True,
            key=key,
            record=True,
        )
        return self._done.values[self._graph.outputs[0]]

    def backward(self, dout: Array) -> Mapping[str, Array]:
        """See `Step.backward`."""
        douts = {self._graph.outputs[0]: dout}
        self._grads = gradients(self._graph, self._done, douts, wanted=self._run.params)
        return self._grads

    def is_finite(self) -> bool:
        """See `Step.is_finite`."""
        return all(bool(np.isfinite(grad).all()) for grad in self._grads.values())

    def finish(self, run: TrainState, optimiser: AbstractOptimiser, lr: float) -> None:
        """See `Step.finish`."""
        optimiser.update(run.params, self._grads, run.moments, lr=lr, step=run.step)
        for name, array in self._done.state.items():
            np.copyto(run.state[name], array)


class PlannedStep:
    """A step by a training plan, on the arrays that a training state has when it is made.

    Parameters
    ----------
    graph, run
        As of `step_of`.
    shapes
        Of the inputs.
    others
        Steps on the same state: the largest of their memories is used as far as it reaches.
    """

    plan: TrainingPlan

    def __init__(
        self,
        graph: Graph,
        run: TrainState,
        shapes: Sequence[tuple[int, ...]],
        others: Iterable[PlannedStep],
    ) -> None:
        from faltung.plan.training import TrainingPlan

        self._graph = graph
        sizes = {value.name: shape for value, shape in zip(graph.inputs, shapes, strict=True)}
        memory = max((step.plan.memory for step in others), key=len, default=None)
        self.plan = TrainingPlan(
            graph.with_input_shape(sizes), params=run.params, state=run.state, memory=memory
        )
        self._grads: Mapping[str, Array] = {}
        self._flat: _Flat | None = None

    def fits(self, run: TrainState) -> bool:
        """Whether a training state still has the arrays that launches know."""
        return _are_same(self.plan.params, run.params) and _are_same(self.plan.state, run.state)

    def forward(self, feeds: Mapping[str, Array], key: Key) -> Array:
        """See `Step.forward`."""
        return self.plan.forward(feeds, key=key)[self._graph.outputs[0]]

    def backward(self, dout: Array) -> Mapping[str, Array]:
        """See `Step.backward`."""
        self._grads = self.plan.backward({self._graph.outputs[0]: dout})
        return self._grads

    def is_finite(self) -> bool:
        """See `Step.is_finite`."""
        return self.plan.is_finite

    def finish(self, run: TrainState, optimiser: AbstractOptimiser, lr: float) -> None:
        """See `Step.finish`."""
        if self._flat is None or not self._flat.fits(run.moments):
            self._flat = _Flat(run, self.plan.gradients, self._grads)
        if not self._flat.update(optimiser, lr, run.step):
            optimiser.update(run.params, self._grads, run.moments, lr=lr, step=run.step)
        self.plan.settle()


class _Flat:
    """Parameters, gradients and moments as arrays that are gone over once."""

    def __init__(self, run: TrainState, gradients: Flat, grads: Mapping[str, Array]) -> None:
        self._moments = {word: dict(arrays) for word, arrays in run.moments.items()}
        params = pieces_of(run.params)
        moments = {word: pieces_of(arrays) for word, arrays in run.moments.items()}
        orders = [list(arrays) for arrays in (grads, *run.moments.values())]
        self._pieces: list[tuple[Array, Array, dict[str, Array], Array]] = []
        if params is None or any(order != list(run.params) for order in orders):
            return
        for kind, p in params.items():
            own = {word: pieces[kind] for word, pieces in moments.items() if pieces}
            if len(own) < len(moments) or kind not in (np.float32, np.float64):
                self._pieces.clear()
                return
            self._pieces.append((p, gradients.pieces[kind], own, _cut(run.params, kind)))

    def fits(self, moments: Moments) -> bool:
        """Whether these are still the same arrays."""
        return moments.keys() == self._moments.keys() and all(
            _are_same(arrays, moments[word]) for word, arrays in self._moments.items()
        )

    def update(self, optimiser: AbstractOptimiser, lr: float, step: int) -> bool:
        """Take a step, if it can be taken like this."""
        return bool(self._pieces) and all(
            optimiser.update_flat(p, g, moments, cut, lr=lr, step=step)
            for p, g, moments, cut in self._pieces
        )


def _cut(params: Mapping[str, Array], kind: DType) -> Array:
    """Cut a piece where parameters begin: some decay, some do not."""
    from faltung.kernels.optimise import pieces

    own = [p for p in params.values() if p.dtype == kind]
    return pieces(tuple(line(p.nbytes) // p.itemsize for p in own), tuple(p.ndim > 1 for p in own))


def _are_same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return one.keys() == other.keys() and all(other[name] is array for name, array in one.items())


_kept: WeakKeyDictionary[TrainState, OrderedDict[Hashable, PlannedStep]] = WeakKeyDictionary()
