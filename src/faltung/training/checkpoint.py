"""Checkpoints: one safetensors file each, which holds all that the next step depends on.

Tensors are named ``params/<name>``, ``state/<name>``, ``moments/<moment>/<name>`` and
``best/<word>/<name>``; `faltung.training.record` says what the header holds, and why a file that is
not whole is never taken for a checkpoint. A crash leaves the old file or the new one.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from faltung import atomic
from faltung.errors import CheckpointError, FaltungError, StorageError, message
from faltung.training import environment as now
from faltung.training.environment import JSON, environment
from faltung.training.record import read, write, wrong
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
    write(path, _flatten(train_state), _content(train_state, meta))


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
    tensors, content = read(path)
    try:
        train_state = _state(tensors, content)
        meta = {**content["meta"], "environment": dict(content["environment"])}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise wrong(path, f"its record is not that of a checkpoint ({error})") from error
    _check_moments(path, train_state)
    if like is not None:
        _check_like(path, train_state, like)
    return train_state, meta


def differences(meta: Mapping[str, JSON]) -> list[str]:
    """Where this process differs from the one that wrote a checkpoint: there, bits may differ too.

    Parameters
    ----------
    meta : mapping
        As `load` returns it.

    Returns
    -------
    list of str
        One line each, as ``"threads was 2, is 4"``; empty where bits are the same.
    """
    then = meta["environment"]
    return now.differences(then if isinstance(then, Mapping) else {})


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
                raise wrong(path, f"its name says step {step}, its content step {found}")
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
        raise wrong(newest, "there is no such file to keep")
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
        **{name: int(getattr(train_state, name)) for name in _COUNTERS},
        "moments": list(train_state.moments),  # a moment may be without arrays
        "best": list(train_state.best),
        "dtype": sorted({values.dtype.name for values in train_state.params.values()}),
        "environment": environment(),
        "meta": {name: value for name, value in meta.items() if name != "environment"},
    }


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
        raise wrong(path, f"another optimiser wrote it, its moments are {then}, not {now}")


def _check_group(
    path: str | Path, group: str, arrays: Mapping[str, Array], wanted: Mapping[str, Array]
) -> None:
    for name in [*wanted, *arrays]:
        if name not in arrays:
            raise wrong(path, f"{group}/{name} is missing")
        if name not in wanted:
            raise wrong(path, f"{group}/{name} belongs to another network")
        found, asked = arrays[name], wanted[name]
        if (found.shape, found.dtype) != (asked.shape, asked.dtype):
            shapes = f"{found.dtype} {found.shape}, not {asked.dtype} {asked.shape}"
            raise wrong(path, f"{group}/{name} is {shapes}")
