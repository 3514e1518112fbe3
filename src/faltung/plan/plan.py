"""Plans: a network made ready to run again and again on inputs of one shape."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from faltung import ops
from faltung.errors import GraphError, message
from faltung.graph.evaluate import fed
from faltung.graph.graph import Graph, named
from faltung.kernels.memory import empty, release
from faltung.kernels.pool import shared_threads
from faltung.kernels.program import Program
from faltung.kernels.settings import settings
from faltung.ops.operator import Array, Shape
from faltung.plan.chains import chained
from faltung.plan.lowerings import lowering_of
from faltung.plan.profile import Profile, step_time
from faltung.plan.room import Choices, Room, Step
from faltung.plan.runs import Bound, bound_in, runs_of
from faltung.plan.stages import Stage, stages
from faltung.plan.values import Layout, described, places
from faltung.plan.weights import Arrays, Weights, united

SHAPES: Final = 8
"""How many shapes of inputs a plan remembers beside its own."""
IDLE: Final = 4
"""How many pieces of memory a plan keeps for calls that come at one time."""
LINE: Final = 64


class Memory(NamedTuple):
    """One piece of memory, the steps on it, and what runs them one after the other.

    Inputs and outputs of which all steps are compiled are bound: these steps read the caller's own
    array, and write the one that is returned.
    """

    whole: Array
    arrays: Mapping[str, Array]
    steps: Sequence[Step]
    runs: Sequence[Program | Callable[[], object]]
    bound: Mapping[str, Bound]

    def run(self) -> None:
        """Run all steps."""
        if len(self.runs) == 1 and isinstance(self.runs[0], Program):
            self.runs[0].run()
            return
        with np.errstate(all="ignore"):
            for run in self.runs:
                run.run() if isinstance(run, Program) else run()

    def take(self, name: str, given: Array) -> None:
        """Make an array an input: by its address, or as a copy."""
        array = self.arrays[name]
        if name in self.bound and given.flags.c_contiguous and given.dtype == array.dtype:
            self.put(name, given)
        else:
            np.copyto(array, given)
            if name in self.bound:
                self.put(name, array)

    def give(self, name: str) -> Array | None:
        """Return the array that an output will be written into; None where it has to be copied."""
        if name not in self.bound:
            return None
        made = empty(self.arrays[name].shape, self.arrays[name].dtype)
        self.put(name, made)
        return made

    def put(self, name: str, array: Array) -> None:
        """Let all steps that know a value know another array in its place."""
        address = array.ctypes.data
        for program, words in self.bound[name]:
            program.put(words, address)


class Footprint(NamedTuple):
    """Bytes that a plan holds.

    Parameters
    ----------
    values
        Room for the values of one call.
    scratch
        Working memory of one call's kernels, which take it in turn.
    weights
        Weights as kernels read them, and those that other kernels may need, for inputs of other
        shapes; all calls share these. Where a kernel reads an array of the network as it is, who
        holds the network has the same one.
    """

    values: int
    scratch: int
    weights: int

    @property
    def total(self) -> int:
        """All of it, for one call at a time."""
        return self.values + self.scratch + self.weights


class Plan:
    """A network lowered to steps. Made by `faltung.compile`.

    A plan may be called by several threads at once: each call has memory of its own, kept for
    later ones.

    Parameters
    ----------
    graph
        What `faltung.plan.weights.simplified` makes of a network; input sizes are all numbers.
    weights
        Its constants.
    exact, choices
        As of `faltung.compile`.

    Attributes
    ----------
    inputs : tuple of Value
        The network's, in the plan's shapes.
    nbytes : int
        Room for the values of one call, in bytes.
    """

    def __init__(
        self,
        graph: Graph,
        weights: Weights,
        *,
        exact: bool = False,
        choices: Mapping[str, str] | None = None,
    ) -> None:
        self.inputs = graph.inputs
        self._graph, self._weights = graph, weights
        self._choices = Choices(exact, dict(choices or {}))
        self._layout = _laid_out(graph)
        unknown = sorted({*self._choices.imposed} - {stage.name for stage in self._layout.order})
        if unknown:
            rule, cure = "choices must name steps", "Take them from Plan.choices of this network"
            raise GraphError(message("compile", rule, {"unknown": unknown}, cure))
        self.nbytes = self._layout.places.roots.nbytes
        self._idle: list[Memory] = [self._memory()]
        release()  # what kernels took while they were noted has room in the plan from now on
        self._others: OrderedDict[tuple[Shape, ...], Plan] = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        inputs = ", ".join(f"{v.name} {v.shape}" for v in self.inputs)
        return f"<Plan {inputs}: {len(self._layout.order)} steps, {self.nbytes:,} bytes>"

    @property
    def choices(self) -> dict[str, str]:
        """Which kernel runs each stage; can be saved, and given to `faltung.compile`."""
        return dict(self._choices.taken)

    @property
    def footprint(self) -> Footprint:
        """How much memory the plan holds, for one call at a time."""
        memory = self._taken()
        scratch = sum(run.nbytes for run in memory.runs if isinstance(run, Program))
        read = [a for step in memory.steps for n in step.launches for a in n.arrays.values()]
        self._given_back(memory)
        weights = united([*self._weights.held(), *read], memory.whole)
        return Footprint(self.nbytes, scratch, weights)

    def __call__(self, x: ArrayLike | Mapping[str, ArrayLike]) -> Array | tuple[Array, ...]:
        """Run the network for inference.

        Parameters
        ----------
        x
            The input, or a mapping from names to inputs. For another shape than the plan's, a
            plan is made for it, and kept.

        Returns
        -------
        numpy.ndarray or tuple of numpy.ndarray
            As `Graph` gives them.
        """
        given = {name: np.asarray(a) for name, a in named(self._graph, x, "x").items()}
        plan = self._for({name: a.shape for name, a in given.items()})
        memory = plan._taken()
        try:
            # The steps have addresses alone: the arrays must stay until they have run.
            fitting = {v.name: fed(v, given[v.name]) for v in plan.inputs}
            for name, array in fitting.items():
                memory.take(name, array)
            made = {name: memory.give(name) for name in plan._graph.outputs}
            memory.run()
            outputs = tuple(
                memory.arrays[name].copy() if array is None else array
                for name, array in made.items()
            )
        finally:
            plan._given_back(memory)
        return outputs[0] if len(outputs) == 1 else outputs

    def _for(self, shapes: Mapping[str, tuple[int, ...]]) -> Plan:
        """Return the plan for inputs of these shapes: this one, or one made before."""
        if all(shapes[v.name] == v.shape for v in self.inputs):
            return self
        key = tuple(shapes[v.name] for v in self.inputs)
        with self._lock:
            if key not in self._others:
                graph, how = self._graph.with_input_shape(dict(shapes)), self._choices
                self._others[key] = Plan(graph, self._weights, exact=how.exact, choices=how.imposed)
                if len(self._others) > SHAPES:
                    self._others.popitem(last=False)
            self._others.move_to_end(key)
            return self._others[key]

    def _taken(self) -> Memory:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._memory()

    def _given_back(self, memory: Memory) -> None:
        with self._lock:
            if len(self._idle) < IDLE:
                self._idle.append(memory)

    def _memory(self) -> Memory:
        """Make a piece of memory, and the steps that run on it."""
        layout = self._layout
        whole = np.empty(self.nbytes + LINE, np.uint8)
        aligned = whole[-whole.ctypes.data % LINE :]
        values: dict[str, Array] = {}
        computed = [name for stage in layout.order for name in stage.outputs]
        for name in (*(v.name for v in layout.graph.inputs), *computed):
            values[name] = layout.places.array(name, layout.values[name], aligned)
        arrays = Arrays(values, self._weights)
        room = Room(arrays, self._choices, self._weights, layout.places.inside, aligned)
        with np.errstate(all="ignore"):
            steps = [_lowered(stage, room) for stage in layout.order]
        runs = runs_of(steps)
        calls = [run.call for run in runs]
        return Memory(aligned, arrays, steps, calls, bound_in(layout, arrays, runs))

    def timed(self, x: ArrayLike | Mapping[str, ArrayLike]) -> list[tuple[Step, float]]:
        """Run the network once and return the seconds of each step.

        Parameters
        ----------
        x
            As for a call, in the plan's own shape.

        Returns
        -------
        list of (Step, float)
            In their order; steps that do nothing are among them.
        """
        given = named(self._graph, x, "x")
        memory = self._taken()
        for value in self.inputs:
            np.copyto(memory.arrays[value.name], fed(value, given[value.name]))
        times = []
        with np.errstate(all="ignore"):
            for step in memory.steps:
                runs = runs_of([step])
                begin = time.perf_counter()
                for run in runs:
                    run.call.run() if isinstance(run.call, Program) else run.call()
                times.append((step, time.perf_counter() - begin))
        self._given_back(memory)
        return times

    def profile(self, x: ArrayLike | Mapping[str, ArrayLike], *, runs: int = 9) -> Profile:
        """Time every step, beside what the machine could do at most.

        Parameters
        ----------
        x
            As for a call, in the plan's own shape.
        runs
            How often; the least time of each step counts.

        Returns
        -------
        Profile
            Prints as tables; `faltung.viz.profile.draw` makes a picture of it.
        """
        self(x)
        whole = []
        for _ in range(max(1, runs)):
            begin = time.perf_counter()
            self(x)
            whole.append(time.perf_counter() - begin)
        times = [self.timed(x) for _ in range(max(1, runs))]
        found = tuple(
            step_time(step, min(each[at][1] for each in times), self._layout.values)
            for at, (step, _) in enumerate(times[0])
            if step.run is not None or step.launches
        )
        return Profile(found, min(whole), self.nbytes, shared_threads())


def _laid_out(graph: Graph) -> Layout:
    shapes = graph.shapes()
    order = chained(graph, stages(graph, shapes), shapes)
    values = described(graph)
    return Layout(graph, order, values, places(graph, order, values))


def _lowered(stage: Stage, room: Room) -> Step:
    is_defined = settings().kernel == "reference"
    lower = None if is_defined else lowering_of(stage.main.operator)
    step = lower(stage, room) if lower is not None else None
    return step or Step(stage, "interpreter", partial(_interpreted, stage, room))


def _interpreted(stage: Stage, room: Room) -> None:
    """Run every node as the interpreter does, and put the outputs in their places."""
    made: dict[str, Array] = {}
    for node in stage.nodes:
        inputs = [made[n] if n in made else room.arrays[n] for n in node.inputs]
        operator = node.operator
        if room.choices.exact and isinstance(operator, (ops.Conv, ops.ConvTranspose)):
            operator = replace(operator, exact=True)
        outputs, *_ = operator.forward(inputs)
        made.update(zip(node.outputs, outputs, strict=False))
    for name in stage.outputs:
        np.copyto(room.arrays[name], made[name])
