"""Training plans: a network made ready to be trained on batches of one shape, step by step."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import GraphError, message
from faltung.graph.evaluate import fed
from faltung.graph.graph import Graph, named
from faltung.graph.room import memory as most_memory
from faltung.graph.unknown import check_known
from faltung.kernels.memory import LINE
from faltung.kernels.optimise import finite
from faltung.kernels.optimise import pieces as cut_into_pieces
from faltung.kernels.pool import shared_threads
from faltung.kernels.program import Program
from faltung.ops.operator import Array, Key
from faltung.plan.flat import DType, Flat, flat_copies, flat_like
from faltung.plan.lowerings.training import Backward, lowering_of
from faltung.plan.lowerings.training.interpreter import (
    train_interpreted,
    train_interpreted_back,
)
from faltung.plan.profile import Profile
from faltung.plan.stages import Stage
from faltung.plan.tape import Arrays, Tape, gradient_of
from faltung.plan.taped import (
    Recorded,
    Runs,
    arrays_of,
    placed_values,
    recorded,
    runs_of,
    temporary_bytes,
)
from faltung.plan.training_profile import work_times
from faltung.plan.training_stages import apart, training_stages
from faltung.plan.values import described


class TrainingFootprint(NamedTuple):
    """Bytes that a training plan holds beside parameters and state.

    Parameters
    ----------
    values
        Room for the values and gradients of one step.
    temporary
        Weights in the order in which kernels read them, and sums, which launches take in turn.
    scratch
        Working memory of the kernels.
    gradients
        Those of the parameters.
    """

    values: int
    temporary: int
    scratch: int
    gradients: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self)


class TrainingPlan:
    """A network lowered to the steps of training. Made by `faltung.compile` with ``training=True``.

    It runs in one thread at a time: there is one memory, in which what `forward` leaves is found
    by `backward`.

    Parameters
    ----------
    graph
        Whose input sizes are all numbers.
    params, state
        Arrays that are trained, by name, C-contiguous; copies of the graph's own unless given.
    exact
        As of `faltung.compile`.
    memory
        Of another plan, whose steps are never taken between a `forward` and a `backward` of this
        one; it is used if it is large enough.

    Attributes
    ----------
    graph : Graph
        The network, for inputs of the plan's shapes.
    params, state : mapping of name to array
        What launches read; `settle` changes ``state``, and whoever trains ``params``.
    gradients : Flat
        Of the parameters that the outputs depend on.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        params: Mapping[str, Array] | None = None,
        state: Mapping[str, Array] | None = None,
        exact: bool = False,
        memory: Array | None = None,
    ) -> None:
        check_known(graph, "compile")
        self.graph = graph
        self.params = flat_copies(graph.params).arrays if params is None else dict(params)
        self.state = flat_copies(graph.state).arrays if state is None else dict(state)
        self.gradients: Flat = flat_like(self.params)
        self._tape = tape = _taped(graph, exact)
        self._checks = _checked(tape, self.gradients.pieces)
        fixed = {**self.params, **self.state}
        fixed |= {gradient_of(name): array for name, array in self.gradients.arrays.items()}
        places = placed_values(tape, fixed)
        self._given = [name for name in self.params if name in tape.gradients]
        self.nbytes = places.offsets.nbytes
        if self.nbytes > most_memory():
            values = {"bytes": self.nbytes, "memory": most_memory()}
            rule, cure = "the values of a step do not fit into memory", "Give it smaller batches"
            raise GraphError(message("compile", rule, values, cure))
        self.memory = _memory(self.nbytes, memory)
        arrays = self._arrays = arrays_of(tape, places, fixed, self.memory)
        known = [self.memory, *fixed.values(), *self.gradients.pieces.values()]
        ways = tape.forward, tape.backward, tape.settling
        self._works = tuple(recorded(works, arrays, known) for works in ways)
        temporary = max(map(temporary_bytes, self._works))
        self._temporary = _memory(temporary, None)
        self._is_open = False
        self._runs: tuple[Runs, ...] = tuple(runs_of(w, self._temporary) for w in self._works)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{v.name} {v.shape}" for v in self.graph.inputs)
        steps = sum(len(works) for works in self._works)
        return f"<TrainingPlan {inputs}: {steps} steps, {self.nbytes:,} bytes>"

    @property
    def footprint(self) -> TrainingFootprint:
        """How much memory the plan holds."""
        programs = [run for runs in self._runs for run in runs if isinstance(run, Program)]
        scratch = sum(program.nbytes for program in programs)
        own = sum(piece.nbytes for piece in self.gradients.pieces.values())
        return TrainingFootprint(self.nbytes, self._temporary.nbytes, scratch, own)

    def forward(
        self, feeds: ArrayLike | Mapping[str, ArrayLike], *, key: Key | None = None
    ) -> dict[str, Array]:
        """Run the network as training does: with the statistics of the batch, and with chance.

        Parameters
        ----------
        feeds
            The input, or inputs by name, in the plan's shapes.
        key
            Seeds chance, as in `faltung.graph.evaluate.evaluate`.

        Returns
        -------
        dict of name to array
            The outputs; they are the caller's own.
        """
        given, tape = named(self.graph, feeds, "feeds"), self._tape
        tape.turn.key = key
        tape.turn.saved.clear()
        for value in self.graph.inputs:
            np.copyto(self._arrays[value.name], fed(value, given[value.name]))
        self._run(0)
        self._is_open = True
        return {name: self._arrays[name].copy() for name in self.graph.outputs}

    def backward(self, douts: Mapping[str, Array]) -> dict[str, Array]:
        """Return the gradients of the parameters, after `forward`.

        Parameters
        ----------
        douts
            The gradient at each output; an output that is not named has none.

        Returns
        -------
        dict of name to array
            Of every parameter that the outputs depend on; they hold until the next step.

        Raises
        ------
        GraphError
            A gradient is not shaped like its output; or there was no `forward` since the last
            call, which wrote over what that left.
        """
        if not self._is_open:
            rule = "each backward must follow a forward of its own"
            raise GraphError(message("gradients", rule))
        for name, dout in douts.items():
            if name not in self.graph.outputs or np.shape(dout) != self._arrays[name].shape:
                values = {"output": name, "dout": np.shape(dout)}
                rule = "dout must be shaped like its output"
                raise GraphError(message("gradients", rule, values))
        for name, place in zip(self.graph.outputs, self._tape.handed, strict=True):
            self._arrays[place][...] = douts.get(name, 0)
        self._run(1)
        self._is_open = False
        return {name: self.gradients.arrays[name] for name in self._given}

    @property
    def is_finite(self) -> bool:
        """Whether all gradients of the last `backward` are finite."""
        return all(
            not np.isnan(self._arrays[self._checks[kind]]).any()
            if kind in self._checks
            else bool(np.isfinite(piece).all())
            for kind, piece in self.gradients.pieces.items()
        )

    def settle(self) -> None:
        """Let the step count: running statistics become those that `forward` found."""
        self._run(2)

    def _run(self, way: int) -> None:
        with np.errstate(all="ignore"):
            for run in self._runs[way]:
                run.run() if isinstance(run, Program) else run()

    def profile(
        self, feeds: ArrayLike | Mapping[str, ArrayLike], *, runs: int = 9, key: Key | None = None
    ) -> Profile:
        """Time every piece of a step's work, beside what the machine could do at most.

        Parameters
        ----------
        feeds, key
            As of `forward`.
        runs
            How often; the least time of each piece counts.

        Returns
        -------
        Profile
            The way back has names of its own.
        """
        whole, times = [], []
        for _ in range(max(1, runs)):
            begin = time.perf_counter()
            douts = {name: np.ones_like(y) for name, y in self.forward(feeds, key=key).items()}
            self.backward(douts)
            whole.append(time.perf_counter() - begin)
        for _ in range(max(1, runs)):
            self.forward(feeds, key=key)
            self._is_open = False
            times.append([self._timed(work) for works in self._works[:2] for work in works])
        found = work_times(self._works[0], self._works[1], np.min(times, axis=0), self._arrays)
        return Profile(found, min(whole), self.nbytes, shared_threads())

    def _timed(self, work: Recorded) -> float:
        runs = runs_of([work], self._temporary)
        begin = time.perf_counter()
        with np.errstate(all="ignore"):
            for run in runs:
                run.run() if isinstance(run, Program) else run()
        return time.perf_counter() - begin


def _taped(graph: Graph, exact: bool) -> Tape:
    """Write a step down: every stage forward, and then the way back."""
    tape = Tape(graph, described(graph), exact=exact)
    for name in graph.params:
        tape.values[gradient_of(name)] = tape.values[name]
    done = [
        found for stage in training_stages(graph, graph.shapes()) for found in _forward(stage, tape)
    ]
    for name in graph.outputs:
        tape.handed.append(tape.like(f"{gradient_of(name)} handed", name))
        tape.gradients[name] = tape.handed[-1]
    for stage, backward in reversed(done):
        dout = tape.gradients.get(stage.output, "")
        if backward is None:
            train_interpreted_back(stage, tape)
        elif dout and tape.needed.intersection(stage.inputs):
            backward(dout)
    tape.finish()
    return tape


def _forward(stage: Stage, tape: Tape) -> list[tuple[Stage, Backward | None]]:
    """Write a stage down, node by node if no lowering takes it whole."""
    lower = lowering_of(stage.main.operator)
    backward = None if lower is None else lower(stage, tape)
    if backward is not None:
        return [(stage, backward)]
    if len(stage.nodes) > 1:
        return [found for part in apart(stage) for found in _forward(part, tape)]
    train_interpreted(stage, tape)
    return [(stage, None)]


def _checked(tape: Tape, pieces: Mapping[DType, Array]) -> dict[DType, str]:
    """Look for gradients that are not finite; return the values that say so, by dtype."""
    found = {}
    for kind, piece in pieces.items():
        cut = cut_into_pieces((piece.size,), (False,))
        name = tape.value(f"finite {kind}", cut.shape[:1], piece.dtype)
        if tape.is_compiled(name):
            call = partial(_finite, name, piece, cut)
            tape.run_back(None, "finite", (), (name,), call)
            found[kind] = name
    return found


def _finite(name: str, piece: Array, cut: Array, at: Arrays) -> Array:
    finite(piece, at[name], cut)
    return at[name]


def _memory(size: int, given: Array | None) -> Array:
    """Return so many bytes from a cache line on: those that are given, if there are as many."""
    if given is not None and given.nbytes >= size:
        return given
    whole = np.empty(size + LINE, np.uint8)
    start = -whole.ctypes.data % LINE
    return whole[start : start + size]
