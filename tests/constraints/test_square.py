"""The square: what it refuses, how it reads, and what its matrices and drawings say."""

from __future__ import annotations

import builtins
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import faltung
from faltung.constraints import (
    CORNERS,
    ConvMatrix,
    Square,
    by_offset,
    by_position,
    conv_matrix,
    explained,
    mean_weights,
    project,
    square,
)
from faltung.constraints.drawing import drawing, names_of
from faltung.constraints.projection import percent
from faltung.errors import GeometryError, MissingExtraError
from faltung.testing.compare import assert_exact

SMALL = Square((3, 3), ((-1, 1), (-1, 1)))
LARGE = square((200, 200))

REFUSED: list[tuple[str, Callable[[], object]]] = [
    ("size must be 1 to 3 ints of at least 1, got size=(3, 0)", lambda: square((3, 0))),
    ("got size=(1, 2, 3, 4). Use size=(3, 3). [square S1]", lambda: square((1, 2, 3, 4))),
    ("got size=(2.5,)", lambda: square((2.5,))),  # type: ignore[arg-type]
    ("a pair of ints for each of the 2 axes, got window=1.5", lambda: square((3, 3), 1.5)),  # type: ignore[arg-type]
    (
        "got window=((-1, 1), (0, 1)). Use window=((-1, 1), (-1, 1), (-1, 1)). [square S2]",
        lambda: square((3, 3, 3), ((-1, 1), (0, 1))),
    ),
    ("for each of the 2 axes, got window=((0, 1),)", lambda: Square((3, 3), ((0, 1),))),
    (
        "window must hold an offset that the image has on every axis, first to last, "
        "got window=((3, 4), (3, 4)), size=(3, 3). Use window=(-1, 1). [square S3]",
        lambda: square((3, 3), (3, 4)),
    ),
    ("got window=((1, 0),)", lambda: square((3,), ((1, 0),))),
    ("got window=((1, -1),)", lambda: square((3,), -1)),
    ("channels must be at least 1, got in_channels=0", lambda: square((3,), in_channels=0)),
    (
        "weights must have the shape that the corner's have, got corner=shared, weights=(3, 3), "
        "weight_shape=(1, 1, 5, 5). [square S5]",
        lambda: SMALL.matrix("shared", np.ones((3, 3))),
    ),
    ("a row for each output and a column for each input", lambda: project(SMALL, [[1]], "local")),
    (
        "the matrix must be finite, and not all of it zero, got largest=0.0. [square S7]",
        lambda: explained(SMALL, np.zeros((9, 9))),
    ),
    ("got largest=nan", lambda: explained(SMALL, np.full((9, 9), math.nan))),
    (
        "the corner must be known, got corner='convolved'. "
        "Use one of dense, shared, local, convolution. [square S8]",
        lambda: SMALL.parameters("convolved"),
    ),
    (
        "this matrix is too large to lay out, got shape=(40000, 40000).",
        lambda: LARGE.tied("local"),
    ),
    (
        "this matrix has too many entries to list, got entries=1600000000",
        lambda: LARGE.tied("shared"),
    ),
    ("[matrix M2]", lambda: LARGE.matrix("dense", np.broadcast_to(0.0, LARGE.shape))),
    (
        "w must have the shape of the layer's filters, got w=(3,), w_shape=(1, 1, 3). [matrix M3]",
        lambda: ConvMatrix.of((5,), (1, 1, 3)).matrix([1, 2, 3]),
    ),
    ("[conv C2]", lambda: conv_matrix([[1, 2]], (5, 5))),
    (
        "twice as many axes as an image, both halves of one size, got shape=(2, 3). [offsets O1]",
        lambda: by_offset([[1, 2, 3], [4, 5, 6]]),
    ),
    ("got shape=(2, 2). [offsets O1]", lambda: by_position([[1, 2], [3, 4]])),
    ("got shape=(). [offsets O1]", lambda: by_offset(1)),
]


@pytest.mark.parametrize(("text", "call"), REFUSED, ids=[text[:40] for text, _ in REFUSED])
def test_what_is_refused(text: str, call: Callable[[], object]) -> None:
    with pytest.raises(GeometryError, match=re.escape(text)):
        call()


def test_windows_are_written_as_they_are_meant() -> None:
    assert square((3, 4), 1) == square([3, 4], (-1, 1)) == square((3, 4), [(-1, 1), (-1, 1)])
    assert square(np.array([3, 4]), np.int64(1)) == square((3, 4))  # type: ignore[arg-type]
    assert square((3,), ((0, 1),)).window == ((0, 1),)


def test_offsets_that_no_pixels_have_bring_no_weights() -> None:
    wide = square((2, 2), 7)
    assert wide.reach == ((-1, 1), (-1, 1))
    assert wide.to_dict()["corners"]["convolution"]["weight_shape"] == [1, 1, 3, 3]
    for a, b in (("dense", "local"), ("shared", "convolution")):
        assert wide.parameters(a) == wide.parameters(b)
        assert_exact(wide.tied("shared"), wide.tied("convolution"))


def test_the_report_has_three_faces() -> None:
    report = faltung.square((2, 3), window=((-1, 1), (0, 1)), in_channels=2, out_channels=3)
    assert "from 2 × 2 × 3 to 3 × 2 × 3 numbers. Local: offsets -1..1, 0..1 only." in str(report)
    assert "<td>convolution</td>" in report._repr_html_()
    data = json.loads(json.dumps(report.to_dict()))
    assert data["matrix"] == [18, 12]
    assert list(data["corners"]) == list(CORNERS)
    assert data["corners"]["dense"]["parameters"] == 216
    for corner, figures in data["corners"].items():
        assert figures["parameters"] == report.parameters(corner)
        assert figures["nonzeros"] == report.nonzeros(corner)
        assert math.prod(figures["weight_shape"]) == figures["parameters"]
    assert "dense  " not in str(square((5, 5))).splitlines()[-1]  # too large to draw


def test_shares_have_three_faces() -> None:
    rng = np.random.default_rng(0)
    report = explained(SMALL, rng.standard_normal((9, 9)))
    assert "energy explained" in str(report)
    assert "<th>by chance</th>" in report._repr_html_()
    corners = json.loads(json.dumps(report.to_dict()))["corners"]
    assert corners["dense"] == {"share": 1.0, "chance": 1.0, "spread": 0.0, "sigmas": 0.0}
    assert corners["local"]["chance"] == 49 / 81


def test_a_conv_matrix_has_three_faces() -> None:
    report = ConvMatrix.of((6, 6), (2, 1, 3, 3), stride=2)
    assert re.search(r"^non-zeros in a row +9$", str(report), re.MULTILINE)
    assert "one output further is 2 inputs further" in str(report)
    assert "2 × 1 blocks, one for each pair of channels, nested by axis: 2 × 6 of 2 × 6" in str(
        report
    )
    data = json.loads(json.dumps(report.to_dict()))
    assert data["matrix"] == [8, 36]
    assert data["row_nonzeros"] == [9, 9]
    assert "one output further is 1 input further" in str(ConvMatrix.of((6, 6), (1, 1, 3, 3)))
    assert ConvMatrix.of((2,), (1, 1, 3)).row_nonzeros == (0, 0)
    assert str(ConvMatrix.of((2,), (1, 1, 3)))


def test_matrices_of_weights_are_mean_weights_again() -> None:
    rng = np.random.default_rng(1)
    each = square((3, 2), (0, 1), in_channels=2, out_channels=2)
    for corner in CORNERS:
        w = rng.integers(-9, 9, each.weight_shape(corner)).astype(np.float32)
        assert_exact(mean_weights(each, each.matrix(corner, w), corner), w)
        assert mean_weights(each, each.matrix(corner, w), corner).dtype == np.float32
    whole = np.arange(12 * 12).reshape(12, 12)
    assert each.matrix("dense", whole).dtype == whole.dtype
    assert project(each, whole, "shared").dtype == np.float64


def test_energy_is_measured_without_overflow() -> None:
    w = np.full((9, 9), 1e300)
    assert explained(SMALL, w)["shared"].share == 1.0
    assert explained(SMALL, w / 1e300 * 1e-300)["shared"].share == 1.0


def test_sparse_matrices_are_the_dense_ones(scipy: ModuleType) -> None:
    rng = np.random.default_rng(2)
    for corner in CORNERS:
        w = rng.standard_normal(SMALL.weight_shape(corner))
        sparse = SMALL.matrix(corner, w, sparse=True)
        assert sparse.nnz == SMALL.nonzeros(corner)
        assert_exact(sparse.toarray(), SMALL.matrix(corner, w))
    large = LARGE.matrix("convolution", np.ones((1, 1, 3, 3)), sparse=True)
    assert large.shape == (40000, 40000)
    assert large.nnz == LARGE.nonzeros("convolution") == 598**2


def test_sparse_without_scipy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "scipy":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"need SciPy\. Run: pip install scipy\."):
        SMALL.matrix("dense", np.ones((9, 9)), sparse=True)


def test_drawings_have_a_letter_for_each_weight() -> None:
    lines = drawing({"one": np.array([[0, 1], [-1, 0]])}).splitlines()
    assert lines == ["one", "a b", "· a"]
    coloured = drawing({"one": np.array([[0, 1], [-1, 0]])}, colour=True)
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured).splitlines() == lines
    assert len(set(re.findall("\x1b\\[38[0-9;]*m", coloured))) == 2
    assert len(set(names_of(2704))) == 2704
    assert {len(name) for name in names_of(2705)} == {3}
    beside = drawing({"a": np.zeros((1, 1), int), "b": np.zeros((2, 1), int)}).splitlines()
    assert beside == ["a    b", "a    a", "     a"]


def test_drawings_show_as_many_letters_as_parameters() -> None:
    for each in (SMALL, square((2, 3), (0, 1))):
        for corner in CORNERS:
            letters = drawing({corner: each.aligned(corner)}).split("\n", 1)[1].split()
            assert len(set(letters) - {"·"}) == each.parameters(corner)
            assert sum(letter != "·" for letter in letters) == each.nonzeros(corner)


def test_letters_say_which_weights_locality_leaves() -> None:
    for wide, near in (("dense", "local"), ("shared", "convolution")):
        a, b = SMALL.aligned(wide), SMALL.aligned(near)
        assert np.array_equal(a, SMALL.tied(wide))
        assert np.array_equal(b[b >= 0], a[b >= 0])
        assert np.array_equal(b >= 0, SMALL.tied(near) >= 0)


def test_percentages_have_three_digits() -> None:
    assert [percent(x) for x in (1, 0.5, 1e-9, 0.00492)] == [
        "100 %",
        "50 %",
        "0.0000001 %",
        "0.492 %",
    ]


ID = r"(?:square S|matrix M|offsets O|local W)\d+"


def test_the_text_and_the_code_know_the_same_constraints() -> None:
    root = Path(__file__).parents[2]
    text = (root / "docs" / "spec" / "square.md").read_text(encoding="utf-8")
    listed = re.findall(rf"^- \*\*({ID})\*\* \S", text, re.MULTILINE)
    sources = [*(root / "src/faltung/constraints").glob("*.py"), root / "src/faltung/ops/local.py"]
    coded = {i for path in sources for i in re.findall(rf'"({ID})"', path.read_text("utf-8"))}
    assert len(listed) == len(set(listed)) == 15
    assert coded == set(listed)
