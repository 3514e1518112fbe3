"""What a run leaves in its folder: checkpoints and metrics, and how it comes back from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faltung.datasets import Dataset
from faltung.errors import CheckpointError, StorageError, message
from faltung.graph.graph import Graph
from faltung.training import checkpoint, record
from faltung.training.environment import JSON, differences
from faltung.training.listener import Listener
from faltung.training.progress import Progress
from faltung.training.run import Run

CHECKPOINTS = "checkpoints"
METRICS = "metrics.jsonl"
_KEPT = 2  # the newest, and one before it should a disk damage that


def prepare(out: Path) -> Path:
    """Make the folders of a run; returns that of its checkpoints.

    Raises
    ------
    StorageError
        A folder cannot be made; the message names it and the cause.
    """
    folder = out / CHECKPOINTS
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(message(str(folder), f"cannot be made, {error.strerror}")) from error
    return folder


def save(folder: Path, run: Run) -> Path:
    """Write a checkpoint of this moment and remove those that are not needed any more."""
    path = checkpoint.step_path(folder, run.train_state.step)
    checkpoint.save(path, run.train_state, _meta(run))
    checkpoint.prune(path, _KEPT)
    return path


def restore(folder: Path, run: Run, listener: Listener) -> None:
    """Put a fresh run where its newest whole checkpoint stands; without one it stays as it is.

    Raises
    ------
    CheckpointError
        The checkpoint is that of another run; the message says what differs.
    """
    path = checkpoint.latest(folder, note=listener.note)
    if path is None:
        listener.note(f"no checkpoint in {folder}, so training starts at the beginning")
        return
    train_state, meta = checkpoint.load(path)
    _check_same_run(path, run, meta)
    other: Any = meta["environment"]
    if changed := differences(other):
        listener.note(f"bits may differ from a run never stopped: {'; '.join(changed)}")
    counters: Any = meta["progress"]
    run.train_state, run.progress = train_state, Progress.from_json(counters)


def clear(folder: Path, listener: Listener) -> None:
    """Remove the checkpoints of an earlier run: its later steps must not stand for this one's."""
    earlier = checkpoint.checkpoints(folder)
    try:
        for _, path in earlier:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(message(str(path), f"cannot be removed, {error.strerror}")) from error
    if earlier:
        listener.note(f"removed {len(earlier)} checkpoints of an earlier run from {folder}")


def _meta(run: Run) -> dict[str, JSON]:
    return {
        "recipe": run.recipe.to_json(),
        "identity": identity(run),
        "progress": run.progress.to_json(),
    }


def identity(run: Run) -> dict[str, JSON]:
    """Digests of what, beside the recipe, decides a run; each is named as one that differs."""
    return {
        "another network": structure_digest(run.graph),
        "other first weights": record.digest("", {**run.graph.params, **run.graph.state}),
        "other training images": data_digest(run.images),
        "other validation images": "" if run.held_out is None else data_digest(run.held_out),
    }


def _check_same_run(path: Path, run: Run, meta: Mapping[str, Any]) -> None:
    missing = {"recipe", "identity", "progress"} - set(meta)
    if missing:
        rule = f"not that of a training run, its record has no {', '.join(sorted(missing))}"
        raise CheckpointError(message(f"checkpoint {path}", rule))
    then = meta["identity"]
    changed = run.recipe.differences(meta["recipe"])
    changed += [other for other, digest in identity(run).items() if then.get(other) != digest]
    if changed:
        cure = "Repeat the settings it was started with, or choose another folder"
        rule = f"belongs to another run: {'; '.join(changed)}"
        raise CheckpointError(message(f"checkpoint {path}", rule, None, cure))


def structure_digest(graph: Graph) -> str:
    """Digest of a network without its numbers: inputs, operators, wiring."""
    nodes = [[n.name, repr(n.operator), n.inputs, n.outputs] for n in graph.nodes]
    inputs = [[v.name, v.shape, v.dtype] for v in graph.inputs]
    return record.digest(json.dumps([inputs, nodes, graph.outputs]), {})


def data_digest(data: Dataset) -> str:
    """Digest of images, labels and class names, in their order."""
    return record.digest(json.dumps(data.classes), {"images": data.images, "labels": data.labels})
