"""The digits that ship inside the package, and the script that chose them."""

from __future__ import annotations

import runpy
import time
from pathlib import Path

import numpy as np
import pytest

from faltung.datasets import load, load_pair
from faltung.datasets.catalogue import SAMPLE
from faltung.errors import DatasetError

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_sample.py"


def test_sample_is_balanced_small_and_in_the_raw_range() -> None:
    train, test = load_pair("sample")
    assert train.class_counts == (600,) * 10
    assert test.class_counts == (100,) * 10
    assert train.image_shape == test.image_shape == (1, 28, 28)
    assert train.images.dtype == test.images.dtype == np.uint8
    assert (train.images.min(), train.images.max()) == (0, 255)
    assert train.classes == tuple("0123456789")
    assert train.note == ""
    assert SAMPLE.stat().st_size <= 1_500_000


@pytest.mark.alone
def test_sample_loads_fast() -> None:
    def seconds() -> float:
        start = time.perf_counter()
        load_pair("sample")
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 0.3  # the least: other programs run here too


def test_no_digit_is_in_both_parts() -> None:
    train, test = load_pair("sample")
    seen = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in seen for image in test.images)


def test_sample_is_what_the_script_makes(full_data: Path, tmp_path: Path) -> None:
    script = runpy.run_path(str(SCRIPT))
    made = script["sample"](full_data / "mnist")
    with np.load(SAMPLE, allow_pickle=False) as stored:
        assert sorted(stored) == sorted(made)
        assert all((stored[name] == made[name]).all() for name in made)
    script["write"](tmp_path / "again.npz", made)
    assert load(tmp_path / "again.npz", split="test").class_counts == (100,) * 10


def test_source_indices_lead_back_to_the_full_files(full_data: Path) -> None:
    with np.load(SAMPLE, allow_pickle=False) as stored:
        for split in ("train", "test"):
            full = load("mnist", data_dir=full_data, split=split)
            indices = stored[f"{split}_source"]
            assert len(np.unique(indices)) == len(indices)
            assert (full.images[indices, 0] == stored[f"x_{split}"]).all()
            assert (full.labels[indices] == stored[f"y_{split}"]).all()


def test_sample_takes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"sample is part of the package\. Add --data mnist"):
        load("sample", data_dir=tmp_path)
