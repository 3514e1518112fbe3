"""Metrics files: whole lines, whatever happened before."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from faltung.errors import StorageError
from faltung.training.metrics import Metrics, read_rows


def test_rows_come_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with Metrics(path) as metrics:
        metrics.append("step", {"step": 1, "loss": 0.1 + 0.2})
        metrics.append("epoch", {"step": 1, "validation_loss": None})
        assert len(read_rows(path)) == 2  # each row is there at once
    assert read_rows(path) == [
        {"kind": "step", "step": 1, "loss": 0.1 + 0.2},
        {"kind": "epoch", "step": 1, "validation_loss": None},
    ]


def test_rows_up_to_a_step_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with Metrics(path) as metrics:
        for step in range(1, 6):
            metrics.append("step", {"step": step})
    with Metrics(path, keep=3) as metrics:
        metrics.append("step", {"step": 4, "again": True})
    assert [row["step"] for row in read_rows(path)] == [1, 2, 3, 4]
    with Metrics(path):
        pass
    assert read_rows(path) == []


def test_what_is_no_row_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n{"st\n[2]\n{"step": "3"}\n\xff\n{"step": 4}\n{"step": 5}')
    assert [row["step"] for row in read_rows(path)] == [1, 4]
    with Metrics(path, keep=9) as metrics:
        metrics.append("step", {"step": 6})
    assert [row["step"] for row in read_rows(path)] == [1, 4, 6]
    assert len(path.read_bytes().splitlines()) == 3


def test_without_a_path_nothing_is_written(tmp_path: Path) -> None:
    with Metrics(None) as metrics:
        metrics.append("step", {"step": 1})
    assert list(tmp_path.iterdir()) == []
    assert read_rows(tmp_path / "none.jsonl") == []


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written, its folder does not exist"):
        Metrics(tmp_path / "none" / "metrics.jsonl")
    with pytest.raises(StorageError, match=re.escape(f"{tmp_path}: cannot be read, Is a")):
        read_rows(tmp_path)


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("faltung.training.metrics._open", refuse)
    with pytest.raises(StorageError, match=r"metrics\.jsonl: cannot be written, Permission denied"):
        Metrics(tmp_path / "metrics.jsonl")


@pytest.mark.parametrize("written", [0, 5, None])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int | None) -> None:
    def full(*_: object) -> int:
        if written is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written

    path = tmp_path / "metrics.jsonl"
    with Metrics(path) as metrics:
        monkeypatch.setattr("faltung.training.metrics._write", full)
        text = "the disk is full" if written is not None else "No space left on device"
        with pytest.raises(StorageError, match=re.escape(f"{path}: cannot be written, {text}")):
            metrics.append("step", {"step": 1})
