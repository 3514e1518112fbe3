from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.datasets import Dataset, zero_one
from faltung.errors import DatasetError


def make(labels: list[int], classes: int = 3) -> Dataset:
    """One-pixel images that hold their own index."""
    images = np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1)
    return Dataset(images, np.array(labels), tuple("abcdefghij"[:classes]), "toy")


def test_labels_become_int64_and_both_arrays_read_only() -> None:
    images = np.zeros((2, 1, 2, 2), np.uint8)
    data = Dataset(images, np.array([1, 0], np.uint8), ("a", "b"), "toy")
    assert data.labels.dtype == np.int64
    assert data.images.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        data.images[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        data.labels[0] = 1
    images[0] = 1  # the caller's own array stays writable


def test_repr_names_size_and_classes() -> None:
    assert repr(make([0, 1, 2, 2])) == "Dataset('toy': 4 images 1x1x1, 3 classes)"


@pytest.mark.parametrize(
    ("images", "labels", "classes", "text"),
    [
        (np.zeros((1, 1, 2, 2), np.int32), [0], "a", "must be uint8, float32 or float64.*int32"),
        (np.zeros((1, 2, 2), np.uint8), [0], "a", r"shape \(N, C, H, W\), got shape=\(1, 2, 2\)"),
        (np.zeros((1, 1, 0, 2), np.uint8), [0], "a", r"\(N, C, H, W\), got shape=\(1, 1, 0, 2\)"),
        (np.zeros((1, 1, 2, 2), np.uint8), [[0]], "a", r"integers, one an image.*\(1, 1\)"),
        (np.zeros((1, 1, 2, 2), np.uint8), [0.0], "a", "integers, one an image.*float64"),
        (np.zeros((2, 1, 2, 2), np.uint8), [0], "a", "one label, got images=2, labels=1"),
        (np.zeros((2, 1, 2, 2), np.uint8), [0, 2], "ab", "lie in 0 to 1, got label=2, image=1"),
        (np.zeros((2, 1, 2, 2), np.uint8), [-1, 0], "ab", "lie in 0 to 1, got label=-1, image=0"),
        (np.zeros((1, 1, 2, 2), np.uint8), [0], "a\n", r"must be printable.*got class='.n'"),
        (np.zeros((1, 1, 2, 2), np.uint8), [0], ["\ud800"], r"printable.*got class='.ud800'"),
        (np.zeros((1, 1, 2, 2), np.uint8), [0], ["", "a"], "not empty, got class=''"),
        (np.zeros((1, 1, 2, 2), np.uint8), [0], "aa", "class names must differ, got class='a'"),
    ],
)
def test_contradictions_are_refused(images, labels, classes, text) -> None:
    with pytest.raises(DatasetError, match=text):
        Dataset(images, labels, tuple(classes), "toy")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_named(bad: float) -> None:
    images = np.zeros((3, 1, 2, 2), np.float64)
    images[1, 0, 1, 1] = bad
    with pytest.raises(DatasetError, match="pixels must be finite, got image=1"):
        Dataset(images, [0, 0, 0], ("a",), "toy")


def test_subset_takes_indices_or_a_mask_and_keeps_the_classes() -> None:
    data = make([0, 1, 2, 0])
    assert data.subset([3, 1]).images.ravel().tolist() == [3, 1]
    assert data.subset(data.labels == 0).images.ravel().tolist() == [0, 3]
    assert data.subset([1]).classes == ("a", "b", "c")
    assert len(data.subset([])) == 0


def test_with_labels_keeps_images_and_checks_labels() -> None:
    data = make([0, 1, 2])
    turned = data.with_labels((data.labels + 1) % 3)
    assert turned.labels.tolist() == [1, 2, 0]
    assert (turned.images == data.images).all()
    assert data.with_labels([0, 0, 1], ["low", "high"]).classes == ("low", "high")
    with pytest.raises(DatasetError, match="every image needs one label"):
        data.with_labels([0])


@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_split_is_a_stratified_partition(labels: list[int], fraction: float, seed: int) -> None:
    data = make(labels, classes=5)
    if max(data.class_counts) < 2:
        return
    rest, held = data.split(fraction, seed)
    both = np.concatenate([rest.images.ravel(), held.images.ravel()])
    assert sorted(both.tolist()) == list(range(len(labels)))
    assert (np.diff(rest.images.ravel()) > 0).all()
    assert (np.diff(held.images.ravel()) > 0).all()
    for total, part in zip(data.class_counts, held.class_counts, strict=True):
        wanted = min(max(round(fraction * total), 1), total - 1) if total else 0
        assert part == wanted
    again = data.split(fraction, seed)[1]
    assert (again.images == held.images).all()


def test_split_depends_on_the_seed() -> None:
    data = make([0] * 100)
    assert (data.split(0.5, 0)[1].images != data.split(0.5, 1)[1].images).any()


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_split_refuses_fractions_that_leave_nothing(fraction: float) -> None:
    with pytest.raises(DatasetError, match="must lie between 0 and 1, got fraction="):
        make([0, 0, 1, 1]).split(fraction)


def test_split_refuses_classes_of_one_image() -> None:
    with pytest.raises(DatasetError, match=r"no class has two images.*got images=3"):
        make([0, 1, 2]).split(0.5)


def test_zero_one_keeps_two_classes_and_means_blocks_exactly() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 6), dtype=np.uint8)
    digits = Dataset(pixels, [0, 1, 2, 1, 0, 2], tuple("012"), "digits")
    pair = zero_one(digits)
    assert pair.classes == ("0", "1")
    assert pair.labels.tolist() == [0, 1, 1, 0]
    assert pair.images.dtype == np.float32
    kept = pixels[[0, 1, 3, 4]].astype(np.float64)
    corners = [kept[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    assert (pair.images == sum(corners) / 4).all()


@pytest.mark.parametrize(
    ("shape", "classes"), [((2, 1, 3, 4), "ab"), ((2, 1, 4, 3), "ab"), ((2, 1, 4, 4), "a")]
)
def test_zero_one_refuses_what_it_cannot_halve(shape: tuple[int, ...], classes: str) -> None:
    digits = Dataset(np.zeros(shape, np.uint8), [0, 0], tuple(classes), "digits")
    with pytest.raises(DatasetError, match="two classes and images of even sides"):
        zero_one(digits)
