"""Folders of runs: which one a run gets, what lies in it, and which is the newest."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from faltung import atomic
from faltung.cli.settings import Settings
from faltung.errors import CheckpointError, StorageError, message
from faltung.training.checkpoint import checkpoints
from faltung.training.journal import CHECKPOINTS, METRICS

RUNS = Path("runs")
MODEL = "model.onnx"
REPORT = "report.html"
RECORD = "run.json"


def new_folder(out: str | None, name: str, *, is_forced: bool) -> Path:
    """Make the folder of a new run: the one asked for, else ``runs/<name>`` with a free number.

    Raises
    ------
    StorageError
        It cannot be made, or holds a run already and is not to be replaced.
    """
    if out is None:
        return _numbered(name)
    folder = Path(out)
    _make(folder)
    if holds_run(folder) and not is_forced:
        rule = "holds a run already"
        cure = "Continue it with --resume, replace it with --force, or choose another --out"
        raise StorageError(message(str(folder), rule, None, cure))
    for name in (MODEL, REPORT):  # else they would pass for the new run's
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            rule = f"cannot be replaced, {error.strerror}"
            raise StorageError(message(str(folder / name), rule)) from error
    return folder


def _numbered(name: str) -> Path:
    """A folder of our own: making it is the claim, so that two runs never share one."""
    for number in count(1):
        folder = RUNS / (name if number == 1 else f"{name}-{number}")
        if not folder.exists():
            try:
                _make(folder, may_exist=False)
            except FileExistsError:
                continue
            return folder
    raise AssertionError("count() does not end")


def _make(folder: Path, *, may_exist: bool = True) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=may_exist)
    except FileExistsError as error:
        if not may_exist:
            raise
        rule, cure = "is a file, not a folder", "Choose another --out"
        raise StorageError(message(str(folder), rule, None, cure)) from error
    except OSError as error:
        rule, cure = f"cannot be made, {error.strerror}", "Choose another folder with --out"
        raise StorageError(message(str(folder), rule, None, cure)) from error


def remove_vain(folder: Path) -> None:
    """Remove the folder of a run that failed before it had anything to come back to."""
    if holds_run(folder):
        return
    with contextlib.suppress(OSError):  # what stays is only litter
        for name in (RECORD, METRICS):
            (folder / name).unlink(missing_ok=True)
        for empty in (folder / CHECKPOINTS, folder):
            empty.rmdir()


def holds_run(folder: Path) -> bool:
    """Whether something would be lost by starting anew here."""
    return (folder / MODEL).exists() or bool(checkpoints(folder / CHECKPOINTS))


def folder_to_resume(out: str | None) -> Path:
    """The folder asked for, or that of the newest run that is not finished.

    Raises
    ------
    CheckpointError
        No run was ever started there.
    """
    if out is None:
        records = _newest_first(RUNS.glob(f"*/{RECORD}"))
        open_runs = [path.parent for path in records if not (path.parent / MODEL).exists()]
        if not open_runs:
            rule, cure = "there is no unfinished run to resume", "Name its folder with --out"
            raise CheckpointError(message(f"{RUNS}/", rule, None, cure))
        return open_runs[0]
    folder = Path(out)
    if not (folder / RECORD).is_file() and not checkpoints(folder / CHECKPOINTS):
        rule, cure = "there is no checkpoint to resume from", "Train without --resume first"
        raise CheckpointError(message(str(folder), rule, None, cure))
    return folder


def write_record(folder: Path, settings: Settings) -> None:
    """Write down what the run was asked for."""
    text = json.dumps(settings.to_json(), indent=2)
    atomic.write_bytes(folder / RECORD, text.encode() + b"\n")


def read_record(folder: Path) -> Settings | None:
    """The settings of the run in a folder; None where no run left any.

    Raises
    ------
    CheckpointError
        What lies there is no record of a run.
    """
    path = folder / RECORD
    try:
        record: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(message(str(path), f"cannot be read, {error.strerror}")) from error
    except ValueError as error:
        raise CheckpointError(message(str(path), "is no record of a run (not JSON)")) from error
    if not isinstance(record, Mapping):
        raise CheckpointError(message(str(path), "is no record of a run (no JSON object)"))
    return Settings.from_json(record, path)


def newest_model() -> Path | None:
    """The model under ``runs/`` that was written last."""
    return next(iter(_newest_first(RUNS.glob(f"*/{MODEL}"))), None)


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: (path.stat().st_mtime_ns, str(path)), reverse=True)
