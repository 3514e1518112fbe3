from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung.datasets import load, load_pair
from faltung.errors import DatasetError

PIXELS = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
LABELS = np.array([0, 1, 1, 0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "things.npz"


def save(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize(("images", "labels"), [("images", "labels"), ("x", "y")])
def test_one_pair_is_all_training(path: Path, images: str, labels: str) -> None:
    data = load(save(path, **{images: PIXELS, labels: LABELS}))
    assert (data.images[:, 0] == PIXELS).all()
    assert data.labels.tolist() == LABELS.tolist()
    assert (data.name, data.classes) == ("things", ("0", "1"))
    train, test = load_pair(path, seed=1)
    assert (train.class_counts, test.class_counts) == ((1, 1), (1, 1))


@pytest.mark.parametrize("style", ["{0}_{1}", "{1}_{2}"])
def test_two_parts(path: Path, style: str) -> None:
    arrays = {
        style.format(short, part, word): (values if part == "train" else values[:3])
        for part in ("train", "test")
        for short, word, values in (("x", "images", PIXELS), ("y", "labels", LABELS[:, None]))
    }
    train, test = load_pair(save(path, **arrays))
    assert (len(train), len(test)) == (4, 3)
    assert test.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 5, 6), (1, 5, 6)),
        ((4, 3, 5, 6), (3, 5, 6)),
        ((4, 5, 6, 3), (3, 5, 6)),
        ((4, 5, 6, 1), (1, 5, 6)),
        ((4, 3, 5, 3), (3, 5, 3)),  # either could be meant: channels first, as everywhere here
        ((4, 8, 5, 6), (8, 5, 6)),
    ],
)
def test_layouts(path: Path, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    data = load(save(path, images=pixels, labels=LABELS))
    assert data.image_shape == expected
    channels_last = shape[-1] == expected[0] and shape[1] != expected[0]
    moved = pixels.transpose(0, 3, 1, 2) if channels_last else pixels.reshape(4, *expected)
    assert (data.images == moved).all()


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("uint8", "uint8"),
        ("int64", "uint8"),
        (">u2", "uint8"),
        ("float16", "float32"),
        ("float32", "float32"),
        (">f4", "float32"),
        ("float64", "float64"),
    ],
)
def test_dtypes(path: Path, dtype: str, expected: str) -> None:
    data = load(save(path, images=PIXELS.astype(dtype), labels=LABELS))
    assert data.images.dtype == np.dtype(expected)
    assert (data.images[:, 0] == PIXELS).all()


def test_booleans_are_black_and_white(path: Path) -> None:
    data = load(save(path, images=PIXELS > 50, labels=LABELS > 0))
    assert (data.images[:, 0] == np.where(PIXELS > 50, 255, 0)).all()
    assert data.images.dtype == np.uint8
    assert data.labels.tolist() == LABELS.tolist()


def test_names_of_classes(path: Path) -> None:
    named = save(path, images=PIXELS, labels=LABELS, classes=np.array(["no", "yes"]))
    assert load(named).classes == ("no", "yes")
    words = load(save(path, images=PIXELS, labels=np.array(["dog", "cat", "cat", "dog"])))
    assert (words.classes, words.labels.tolist()) == (("cat", "dog"), [1, 0, 0, 1])


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"pictures": PIXELS}, "no pair of images and labels, got arrays=pictures"),
        ({"x_test": PIXELS, "y_test": LABELS}, "no pair of images and labels, got arrays=x_test"),
        ({"images": PIXELS, "labels": LABELS[:3]}, "one label, got images=4, labels=3"),
        ({"images": PIXELS[:0], "labels": LABELS[:0]}, "images: holds no image"),
        ({"images": PIXELS, "labels": np.eye(4)}, "labels must be integers.*Use labels.argmax"),
        ({"images": PIXELS, "labels": LABELS * 1.0}, "labels must be integers or strings.*float64"),
        ({"images": PIXELS, "labels": LABELS - 1}, "numbered from 0, got smallest=-1"),
        ({"images": PIXELS, "labels": LABELS * 2}, "a class has no image, got class='1'"),
        ({"images": PIXELS, "labels": LABELS * 10**9}, "larger than the data, got label=1000000"),
        ({"images": PIXELS, "labels": LABELS.astype("u8") * (2**64 - 1)}, "numbered from 0"),
        ({"images": PIXELS * 1j, "labels": LABELS}, "numbers, integers in 0 to 255, got.*complex"),
        ({"images": PIXELS.astype(int) + 200, "labels": LABELS}, "in 0 to 255, got dtype=int64"),
        ({"images": PIXELS.astype(int) - 1, "labels": LABELS}, "in 0 to 255, got dtype=int64"),
        ({"images": PIXELS.ravel()[:4], "labels": LABELS}, r"or \(N, H, W, C\), got shape=\(4,\)"),
        ({"images": PIXELS + np.inf, "labels": LABELS}, "pixels must be finite, got image=0"),
        ({"images": PIXELS, "labels": LABELS, "classes": ["a"]}, "0 to 0, got label=1, image=1"),
        ({"images": PIXELS, "labels": LABELS, "classes": list("abc")}, "got class='c'"),
        ({"images": PIXELS, "labels": LABELS, "classes": [1, 2]}, "must be a list of str.*int64"),
        (
            {"images": PIXELS, "labels": np.array(list("abba")), "classes": ["a", "c"]},
            "a label names no class, got label='b'",
        ),
    ],
)
def test_mismatched_arrays_are_named(path: Path, arrays: dict[str, Any], text: str) -> None:
    save(path, **arrays)
    with pytest.raises(DatasetError, match=text) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))


def test_a_test_label_that_is_no_class_is_refused(path: Path) -> None:
    save(path, x_train=PIXELS, y_train=LABELS, x_test=PIXELS, y_test=LABELS + 1)
    with pytest.raises(DatasetError, match="lie in 0 to 1, got label=2, image=1"):
        load(path, split="test")


class Mine:
    """Unpickling this would leave a trace."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran-code"),))


def test_pickles_are_never_opened(path: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(path, images=PIXELS, labels=np.array([Mine()] * 4, object))
    with pytest.raises(DatasetError, match="cannot be read, got error=ValueError: Object arrays"):
        load(path)
    assert not (tmp_path / "ran-code").exists()


@pytest.mark.parametrize("order", "<>")
def test_strings_of_no_characters_are_refused(path: Path, order: str) -> None:
    classes = np.array([[97, 98], [99, 0x110000]], f"{order}u4").view(f"{order}U2")[:, 0]
    save(path, images=PIXELS, labels=LABELS, classes=classes)
    with pytest.raises(DatasetError, match="classes: holds what is no character"):
        load(path)


def test_a_member_that_is_no_array_is_named(path: Path) -> None:
    save(path, images=PIXELS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.npy", "0, 1, 1, 0")
    with pytest.raises(DatasetError, match=r"labels: is not an array\. Write it with np\.savez"):
        load(path)


def test_what_is_no_archive_is_named(path: Path) -> None:
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(DatasetError, match=r"cannot be read, got error=BadZipFile.*savez"):
        load(path)


def test_a_header_that_promises_more_than_memory_is_refused(path: Path) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": (2**50, 28, 28)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", buffer.getvalue())
        buffer = io.BytesIO()
        np.save(buffer, LABELS)
        archive.writestr("labels.npy", buffer.getvalue())
    with pytest.raises(DatasetError, match="cannot be read, got error="):
        load(path)
