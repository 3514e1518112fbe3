from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from faltung import datasets
from faltung.datasets import Dataset, load, load_pair
from faltung.errors import DatasetError


def test_names_are_sorted_and_there() -> None:
    assert datasets.__all__ == sorted(datasets.__all__)
    assert all(hasattr(datasets, name) for name in datasets.__all__)


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        (("sample",), {"split": "validation"}, "no such part, got split='validation'"),
        (("no/such/place",), {}, r"no/such/place: there is no such data set\. Use a file or fold"),
        (("mnits",), {}, "mnits: there is no such data set.*one of sample, mnist, fashion-mnist"),
        ((__file__,), {}, "is none of the files that are read"),
        ((__file__,), {"data_dir": "."}, "a data folder goes with a named data set"),
    ],
)
def test_what_cannot_be_found_is_named(arguments, options, text: str) -> None:
    with pytest.raises(DatasetError, match=text):
        load(*arguments, **options)


def test_paths_may_be_path_objects(idx_folder: Path) -> None:
    assert isinstance(load(idx_folder), Dataset)
    assert isinstance(load(str(idx_folder)), Dataset)


def test_a_path_wins_over_a_name_only_with_a_slash(tmp_path: Path, monkeypatch, idx_folder) -> None:
    monkeypatch.chdir(tmp_path)
    idx_folder.rename(tmp_path / "sample")
    assert len(load("sample")) == 6000
    assert len(load("./sample")) == 6


def test_what_is_held_out_depends_on_the_seed_alone(tmp_path: Path) -> None:
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1)
    np.savez(tmp_path / "d.npz", images=images, labels=np.arange(100) % 2)
    first, again, other = (load_pair(tmp_path / "d.npz", seed=seed)[1] for seed in (0, 0, 1))
    assert first.class_counts == (8, 8)
    assert (first.images == again.images).all()
    assert (first.images != other.images).any()


def test_reading_arrays_loads_neither_pillow_nor_pooch() -> None:
    code = (
        "import sys; from faltung.datasets import load; load('sample');"
        "print([name for name in ('PIL', 'pooch', 'requests', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
