"""Graphs from PyTorch modules, through PyTorch's own export to ONNX.

PyTorch has two exporters. The older one follows one run of the module; it needs nothing else,
takes a fraction of a second and keeps layers apart. The newer one reads the module's code as well;
it needs the package onnxscript, and is asked where the older one fails, or says that another input
might have taken another way.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faltung.errors import FaltungError, GraphError, MissingExtraError, message
from faltung.graph.graph import Graph, producers
from faltung.graph.onnx import from_model, parsed
from faltung.ops.operator import Array

if TYPE_CHECKING:
    import torch

BATCH: Final = "N"
"""What the size of the batch is called, which stays open where it can."""


def from_torch(module: torch.nn.Module, example: Any, *, opset: int | None = None) -> Graph:
    """Return a PyTorch module as a graph, in inference form.

    Parameters and buffers keep their names (matrices may be transposed, and where nothing else can
    be read, normalisation may be merged into the weights before it); the inputs are called as
    ``forward`` calls them. The batch stays open where all inputs begin with the same size and the
    module does not compute with it; all other sizes are those of the example.

    Parameters
    ----------
    module
        What to convert. Neither its weights nor its mode are changed.
    example
        What ``forward`` takes: a tensor or an array, or a tuple of these.
    opset
        ONNX's operator set to go through; None for PyTorch's own choice.

    Returns
    -------
    Graph
        Its ``params`` are the module's parameters, its ``state`` buffers and constants.

    Raises
    ------
    MissingExtraError
        PyTorch is not installed.
    GraphError
        PyTorch cannot export the module, or what it exports asks for what is not there.

    Warns
    -----
    UserWarning
        The graph follows one run, and other inputs might have taken another way.
    """
    if not _has("torch"):
        rule = "PyTorch is needed and not installed"
        raise MissingExtraError(message("from_torch", rule, {}, "Install it: pip install torch"))
    import torch

    if not _is_module(module):
        rule = "a torch.nn.Module must be given"
        raise GraphError(message("from_torch", rule, {"module": type(module).__name__}))
    given = _given(module, example)
    with _as_for_inference(module), _quiet(), torch.no_grad():
        exported = _Export(module, given, opset)
        graph, doubt = exported.graph()
    if doubt:
        rule = "other inputs might take another way through the module than the example did"
        cure = "Install onnxscript, with which PyTorch reads the module's code"
        warnings.warn(message("from_torch", f"{rule}: {doubt}", {}, cure), stacklevel=2)
    return _with_names(graph, module)


class _Export:
    """A module on its way to a graph."""

    def __init__(self, module: torch.nn.Module, given: tuple[Any, ...], opset: int | None) -> None:
        self.module = module
        self.given = given
        self.opset = {} if opset is None else {"opset_version": opset}
        self.names = _input_names(module, len(given))
        sizes = {x.shape[0] if x.ndim else None for x in given}
        self.batch = len(sizes) == 1 and None not in sizes

    def graph(self) -> tuple[Graph, str]:
        """Return the graph of the exporter that can, and what is doubtful about it.

        The older one cannot always tell sizes when the batch is open, where the newer one can.
        """
        failed: list[Exception] = []
        doubtful: list[tuple[Graph, str]] = []
        for way, is_open in ((self.followed, True), (self.read, True), (self.followed, False)):
            if (is_open and not self.batch) and way is self.followed:
                continue
            try:
                found = way(is_open and self.batch)
            except Exception as error:  # exporters raise whatever they like
                failed.append(error)
                continue
            if not found[1]:
                return found
            doubtful.append(found)
        if doubtful:
            return doubtful[0]
        cause = " ".join(str(failed[-1]).split())[:300] or type(failed[-1]).__name__
        cure = (
            "" if _has("onnxscript") else "PyTorch's other exporter needs: pip install onnxscript"
        )
        line = message("from_torch", f"the module cannot be exported: {cause}", {}, cure)
        raise GraphError(line) from failed[-1]

    def followed(self, is_open: bool) -> tuple[Graph, str]:
        """Return the graph of one run, and what PyTorch says that it may depend on."""
        import torch

        out = self.module(*self.given)
        many = len(out) if isinstance(out, (tuple, list)) else 1
        file: Any = io.BytesIO()
        options: Any = {"dynamo": False, "do_constant_folding": False, **self.opset}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.onnx.export(
                self.module,
                self.given,
                file,
                input_names=list(self.names),
                output_names=[f"y{i}" for i in range(many)] if many > 1 else ["y"],
                dynamic_axes={name: {0: BATCH} for name in self.names} if is_open else {},
                training=torch.onnx.TrainingMode.PRESERVE,  # or layers would be merged
                **options,
            )
        doubts = [w.message for w in caught if w.category.__name__ == "TracerWarning"]
        doubt = " ".join(str(doubts[0]).split()) if doubts else ""
        return self.sized(file.getvalue(), is_open), doubt

    def read(self, is_open: bool) -> tuple[Graph, str]:
        """Return the graph that PyTorch reads from the module's code."""
        import onnxscript.optimizer
        import torch

        options: Any = {"dynamo": True, "verbose": False, "optimize": False, **self.opset}
        given, shapes = self.given, None
        if is_open:
            shapes = tuple({0: torch.export.Dim.DYNAMIC} for _ in given)
            if given[0].shape[0] < 2:  # PyTorch takes sizes of 0 and 1 as fixed
                given = tuple(torch.cat([x[:1]] * 2) for x in given)
        program = torch.onnx.export(
            self.module, given, dynamic_shapes=shapes, input_names=list(self.names), **options
        )
        assert program is not None
        for simplify in (_folded, onnxscript.optimizer.optimize):
            simplify(program.model)
            try:
                return self.sized(program.model_proto.SerializeToString(), is_open), ""
            except FaltungError as error:
                refused = error
        raise refused

    def sized(self, data: bytes, is_open: bool) -> Graph:
        """Return the graph of a model, for the example's sizes where it needs them."""
        model = parsed(data)
        try:
            graph = from_model(model)
        except FaltungError:
            if not is_open:
                raise
            names = [value.name for value in model.graph.input]
            sizes = {n: tuple(x.shape) for n, x in zip(names, self.given, strict=True)}
            return from_model(model, sizes)
        return graph.with_input_shape(
            {v.name: (BATCH, *v.shape[1:]) if is_open else v.shape for v in graph.inputs}
        )


def _folded(model: Any) -> None:
    """Compute constants, and leave out what nobody reads; a full optimiser would merge layers."""
    import onnxscript.optimizer

    onnxscript.optimizer.fold_constants(model)
    onnxscript.optimizer.remove_unused_nodes(model)


def _is_module(given: object) -> bool:
    import torch

    return isinstance(given, torch.nn.Module)


def _has(package: str) -> bool:
    return find_spec(package) is not None


def _given(module: torch.nn.Module, example: Any) -> tuple[Any, ...]:
    """Return the example as tensors; arrays of floats become the module's dtype."""
    import torch

    first = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(0))
    parts = example if isinstance(example, (tuple, list)) else (example,)
    if not parts or not all(isinstance(x, (torch.Tensor, np.ndarray)) for x in parts):
        rule = "the example must be a tensor or an array, or a tuple of these"
        kinds = [type(x).__name__ for x in parts]
        raise GraphError(message("from_torch", rule, {"example": kinds}))
    tensors = []
    for part in parts:
        x = part if isinstance(part, torch.Tensor) else torch.from_numpy(part.copy())
        made = not isinstance(part, torch.Tensor) and x.is_floating_point()
        tensors.append(x.to(first.device, first.dtype if made else None))
    return tuple(tensors)


def _input_names(module: torch.nn.Module, count: int) -> tuple[str, ...]:
    """Return what ``forward`` calls its first inputs; x0, x1 ... where it takes any number."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(module.forward).parameters.values()
    names = [p.name for p in parameters if p.kind in kinds][:count]
    if len(names) == count and not set(names) & {*module.state_dict(), "y"}:
        return tuple(names)
    return tuple(f"x{i}" for i in range(count))


@contextlib.contextmanager
def _as_for_inference(module: torch.nn.Module) -> Iterator[None]:
    """Put a module and its parts into inference mode, and each back into its own."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what exporters print, log and warn about from the caller."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _no_output():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@contextlib.contextmanager
def _no_output() -> Iterator[None]:
    """Keep what libraries below Python write to the standard output from it."""
    try:
        kept = os.dup(1)
    except OSError:  # there is none
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a name, not a path
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _with_names(graph: Graph, module: torch.nn.Module) -> Graph:
    """Return the graph with the module's names for its arrays, and its parameters as params."""
    own = {name: np.asarray(x.detach().cpu().numpy()) for name, x in module.state_dict().items()}
    trained = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    arrays: dict[str, Array] = {**graph.params, **graph.state}
    taken = {*arrays, *(v.name for v in graph.inputs), *producers(graph.nodes)}
    names: dict[str, str] = {}
    for name, array in arrays.items():
        free = own.keys() - taken - set(names.values())
        found = [] if name in own else [n for n in sorted(free) if _is_turned(own[n], array)]
        names[name] = found[0] if len(found) == 1 else name
    nodes = tuple(
        dataclasses.replace(node, inputs=tuple(names.get(n, n) for n in node.inputs))
        for node in graph.nodes
    )
    outputs = tuple(names.get(n, n) for n in graph.outputs)
    renamed: Mapping[str, Array] = {names[n]: a for n, a in arrays.items()}
    params = {n: renamed[n] for n in own if n in trained and n in renamed}
    state = {n: a for n, a in renamed.items() if n not in params}
    return dataclasses.replace(graph, nodes=nodes, outputs=outputs, params=params, state=state)


def _is_turned(own: Array, array: Array) -> bool:
    """Whether an array is one of the module's with axes of size 1 added, or such a transpose."""
    if own.dtype != array.dtype or own.size != array.size:
        return False
    mine, other = own.squeeze(), array.squeeze()
    return any(x.shape == other.shape and np.array_equal(x, other) for x in (mine, mine.T))
