"""Whole networks, as files that every runtime reads: which, and how long each takes to run them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from benchmarks.measure import compared
from benchmarks.rounds import Rounds, race
from faltung.analysis.layer_cost import graph_cost
from faltung.cli import benching
from faltung.graph import Graph, load
from faltung.graph.onnx import from_model
from faltung.zoo.catalogue import NETWORKS, build

BATCHES = (1, 8)
PEERS = {"onnx_runtime": "onnxruntime", "openvino": "openvino"}
"""Candidates of the suites, and what `faltung bench` calls them."""
IMAGE = (3, 224, 224)
TEXT = {"detector": (3, 640, 640), "classifier": (3, 48, 192), "recogniser": (3, 48, 320)}
"""The three networks of rapidocr, and images of the sizes that it gives them."""
OTHERS = ("mobilenet-v1", "mobilenet-v2", "inception-v3", "vgg16", "resnet20", "unet")
"""Networks of the zoo that are on no list."""


@dataclass(frozen=True)
class Model:
    """A network with seeded weights, for a batch of images."""

    name: str
    listed: bool
    shape: tuple[int, ...]
    made: Callable[[tuple[int, ...]], Graph]


def models() -> list[Model]:
    """Return the networks of the package onnx, those of rapidocr, and others, in each batch."""
    from faltung.testing.real_networks.reference import NAMES

    of_package = [(name, True, IMAGE, reference(name)) for name in NAMES]
    of_text = [(f"rapidocr-{name}", True, image, _reader(name)) for name, image in TEXT.items()]
    zoo = [(name, False, NETWORKS[name].in_shape, _drawn(name)) for name in OTHERS]
    return [
        Model(f"{name}.{batch}", is_listed, (batch, *image), made)
        for name, is_listed, image, made in (*of_package, *of_text, *zoo)
        for batch in BATCHES
    ]


def reference(name: str) -> Callable[[tuple[int, ...]], Graph]:
    """Return what makes a network of the package onnx for a shape of its input."""

    def made(shape: tuple[int, ...]) -> Graph:
        from faltung.testing.real_networks.reference import reference_network

        model = reference_network(name)
        _rebatch(model, shape[0])
        return from_model(model)

    return made


def _rebatch(model: onnx.ModelProto, batch: int) -> None:
    """Make a model for one image one for a batch: its input, and what Reshapes name."""
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    constants = {tensor.name for tensor in model.graph.initializer}
    named = {
        node.input[1]
        for node in model.graph.node
        if node.op_type == "Reshape" and node.input[0] not in constants
    }
    for tensor in model.graph.initializer:
        if tensor.name in named:
            _, *others = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(np.array([batch, *others]), tensor.name))


def _reader(name: str) -> Callable[[tuple[int, ...]], Graph]:
    def made(shape: tuple[int, ...]) -> Graph:
        from faltung.testing.real_networks.reading import MODELS

        return load(MODELS[name], shapes={"x": shape})

    return made


def _drawn(name: str) -> Callable[[tuple[int, ...]], Graph]:
    return lambda shape: build(name).with_input_shape(shape)


@contextmanager
def runtimes(
    names: Sequence[str], threads: int, rounds: Rounds, block: float, versions: dict[str, str]
) -> Iterator[Callable[[Model], dict[str, Any]]]:
    """Give what times one network after the other.

    Parameters
    ----------
    names
        The candidates, ours first.
    threads, rounds
        Of each.
    block
        Seconds; `faltung bench` has its own.
    versions
        Is told those of the candidates.
    """
    del block
    own = names[0]
    asked = {own: benching.OURS} | {name: PEERS[name] for name in names[1:]}
    versions |= {name: version(package) for name, package in asked.items()}
    with tempfile.TemporaryDirectory(prefix="faltung-") as folder:
        yield lambda model: _measured(model, Path(folder), asked, threads, rounds)


def _measured(
    model: Model, folder: Path, asked: dict[str, str], threads: int, rounds: Rounds
) -> dict[str, Any]:
    graph = model.made(model.shape)
    path, x = graph.save(folder / "model.onnx"), folder / "x.npy"
    np.save(x, np.random.default_rng(0).standard_normal(model.shape).astype(np.float32))
    with benching.opened(Path(path), x, list(asked.values()), threads) as (able, cannot):
        turns = {runtime.name: runtime.block for runtime in able}
        found = race(turns, rounds)
    candidates = {theirs: name for name, theirs in asked.items()}
    outputs = sum(np.prod(graph.shapes()[name], dtype=int) for name in graph.outputs)
    numbers = np.prod(model.shape) + outputs + sum(a.size for a in graph.params.values())
    return {
        "name": model.name,
        "listed": model.listed,
        "shape": "x".join(map(str, model.shape)),
        "macs": int(graph_cost(graph).macs),
        "bytes": int(4 * numbers),
        **compared({candidates[name]: seconds for name, seconds in found.items()}),
        "errors": {},
        "cannot": {candidates[name]: reason for name, reason in cannot.items()},
    }
