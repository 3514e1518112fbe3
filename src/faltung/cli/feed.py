"""What a model is fed: an image, a sound or arrays, brought into the shape that its inputs have."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.cli.media import Medium, read_medium
from faltung.cli.screen import by_size
from faltung.datasets.folder import eight_bits
from faltung.errors import FaltungError, FileFormatError, GraphError, ModelFileError, message
from faltung.files.archive import read_archive
from faltung.files.depth import to_depth
from faltung.graph import Graph, Value, load
from faltung.graph.open_sizes import open_names
from faltung.imaging.resize import METHOD, resize
from faltung.imaging.scanning import channels_first
from faltung.ops.operator import Shape

Array = NDArray[Any]
IMAGE_CHANNELS = (1, 3)
LACKING = "not supported"
"""What is said of operators that are not there, whatever the sizes."""
OWN_SIZE = "and does not take the image's own: it got one that it takes; --size names another"


@dataclass(frozen=True)
class Normal:
    """How pixels become what a model takes: ``(pixel - mean) / std``.

    The pixels are 0 to 255 where any number is greater than 1, else 0 to 1. With no numbers they
    are 0 to 255 as they are, which is what networks of `faltung train` take.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def is_unit(self) -> bool:
        """Whether pixels are 0 to 1."""
        given = (*self.mean, *self.std)
        return bool(given) and max(map(abs, given)) <= 1

    def said(self) -> str:
        """What is done, in words."""
        if not (self.mean or self.std):
            return "pixels 0 to 255"
        steps = [f"less {_numbers(self.mean)}"] if self.mean else []
        steps += [f"by {_numbers(self.std)}"] if self.std else []
        return f"pixels 0 to {1 if self.is_unit else 255}, {', '.join(steps)}"

    def apply(self, pixels: Array) -> Array:
        """Normalise (C, H, W)."""
        x = pixels / np.float32(255) if self.is_unit else pixels
        for name, numbers in (("--mean", self.mean), ("--std", self.std)):
            if len(numbers) not in (0, 1, len(x)):
                rule = f"{name} must have one number, or one for each channel"
                values = {"numbers": len(numbers), "channels": len(x)}
                raise GraphError(message("run", rule, values))
        mean, std = (np.array(n, np.float32).reshape(-1, 1, 1) for n in (self.mean, self.std))
        x = x - mean if self.mean else x
        return x / std if self.std else x


@dataclass(frozen=True, eq=False)
class Feed:
    """A network for inputs of these shapes, the inputs, and what was done to make them."""

    graph: Graph
    arrays: Mapping[str, Array]
    medium: Medium
    done: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def fed(path: Path, source: str, normal: Normal, size: tuple[int, int] | None) -> Feed:
    """Read a model and what it is to be run on, and bring them together.

    Raises
    ------
    FaltungError
        One of them cannot be read, or they do not fit.
    """
    archive = read_archive(source) if Path(source).suffix.lower() == ".npz" else None
    medium = Medium(source, "arrays", np.zeros(0)) if archive is not None else read_medium(source)
    if medium.kind != "image" and (size is not None or normal != Normal()):
        rule, cure = "--mean, --std and --size are for images", "Prepare arrays and sound before"
        raise FileFormatError(message(source, rule, {"kind": medium.kind}, cure))
    graph, is_assumed = opened(path)
    if medium.kind == "image":
        return _image(path, graph, is_assumed, medium, normal, size)
    if medium.kind == "sound":
        arrays, done = _sound(only_input(graph, source), medium)
    else:
        arrays, done = _arrays(graph, medium, archive), ()
    return Feed(for_arrays(path, graph, is_assumed, arrays), arrays, medium, done)


def opened(path: Path) -> tuple[Graph, bool]:
    """A network, and whether it has to be read again for the sizes that it will get.

    It has to where constants are computed from sizes that the file leaves open.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return load(path), bool(caught)
        except ModelFileError as error:
            if LACKING in str(error):
                raise
            sketch = load(path, unknown=True)  # for the shapes that it declares
            if not open_names(sketch):
                raise
            return sketch, True


def only_input(graph: Graph, source: str) -> Value:
    """The input of a network that has one.

    Raises
    ------
    GraphError
        It has none or several.
    """
    if len(graph.inputs) != 1:
        rule = "the model must have one input for it"
        cure = "Give arrays by name, in an .npz file"
        raise GraphError(message(source, rule, {"inputs": [v.name for v in graph.inputs]}, cure))
    return graph.inputs[0]


def _image(
    path: Path,
    graph: Graph,
    is_assumed: bool,
    medium: Medium,
    normal: Normal,
    size: tuple[int, int] | None,
) -> Feed:
    value = only_input(graph, medium.name)
    pixels = medium.values
    pixels = eight_bits(pixels) if pixels.dtype == np.uint16 else pixels
    is_last, channels, declared = _layout(value, medium)
    planes, done = _planes(pixels, channels, medium.name)
    own = _laid(normal.apply(planes), is_last, value)
    size_note: tuple[str, ...] = ()
    if is_assumed and size is None:  # the image's own size, if the network takes it
        takes_it = attempt(path, graph, {value.name: own}) is not None
        declared = (None, None) if takes_it else declared
        size_note = () if takes_it else (f"{path} leaves its sizes open, {OWN_SIZE}",)
    target = size or _target(declared, (planes.shape[1], planes.shape[2]))
    if target != planes.shape[1:]:
        done.append(f"resized to {by_size(target)} ({METHOD})")
        own = _laid(normal.apply(resize(planes, target)), is_last, value)
    arrays = {value.name: own}
    sized = for_arrays(path, graph, is_assumed, arrays, "Name a size that it takes with --size")
    notes = (*size_note, *_told(graph, normal))
    return Feed(sized, arrays, medium, (*done, normal.said()), notes)


def attempt(path: Path, graph: Graph, arrays: Mapping[str, Array]) -> Graph | None:
    """The network for these inputs, if it takes them."""
    try:
        return for_arrays(path, graph, True, arrays)
    except GraphError:
        return None


def _told(graph: Graph, normal: Normal) -> tuple[str, ...]:
    """What is easily done wrong with the range of pixels."""
    is_ours = "recipe" in graph.metadata
    if is_ours and normal != Normal():
        return ("the model was trained by faltung and normalises pixels itself; this comes on top",)
    if is_ours or normal != Normal() or graph.inputs[0].dtype.startswith(("int", "uint")):
        return ()
    return ("pixels go in as 0 to 255; if the model wants others, say so with --mean and --std",)


def _layout(value: Value, medium: Medium) -> tuple[bool, int, tuple[int | None, int | None]]:
    """Whether channels are last, how many there are, and the size that is declared."""
    shape = value.shape
    if len(shape) != 4:
        rule = "an image goes to inputs (N, C, H, W)"
        values = {"input": value.name, "shape": _written(shape)}
        cure = "Give an array, in an .npy file"
        raise GraphError(message(medium.name, rule, values, cure))
    is_last = shape[3] in IMAGE_CHANNELS and shape[1] not in IMAGE_CHANNELS
    count, space = (shape[3], shape[1:3]) if is_last else (shape[1], shape[2:])
    own = 1 if medium.values.ndim == 2 else medium.values.shape[2]
    height, width = (n if isinstance(n, int) else None for n in space)
    return is_last, count if isinstance(count, int) else own, (height, width)


def _planes(pixels: Array, channels: int, name: str) -> tuple[Array, list[str]]:
    """(C, H, W) as float32 with the channels that the model takes, and what was done."""
    own = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels != own and channels not in IMAGE_CHANNELS:
        rule = "the image must have the channels that the model takes"
        raise GraphError(message(name, rule, {"image": own, "model": channels}, "Give an array"))
    done = {(3, 1): ["made grey (ITU-R BT.601)"], (1, 3): ["grey repeated over 3 channels"]}
    return channels_first(pixels, channels), list(done.get((own, channels), []))


def _target(declared: tuple[int | None, int | None], own: tuple[int, int]) -> tuple[int, int]:
    """The size to feed: what is declared; of a size half open the image's proportions.

    >>> _target((None, None), (30, 40)), _target((48, None), (96, 321)), _target((8, 9), (5, 5))
    ((30, 40), (48, 160), (8, 9))
    """
    height, width = declared
    if height is None and width is None:
        return own
    if height is not None:
        return height, max(1, round(own[1] * height / own[0])) if width is None else width
    assert width is not None
    return max(1, round(own[0] * width / own[1])), width


def _laid(planes: Array, is_last: bool, value: Value) -> Array:
    """A batch of one, in the model's layout and dtype."""
    x = planes.transpose(1, 2, 0) if is_last else planes
    if np.dtype(value.dtype).kind in "iu":
        x = to_depth(x, value.dtype).values
    return np.ascontiguousarray(x[None]).astype(value.dtype, copy=False)


def _sound(value: Value, medium: Medium) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Samples (1, C, frames) from -1 to 1; a model of one channel gets the mean of all."""
    assert medium.sound is not None
    samples, done = medium.values, ["samples -1 to 1"]
    wanted = value.shape[1] if len(value.shape) == 3 else None
    if samples.dtype.kind == "i":
        samples = samples / 2.0 ** (medium.sound.bits - 1)
    if wanted == 1 and samples.shape[1] > 1:
        samples, done = samples.mean(axis=1, keepdims=True), ["mean of the channels", *done]
    return {value.name: samples.T[None].astype(np.float32)}, tuple(done)


def _arrays(graph: Graph, medium: Medium, archive: dict[str, Array] | None) -> dict[str, Array]:
    """Arrays by the names of the inputs, the batch axis put in where it is missing."""
    names = [value.name for value in graph.inputs]
    if archive is None:
        arrays = {only_input(graph, medium.name).name: medium.values}
    elif len(names) == 1 and len(archive) == 1:
        arrays = {names[0]: next(iter(archive.values()))}
    else:
        arrays = archive
    if set(arrays) != set(names):
        rule = "the arrays must have the names of the model's inputs"
        values = {"arrays": sorted(arrays), "inputs": names}
        raise GraphError(message(medium.name, rule, values))
    ranks = {value.name: len(value.shape) for value in graph.inputs}
    return {n: a[None] if a.ndim == ranks[n] - 1 else a for n, a in arrays.items()}


def for_arrays(
    path: Path, graph: Graph, is_assumed: bool, arrays: Mapping[str, Array], cure: str = ""
) -> Graph:
    """The network for inputs of these shapes; read again where it was read for assumed ones.

    Raises
    ------
    GraphError
        It does not take them.
    """
    shapes: dict[str, Shape] = {name: array.shape for name, array in arrays.items()}
    try:
        read = load(path, shapes) if is_assumed else graph
        sized = read.with_input_shape(shapes)
        sized.shapes()
    except FaltungError as error:
        takes = ", ".join(f"{v.name} {_written(v.shape)}" for v in graph.inputs)
        got = ", ".join(f"{name} {_written(shape)}" for name, shape in shapes.items())
        cause = str(error).removeprefix(f"{path}: ").rstrip(".")
        rule = f"does not take inputs of this shape ({cause})"
        raise GraphError(message(str(path), rule, {"takes": takes, "given": got}, cure)) from error
    return sized


def _written(shape: Sequence[object]) -> str:
    return f"({', '.join(map(str, shape))})"


def _numbers(values: Sequence[float]) -> str:
    """Numbers as they are typed.

    >>> _numbers((0.5, 1.0))
    '0.5,1'
    """
    return ",".join(f"{value:g}" for value in values)
