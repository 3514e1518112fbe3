"""What a model answered: classes with their probabilities, or figures; and into which file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung import ops
from faltung.cli.media import Medium, Written
from faltung.errors import FileFormatError, GraphError, message
from faltung.files.archive import write_archive
from faltung.files.array import write_array
from faltung.files.depth import to_depth
from faltung.files.image import WRITTEN, write_image
from faltung.files.parsing import file_bytes
from faltung.files.sound import Sound, write_sound
from faltung.graph import Graph
from faltung.graph.graph import producers

Array = NDArray[Any]
SUFFIXES = (".npy", ".npz", *WRITTEN, ".wav")
PASSING = (ops.Identity, ops.Flatten, ops.Reshape, ops.Squeeze, ops.Dropout)
"""Operators behind which scores are what they were."""


@dataclass(frozen=True)
class Guess:
    """One class: its number, its name, the model's score and what that means as a probability."""

    index: int
    name: str
    score: float
    probability: float


@dataclass(frozen=True, eq=False)
class Answer:
    """The classes of one output, the most probable first, and where the probabilities are from."""

    guesses: tuple[Guess, ...]
    source: str


def class_output(graph: Graph) -> tuple[str, int] | None:
    """The only output and its number of classes, if it is (1, K) or (1, K, 1, 1)."""
    if len(graph.outputs) != 1:
        return None
    shape = graph.shapes()[graph.outputs[0]]
    if len(shape) < 2 or shape[0] != 1 or any(n != 1 for n in shape[2:]):
        return None
    return (graph.outputs[0], shape[1]) if isinstance(shape[1], int) and shape[1] else None


def answer(graph: Graph, scores: Array, names: Sequence[str], most: int) -> Answer:
    """Rank the classes of one output."""
    row = np.asarray(scores, np.float64).reshape(-1)
    shares, source = probabilities(graph, row, np.asarray(scores).dtype)
    order = np.argsort(-shares, kind="stable")[:most]
    guesses = [Guess(int(i), names[i], float(row[i]), float(shares[i])) for i in order]
    return Answer(tuple(guesses), source)


def probabilities(graph: Graph, row: Array, dtype: np.dtype[Any]) -> tuple[Array, str]:
    """Scores as probabilities, and how they became them.

    The model's last operator says it; else numbers from 0 that add up to 1, but for the rounding
    of so many terms, are probabilities already, and others get a softmax.
    """
    last = last_operator(graph)
    if isinstance(last, ops.LogSoftmax):
        return np.exp(row), "exponentials: the model ends in a logarithmic softmax"
    if isinstance(last, ops.Softmax):
        return row, "the model ends in a softmax"
    if isinstance(last, ops.Sigmoid):
        return row, "the model ends in a sigmoid: each class by itself"
    if len(row) == 1:
        return np.exp(-np.logaddexp(0, -row)), "the logistic function of the one score"
    eps = float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0
    if row.min() >= 0 and abs(row.sum() - 1) <= 4 * len(row) * eps:
        return row, "the scores add up to 1 already"
    shifted = np.exp(row - row.max())
    return shifted / shifted.sum(), "softmax of the scores"


def last_operator(graph: Graph) -> object:
    """The operator that made the numbers of the only output."""
    made, name = producers(graph.nodes), graph.outputs[0]
    while name in made and isinstance(made[name].operator, PASSING):
        name = made[name].inputs[0]
    return made[name].operator if name in made else None


def read_labels(path: str, classes: int) -> list[str]:
    """The names of classes, one a line; empty lines at the end do not count.

    Raises
    ------
    FileFormatError
        It is no text, or has another number of names.
    """
    try:
        lines = file_bytes(Path(path)).decode("utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise FileFormatError(message(path, "the labels must be UTF-8 text")) from error
    if len(lines) != classes:
        rule = "there must be one label a line for each class"
        raise FileFormatError(message(path, rule, {"labels": len(lines), "classes": classes}))
    return [line.strip() for line in lines]


def check_out(out: str | None) -> None:
    """Refuse a file that could not be written, before anything is computed.

    Raises
    ------
    FileFormatError
        Its suffix is none that is written, or its folder is not there.
    """
    if out is None:
        return
    path = Path(out)
    if path.suffix.lower() not in SUFFIXES:
        rule, cure = "its suffix names no format to write", f"Use one of {', '.join(SUFFIXES)}"
        raise FileFormatError(message(out, rule, {"suffix": repr(path.suffix)}, cure))
    if not path.parent.is_dir():
        rule, cure = "cannot be written, its folder does not exist", "Make the folder first"
        raise FileFormatError(message(out, rule, None, cure))


def check_kind(out: str | None, graph: Graph, medium: Medium) -> None:
    """Refuse a format that does not hold what the model puts out, before it runs.

    Raises
    ------
    GraphError
        Several outputs and one array; an image or a sound that is none.
    """
    if out is None or Path(out).suffix.lower() == ".npz":
        return
    suffix = Path(out).suffix.lower()
    if len(graph.outputs) != 1:
        rule, cure = "the model has several outputs", "Write them all to an .npz file"
        raise GraphError(message(out, rule, {"outputs": list(graph.outputs)}, cure))
    shape = graph.shapes()[graph.outputs[0]]
    if suffix == ".wav" and (len(shape) != 3 or shape[0] != 1 or medium.sound is None):
        rule, cure = "only a sound that became (1, C, frames) is written as sound", "Write .npy"
        raise GraphError(message(out, rule, {"output": shape}, cure))
    is_image = len(shape) == 4 and shape[0] == 1 and shape[1] in (1, 3) and 0 not in shape
    if suffix in WRITTEN and not is_image:
        rule = "only (1, 1, H, W) and (1, 3, H, W) are written as images"
        raise GraphError(message(out, rule, {"output": shape}, "Write .npy"))


def write(out: str, values: Mapping[str, Array], medium: Medium) -> tuple[Written, str]:
    """Write the outputs as the suffix says; what was written, and how values became pixels."""
    path, only = Path(out), next(iter(values.values()))
    suffix = path.suffix.lower()
    if suffix == ".npz":
        write_archive(path, values)
        kinds = sorted({array.dtype.name for array in values.values()})
        return Written(out, ", ".join(kinds), 0, sum(a.size for a in values.values())), ""
    if suffix == ".npy":
        write_array(path, only)
        return Written(out, only.dtype.name, 0, only.size), ""
    if suffix == ".wav":
        assert medium.sound is not None
        samples = np.ascontiguousarray(only[0].T.astype(np.float32))
        write_sound(path, Sound(samples, medium.sound.rate, 32))
        return Written(out, "float32", 0, only.size), "samples as they are"
    return _write_image(path, only[0])


def _write_image(path: Path, planes: Array) -> tuple[Written, str]:
    image = planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0)
    if path.suffix.lower() in (".tif", ".tiff") and image.ndim == 2:
        write_image(path, image.astype(np.float32))
        return Written(str(path), "float32", 0, image.size), "values as they are"
    scaled, how = scaled_pixels(image)
    fitted = to_depth(scaled, np.uint8)
    write_image(path, fitted.values)
    return Written(str(path), "uint8", fitted.clipped, image.size), how


def scaled_pixels(image: Array) -> tuple[Array, str]:
    """Values as pixels from 0 to 255, and by which rule.

    >>> scaled_pixels(np.array([0.0, 0.5]))
    (array([  0. , 127.5]), '0 to 1 became 0 to 255')
    >>> scaled_pixels(np.array([-1.0, 3.0]))
    (array([  0., 255.]), '-1 to 3 became 0 to 255')
    """
    low, high = float(image.min()), float(image.max())
    if image.dtype.kind in "iu" and low >= 0 and high <= 255:
        return image, "values as they are"
    if low >= 0 and high <= 1:
        return image * 255.0, "0 to 1 became 0 to 255"
    if low >= 0 and high <= 255:
        return image, "values as they are, rounded"
    spread = (image.astype(np.float64) - low) * (255.0 / ((high - low) or 1.0))
    return spread, f"{low:.4g} to {high:.4g} became 0 to 255"
