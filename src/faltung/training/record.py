"""One file of named arrays and a JSON content, under one digest.

A safetensors file whose header's metadata has one entry, ``faltung``: the JSON text
``{"content": {...}, "sha256": "..."}``. The digest is over the content and every array (name,
dtype, shape, bytes), so a file that was cut, patched or made by something else is never taken for
one of ours, and the same numbers make the same file. Written through `faltung.atomic`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.numpy

from faltung import atomic
from faltung.errors import CheckpointError, StorageError, message
from faltung.training.state import Array

FORMAT = 1


def write(path: str | Path, tensors: Mapping[str, Array], content: Mapping[str, object]) -> None:
    """Make or replace a file, wholly or not at all; the content gets the ``format`` of today.

    Raises
    ------
    CheckpointError
        The content is not JSON, or an array's dtype has no place in a safetensors file.
    StorageError
        The file cannot be written.
    """
    for name, values in tensors.items():
        if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
            rule = f"{name} has a dtype that the file cannot hold"
            raise CheckpointError(message(f"checkpoint {path}", rule, {"dtype": values.dtype}))
    text = _canonical(path, {**content, "format": FORMAT})
    record = {"content": json.loads(text), "sha256": digest(text, tensors)}
    metadata = {"faltung": json.dumps(record, sort_keys=True)}
    atomic.write_bytes(path, safetensors.numpy.save(dict(tensors), metadata))


def read(path: str | Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays (views of one buffer) and content of a file that `write` made.

    Raises
    ------
    CheckpointError
        Not a safetensors file, cut or damaged, not one of ours, or of another format.
    StorageError
        The file cannot be read.
    """
    tensors, metadata = _parse(path)
    if "faltung" not in metadata:
        raise wrong(path, "a safetensors file, but not a checkpoint of faltung")
    try:
        record = json.loads(metadata["faltung"])
        content, expected = record["content"], record["sha256"]
        is_whole = expected == digest(_canonical(path, content), tensors)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise wrong(path, "its record is damaged") from error
    if not is_whole:
        raise wrong(path, "damaged, its content does not have the SHA-256 it records")
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise wrong(path, f"its format is {found}, this version reads {FORMAT}")
    return tensors, content


def wrong(path: str | Path, cause: str) -> CheckpointError:
    """Name a file and what is the matter with it."""
    return CheckpointError(message(f"checkpoint {path}", cause))


def _parse(path: str | Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Arrays and metadata of a safetensors file, read at once."""
    try:
        data = Path(path).read_bytes()  # not mapped: a file cut meanwhile would end the process
    except OSError as error:
        raise StorageError(message(str(path), f"cannot be read, {error.strerror}")) from error
    try:
        tensors = safetensors.numpy.load(data)
        size = int.from_bytes(data[:8], "little")
        return tensors, json.loads(data[8 : 8 + size]).get("__metadata__") or {}
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise wrong(path, f"not a safetensors file, or cut or damaged ({error})") from error


def digest(content: str, tensors: Mapping[str, Array]) -> str:
    """SHA-256 over the content and each tensor's name, dtype, shape and little-endian bytes."""
    total = hashlib.sha256(content.encode())
    for name in sorted(tensors):
        values = tensors[name]
        total.update(json.dumps([name, values.dtype.name, values.shape]).encode())
        total.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    return total.hexdigest()


def _canonical(path: str | Path, content: object) -> str:
    """One text for one content: keys sorted, and as a reader will find them."""
    try:
        plain = json.loads(json.dumps(content, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise wrong(path, f"its meta must be JSON ({error})") from error
    return json.dumps(plain, sort_keys=True)
