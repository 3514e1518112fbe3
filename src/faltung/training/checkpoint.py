"""Checkpoints: one safetensors file each, which holds all that the next step depends on.

Tensors are named ``params/<name>``, ``state/<name>``, ``moments/<moment>/<name>`` and
``best/<word>/<name>``. The header's metadata has one entry, ``faltung``: a JSON text
``{"content": {...}, "sha256": "..."}``, where the digest is over the content and every tensor
(name, dtype, shape, bytes). So a file that was cut, patched or made by something else is never
taken for a checkpoint, and the same numbers make the same file. Files are written through
`faltung.atomic`: a crash leaves the old file or the new one.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from faltung import atomic
from faltung.errors import CheckpointError, FaltungError, StorageError, message
from faltung.training.environment import JSON, differences, environment
from faltung.training.state import Array, TrainState

__all__ = [
    "checkpoints",
    "differences",
    "environment",
    "latest",
    "load",
    "prune",
    "save",
    "step_path",
]

_FORMAT = 1
_COUNTERS = ("seed", "step", "epoch", "batch")
_NAME = re.compile(r"step-(\d{8,})\.safetensors")


def save(path: str | Path, train_state: TrainState, meta: Mapping[str, JSON]) -> None:
    """Write a checkpoint, wholly or not at all.

    Parameters
    ----------
    path : str or path
        The file to make or replace, such as `step_path` names it.
    train_state : TrainState
        Booleans, integers and floats of NumPy's own sizes.
    meta : mapping of str to JSON
        What else a resumed run must know (settings, the net, counters of early stopping). It comes
        back as JSON keeps it: tuples as lists. ``"environment"`` is replaced by today's.

    Raises
    ------
    CheckpointError
        ``meta`` is not JSON (NaN and infinity are not), or an array's dtype has no place in a
        safetensors file.
    StorageError
        The file cannot be written.
    """
    tensors = _flatten(train_state)
    for name, values in tensors.items():
        if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
            rule = f"{name} has a dtype that the file cannot hold"
            raise CheckpointError(message(f"checkpoint {path}", rule, {"dtype": values.dtype}))
    content = _canonical(path, _content(train_state, meta))
    record = {"content": json.loads(content), "sha256": _digest(content, tensors)}
    data = safetensors.numpy.save(tensors, {"faltung": json.dumps(record, sort_keys=True)})
    atomic.write_bytes(path, data)


def load(path: str | Path, like: TrainState | None = None) -> tuple[TrainState, dict[str, JSON]]:
    """Read a checkpoint; everything about it is checked before any of it is used.

    Parameters
    ----------
    path : str or path
        A file that `save` wrote.
    like : TrainState, optional
        A fresh state of the run it should belong to: names, shapes and dtypes of parameters, state
        and moments must be the same.

    Returns
    -------
    train_state : TrainState
        Owning its arrays.
    meta : dict
        As given to `save`, and ``"environment"``: what `environment` said then.

    Raises
    ------
    CheckpointError
        Not a safetensors file, cut or damaged, not a checkpoint, one of a later version, or one
        of another network; the message names the file and the cause.
    StorageError
        The file cannot be read.
    """
    tensors, content = _read(Path(path))
    try:
        train_state = _state(tensors, content)
        meta = {**content["meta"], "environment": content["environment"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _wrong(path, f"its record is not that of a checkpoint ({error})") from error
    _check_moments(path, train_state)
    if like is not None:
        _check_like(path, train_state, like)
    return train_state, meta


def step_path(folder: str | Path, step: int) -> Path:
    """Name of the checkpoint after a step.

    >>> step_path("runs", 1200).name
    'step-00001200.safetensors'
    """
    return Path(folder) / f"step-{step:08d}.safetensors"


def checkpoints(folder: str | Path) -> list[tuple[int, Path]]:
    """(step, path) of all that is named like a checkpoint, oldest first; none without a folder."""
    try:
        paths = list(Path(folder).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StorageError(message(str(folder), f"cannot be read, {error.strerror}")) from error
    found = [(_NAME.fullmatch(path.name), path) for path in paths]
    return sorted((int(match[1]), path) for match, path in found if match)


def latest(folder: str | Path, *, note: Callable[[str], object] | None = None) -> Path | None:
    """Newest checkpoint of a folder that is whole, or None; unfinished files are no candidates.

    Parameters
    ----------
    folder : str or path
        Where a run keeps its checkpoints.
    note : callable, optional
        Told about each damaged file that was passed over, in one line; by default a warning.
    """
    for step, path in reversed(checkpoints(folder)):
        try:
            found = load(path)[0].step
            if found != step:
                raise _wrong(path, f"its name says step {step}, its content step {found}")
        except FaltungError as error:
            (note or _warn)(f"passed over: {error}")
        else:
            return path
    return None


def prune(newest: Path, keep: int) -> list[Path]:
    """Remove checkpoints older than ``newest`` but for the last ``keep``, which includes it.

    Those of later steps stay: they are damaged ones that a resumed run went behind, and must not
    count in place of whole ones. Temporaries that a crash left are removed when stale.

    Returns
    -------
    list of path
        What was removed.

    Raises
    ------
    CheckpointError
        ``keep`` is below 1, or ``newest`` is not there.
    StorageError
        A file cannot be removed.
    """
    if keep < 1:
        raise CheckpointError(message("prune", "keep must be at least 1", {"keep": keep}))
    steps = {path: step for step, path in checkpoints(newest.parent)}
    if newest not in steps:
        raise _wrong(newest, "there is no such file to keep")
    older = [path for path, step in steps.items() if step < steps[newest]]
    removed = older[: max(0, len(older) - (keep - 1))]
    for path in removed:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                message(str(path), f"cannot be removed, {error.strerror}")
            ) from error
    atomic.remove_stale(newest.parent)
    return removed


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


def _wrong(path: str | Path, cause: str) -> CheckpointError:
    return CheckpointError(message(f"checkpoint {path}", cause))


def _flatten(train_state: TrainState) -> dict[str, Array]:
    groups = {"params": train_state.params, "state": train_state.state}
    groups |= {f"moments/{word}": arrays for word, arrays in train_state.moments.items()}
    groups |= {f"best/{word}": arrays for word, arrays in train_state.best.items()}
    return {
        f"{group}/{name}": np.ascontiguousarray(values).reshape(values.shape)
        for group, arrays in groups.items()
        for name, values in arrays.items()
    }


def _content(train_state: TrainState, meta: Mapping[str, JSON]) -> dict[str, JSON]:
    """What the header says beside the tensors."""
    return {
        "format": _FORMAT,
        **{name: int(getattr(train_state, name)) for name in _COUNTERS},
        "moments": list(train_state.moments),  # a moment may be without arrays
        "best": list(train_state.best),
        "dtype": sorted({values.dtype.name for values in train_state.params.values()}),
        "environment": environment(),
        "meta": {name: value for name, value in meta.items() if name != "environment"},
    }


def _canonical(path: str | Path, content: object) -> str:
    """One text for one content: keys sorted, and as a reader will find them."""
    try:
        plain = json.loads(json.dumps(content, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise _wrong(path, f"its meta must be JSON ({error})") from error
    return json.dumps(plain, sort_keys=True)


def _digest(content: str, tensors: Mapping[str, Array]) -> str:
    """SHA-256 over the content and each tensor's name, dtype, shape and little-endian bytes."""
    digest = hashlib.sha256(content.encode())
    for name in sorted(tensors):
        values = tensors[name]
        digest.update(json.dumps([name, values.dtype.name, values.shape]).encode())
        digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Tensors and content of a file whose digest is right."""
    try:
        data = path.read_bytes()  # not mapped: a file that is cut meanwhile would end the process
    except OSError as error:
        raise StorageError(message(str(path), f"cannot be read, {error.strerror}")) from error
    try:
        tensors = safetensors.numpy.load(data)
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__") or {}
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise _wrong(path, f"not a safetensors file, or cut or damaged ({error})") from error
    if "faltung" not in metadata:
        raise _wrong(path, "a safetensors file, but not a checkpoint of faltung")
    try:
        record = json.loads(metadata["faltung"])
        content, digest = record["content"], record["sha256"]
        is_whole = digest == _digest(_canonical(path, content), tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise _wrong(path, "its record is damaged") from error
    if not is_whole:
        raise _wrong(path, "damaged, its content does not have the SHA-256 it records")
    if content.get("format") != _FORMAT:
        raise _wrong(path, f"its format is {content.get('format')}, this version reads {_FORMAT}")
    return tensors, content


def _state(tensors: Mapping[str, Array], content: Mapping[str, Any]) -> TrainState:
    groups: dict[str, dict[str, Array]] = {"params": {}, "state": {}}
    groups |= {f"moments/{word}": {} for word in content["moments"]}
    groups |= {f"best/{word}": {} for word in content["best"]}
    for full, values in tensors.items():
        top, _, rest = full.partition("/")
        word, _, tail = rest.partition("/")
        group, name = (top, rest) if top in ("params", "state") else (f"{top}/{word}", tail)
        groups[group][name] = values
    return TrainState(
        groups["params"],
        groups["state"],
        {word: groups[f"moments/{word}"] for word in content["moments"]},
        best={word: groups[f"best/{word}"] for word in content["best"]},
        **{name: int(content[name]) for name in _COUNTERS},
    )


def _check_moments(path: str | Path, train_state: TrainState) -> None:
    for word, arrays in train_state.moments.items():
        _check_group(path, f"moments/{word}", arrays, train_state.params)


def _check_like(path: str | Path, train_state: TrainState, like: TrainState) -> None:
    _check_group(path, "params", train_state.params, like.params)
    _check_group(path, "state", train_state.state, like.state)
    if list(train_state.moments) != list(like.moments):
        then, now = list(train_state.moments), list(like.moments)
        raise _wrong(path, f"another optimiser wrote it, its moments are {then}, not {now}")


def _check_group(
    path: str | Path, group: str, arrays: Mapping[str, Array], wanted: Mapping[str, Array]
) -> None:
    for name in [*wanted, *arrays]:
        if name not in arrays:
            raise _wrong(path, f"{group}/{name} is missing")
        if name not in wanted:
            raise _wrong(path, f"{group}/{name} belongs to another network")
        found, asked = arrays[name], wanted[name]
        if (found.shape, found.dtype) != (asked.shape, asked.dtype):
            shapes = f"{found.dtype} {found.shape}, not {asked.dtype} {asked.shape}"
            raise _wrong(path, f"{group}/{name} is {shapes}")
