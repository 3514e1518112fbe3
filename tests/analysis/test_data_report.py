"""``faltung.data_report``: what is read, what is said of it, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import faltung
from faltung import data_report, datasets
from faltung.analysis.data import DataReport
from faltung.analysis.data.columns import columns_curve, related_columns
from faltung.analysis.data.curves import Curve
from faltung.analysis.data.material import from_array, layout_of
from faltung.analysis.data.tables import distances
from faltung.errors import (
    DatasetError,
    DTypeError,
    FaltungError,
    FileFormatError,
    GeometryError,
    StorageError,
)
from faltung.files.sound import Sound, write_sound

Array = np.ndarray[Any, np.dtype[Any]]
QUICK: dict[str, Any] = {"shuffles": 40}


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def walk(*shape: int, seed: int = 0) -> Array:
    return np.cumsum(noise(*shape, seed=seed), axis=-1)


def text(report: DataReport) -> str:
    assert report._repr_html_().count("<table>") == str(report).count("---\n")
    return str(report)


def test_reports_are_whole() -> None:
    report = data_report(walk(40, 60), **QUICK)
    found = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert found["kind"] == "array"
    assert [curve["axis"] for curve in found["curves"]] == ["vertical", "horizontal"]
    assert len(found["curves"][1]["values"]) == 31
    assert found["places"]["blocks"] == [4, 4]
    assert found["shuffles"] == 40
    assert f"{report.curves[0].neighbours:.4f}" in text(report)
    assert faltung.data_report is data_report


def test_the_seed_decides_everything() -> None:
    values = walk(20, 30)
    one, again = (json.dumps(data_report(values, **QUICK).to_dict()) for _ in range(2))
    other = json.dumps(data_report(values, shuffles=40, seed=1).to_dict())
    assert one == again != other


# Layouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "layout", "batch"),
    [
        ((9,), None, (1, 1, 9)),
        ((9, 8), None, (1, 1, 9, 8)),
        ((9, 8, 3), None, (1, 3, 9, 8)),
        ((3, 9, 8), None, (1, 3, 9, 8)),
        ((9, 8, 7), None, (1, 1, 9, 8, 7)),
        ((5, 9, 8, 3), None, (5, 3, 9, 8)),
        ((5, 1, 9, 8), None, (5, 1, 9, 8)),
        ((5, 6, 9, 8), None, (1, 1, 5, 6, 9, 8)),
        ((2, 3, 4, 5, 6), None, (1, 1, 2, 3, 4, 5, 6)),
        ((9, 8), "nt", (9, 1, 8)),
        ((9, 8), "TC", (1, 8, 9)),
        ((9, 8, 7), "HNW", (8, 1, 9, 7)),
    ],
)
def test_axes_of_arrays(shape: tuple[int, ...], layout: str | None, batch: Any) -> None:
    values = np.arange(np.prod(shape)).reshape(shape)
    made = from_array(values, layout)
    assert made.batches[0].shape == batch
    assert len(made.axes) == len(batch) - 2
    assert bool(made.notes) == (layout is None)
    assert len(layout_of(shape)) == len(shape)


def test_channels_are_not_an_axis() -> None:
    values = walk(30, 40)
    grey = data_report(values, **QUICK)
    colour = data_report(np.stack([values, 3 - 2 * values, values + 1], axis=2), **QUICK)
    for a, b in zip(grey.curves, colour.curves, strict=True):
        assert a.values == pytest.approx(b.values, abs=1e-12)
        assert a.low == pytest.approx(b.low, abs=1e-12)  # shuffled together, they are one
        assert a.high == pytest.approx(b.high, abs=1e-12)
    assert [c.pairs[1] * 3 for c in grey.curves] == [c.pairs[1] for c in colour.curves]


# Verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "layout", "fits", "axes"),
    [
        (noise(60, 60), None, "no", ()),
        (noise(2000), None, "no", ()),
        (walk(2000), None, "yes", ("position",)),
        (walk(40, 60, seed=1), None, "partly", ("horizontal",)),
        (np.cumsum(walk(40, 60), axis=0), None, "yes", ("vertical", "horizontal")),
        (np.indices((20, 20)).sum(0) % 2, None, "yes", ("vertical", "horizontal")),
        (np.arange(200), None, "yes", ("position",)),
        (noise(4, 3), None, "unknown", ()),
        ([0, 1], None, "unknown", ()),
        (np.eye(1, 100)[0], None, "unknown", ()),
        (walk(20, 9, 8), "NHW", "partly", ("horizontal",)),
        (noise(20, 9, 8), "NHW", "no", ()),
    ],
)
def test_verdicts(values: Any, layout: str | None, fits: str, axes: tuple[str, ...]) -> None:
    report = data_report(values, layout=layout, **QUICK)
    assert (report.verdict.fits, report.verdict.axes) == (fits, axes)
    assert report.verdict.headline in text(report)


def test_smoothness_along_one_axis_is_none_along_the_other() -> None:
    """Rows that have nothing to do with one another, but are smooth, are alike by chance."""
    beyond, wrong, said = 0, 0, ""
    for seed in range(20):
        report = data_report(walk(12, 100, seed=seed), **QUICK)
        beyond += report.curves[0].beyond()[1]
        wrong += report.verdict.axes != ("horizontal",)
        said += report.verdict.locality[0]
    assert beyond > 10  # shuffling takes most of them for alike
    assert wrong <= 4  # one in twenty; more than four with a chance of 0.3 %
    assert "slices in random orders come to" in said


def test_opposites_are_called_so() -> None:
    report = data_report(np.indices((20, 20)).sum(0) % 2, **QUICK)
    assert "near values are opposite" in report.verdict.headline
    mixed = data_report(walk(30, 40) * (-1) ** np.arange(30)[:, None], layout="HW", **QUICK)
    assert mixed.verdict.how == "are alike"


def test_interleaved_values_are_near_ones() -> None:
    values = np.empty(600)
    values[::2], values[1::2] = walk(300), walk(300, seed=1)
    values[::2] -= values[::2].mean()
    values[1::2] -= values[1::2].mean()
    report = data_report(values, **QUICK)
    assert report.verdict.fits == "yes"
    plain = data_report(walk(300), **QUICK)
    assert "(at distance" not in str(plain)
    if abs(report.curves[0].neighbours) < 0.1:
        assert "(at distance 2)" in str(report)


def test_one_half_of_noise_speaks_against_one_kernel() -> None:
    values = noise(80, 80)
    values[:20, :] = np.cumsum(np.cumsum(values[:20], axis=0), axis=1) / 20
    report = data_report(values, **QUICK)
    assert report.verdict.fits == "partly"
    assert "not in most blocks" in report.verdict.headline
    assert "may be of no use in the others" in text(report)


def test_places_count_where_there_are_samples_enough() -> None:
    digits = data_report(datasets.load("sample").subset(range(0, 6000, 20)), **QUICK)
    assert digits.verdict.by_place is True
    assert "let a layer follow that knows the place" in text(digits)
    crops = np.stack([np.roll(walk(24, 24), (3 * k, 5 * k), (0, 1)) for k in range(20)])
    assert data_report(noise(30, 1, 12, 12), **QUICK).verdict.by_place is False
    assert data_report(crops[:1, None], **QUICK).verdict.by_place is None
    assert "One array cannot tell" in text(data_report(crops[:1, None], **QUICK))


def test_what_is_left_far_away() -> None:
    ramp = text(data_report(np.arange(300.0), **QUICK))
    assert "has not fallen to 1/e by 150 samples, half of the axis" in ramp
    assert "position more than 150 samples" in ramp
    cat = data_report("cat", **QUICK)
    assert "Often said: far pixels have almost no correlation. Here: vertical" in text(cat)
    assert "at 100 pixels" in text(cat)
    assert not cat.far.is_within
    assert abs(cat.far.value) < cat.far.smooth
    assert "pieces as smooth as these come to" in text(cat)


@pytest.mark.parametrize(
    ("values", "length", "reach"),
    [
        ([1, 0.8, 0.2, 0.1], 1 + (0.8 - 1 / np.e) / 0.6, 3),
        ([1, 0.3, 0.2, 0.1], (1 - 1 / np.e) / 0.7, 3),
        ([1, 0.9, 0.8, 0.7], np.inf, None),
        ([1, np.nan, 0.8, 0.7], np.nan, None),
        ([1, 0.1, 0.8, 0.1], (1 - 1 / np.e) / 0.9, 1),
    ],
)
def test_correlation_length(values: list[float], length: float, reach: int | None) -> None:
    edge = np.full(4, 0.15)
    curve = Curve("a", "px", 8, np.array(values), -edge, edge, np.arange(4))
    assert curve.length == pytest.approx(length, nan_ok=True)
    assert curve.reach == reach
    assert curve.to_dict()["length"] == (pytest.approx(length) if np.isfinite(length) else None)


def test_long_curves_are_listed_at_some_distances() -> None:
    report = data_report(noise(5000), **QUICK)
    (curve,) = report.curves
    steps = curve.steps
    assert len(curve.values) == 2501
    assert len(steps) <= 256
    assert steps[:4].tolist() == [0, 1, 2, 3]
    assert steps[-1] == 2500
    assert (np.diff(curve.shown) == 1).all()
    assert len(curve.to_dict()["values"]) == len(steps)
    assert distances(2500)[-2:] == [2000, 2500]


# Files ----------------------------------------------------------------------------------------


def test_photographs_by_name_and_by_file(tmp_path: Path) -> None:
    by_name = data_report("camera", **QUICK)
    pixels = datasets.photo("camera")
    Image.fromarray(pixels).save(tmp_path / "c.png")
    by_file = data_report(tmp_path / "c.png", **QUICK)
    assert np.array_equal(by_name.curves[0].values, by_file.curves[0].values)
    assert by_file.material.kind == "image"
    assert "512×512 pixels, 1 channel" in str(by_file)


def test_data_sets_by_name_and_as_such() -> None:
    by_name = data_report("sample", shuffles=20)
    assert by_name.material.samples == 6000
    assert "5,349 of 6,000 samples are looked at, chosen by chance (seed 0)" in str(by_name)
    some = datasets.load("sample").subset(range(100))
    given, pixels = data_report(some, **QUICK), data_report(some.images, layout="NCHW", **QUICK)
    assert np.array_equal(given.curves[0].values, pixels.curves[0].values)
    assert given.material.kind == "images"


def test_folders_of_images_of_any_size(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / ".hidden").mkdir()
    for k in range(6):
        pixels = (127 + 20 * walk(30 + k % 2, 40, seed=k)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / ("more" if k > 3 else ".") / f"{k}.png")
    colour = (127 + 60 * noise(40, 50, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    Image.new("L", (9, 9)).save(tmp_path / "icon.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / ".hidden" / "x.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("1,2")
    report = data_report(tmp_path, **QUICK)
    assert report.material.samples == 9
    assert report.material.seen == 7
    assert report.material.sizes == (30, 40)
    assert report.verdict.axes == ("horizontal",)
    said = text(report)
    assert "1 could not be read, the first broken.png: left out" in said
    assert "1 images are less than half as high or wide as most: left out" in said
    assert "1 or 3 channels" in said


def test_folders_are_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for k in range(12):
        Image.fromarray(noise(8, 8, seed=k) > 0).save(tmp_path / f"{k}.png")
    monkeypatch.setattr("faltung.analysis.data.reading.FILES", 10)
    assert "10 of 12 images are read, chosen by chance" in str(data_report(tmp_path, **QUICK))
    monkeypatch.setattr("faltung.analysis.data.reading.VALUES", 200)
    assert "4 of 12 images are read" in str(data_report(tmp_path, **QUICK))


def test_large_arrays_are_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("material", "reading", "report"):
        monkeypatch.setattr(f"faltung.analysis.data.{module}.MOST", 3000)
    report = data_report(walk(100, 200), **QUICK)
    assert report.curves[1].pairs[1] == 15 * 199
    assert "3,000 of 20,000 values are looked at along each axis" in text(report)
    assert report.verdict.axes == ("horizontal",)
    many = data_report(noise(200, 1, 8, 8), **QUICK)
    assert many.material.seen == 64


def test_sound_has_a_length_in_time(tmp_path: Path) -> None:
    wave = 9000 * np.sin(np.arange(4000) / 30)[:, None] * [1, -1] + 99 * noise(4000, 2)
    write_sound(tmp_path / "a.wav", Sound(wave.astype(np.int16), 8000, 16))
    report = data_report(tmp_path / "a.wav", **QUICK)
    length = report.curves[0].length
    assert f"time {length:.1f} samples ({length / 8:.3g} ms)" in text(report)
    assert length == pytest.approx(30 * np.arccos(1 / np.e), rel=0.02)


def test_missing_values_are_left_out(tmp_path: Path) -> None:
    values = noise(40, 40)
    values[3], values[5, 5] = np.nan, np.inf
    np.save(tmp_path / "a.npy", values)
    report = data_report(tmp_path / "a.npy", **QUICK)
    assert "41 of 1,600 values are missing, NaN or infinite: left out" in text(report)
    left, right = values[:, :-1].ravel(), values[:, 1:].ravel()
    both = np.isfinite(left) & np.isfinite(right)
    want = np.corrcoef(left[both], right[both])[0, 1]
    assert report.curves[1].neighbours == pytest.approx(want, abs=1e-12)


def table(path: Path, columns: dict[str, Any]) -> Path:
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_columns_of_a_table(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"": range(200)}
    columns |= {f"c{k}": [f"{v:.4f}" for v in walk(200, seed=k)] for k in range(5)}
    columns["c0"][7] = ""
    columns |= {"colour": ["red"] * 200, "empty": [""] * 200, "same": [7] * 200}
    report = data_report(table(tmp_path / "t.csv", columns), **QUICK)
    said = text(report)
    assert report.material.columns == ("c0", "c1", "c2", "c3", "c4")
    assert "counts the rows, left out: column 1" in said
    assert "no numbers, left out: colour ('red')" in said
    assert "every value missing, left out: empty" in said
    assert "one value in every row, left out: same" in said
    assert "1 of 1,000 values are missing" in said
    assert "The order of columns is arbitrary as a rule" in said
    assert report.verdict.fits == "yes"
    assert report.verdict.axes == ("rows",)
    assert report.columns is not None
    assert report.columns.pairs.tolist() == [5, 4, 3]


def test_columns_in_an_order_that_means_something(tmp_path: Path) -> None:
    rng, at = np.random.default_rng(0), np.arange(30)
    peaks = [np.exp(-(((at - c) / 4) ** 2)) for c in rng.uniform(0, 30, 200)]
    spectra = np.array(peaks) + 0.01 * noise(200, 30)
    in_order = table(tmp_path / "a.csv", {f"w{k}": spectra[:, k] for k in at})
    mixed = table(tmp_path / "b.csv", {f"w{k}": spectra[:, k] for k in rng.permutation(30)})
    first, second = (data_report(path, **QUICK) for path in (in_order, mixed))
    assert first.verdict.axes == ("across columns",)
    assert "their order means something" in text(first)
    assert second.verdict.fits == "no"
    assert "their order means nothing" in text(second)


def test_columns_are_compared_on_the_rows_that_both_have() -> None:
    values = noise(4, 50)
    values[0, :10], values[1, 5:20] = np.nan, np.nan
    found = related_columns(values)
    for i in range(4):
        for j in range(4):
            both = np.isfinite(values[i]) & np.isfinite(values[j])
            want = abs(np.corrcoef(values[i, both], values[j, both])[0, 1])
            assert found[i, j] == pytest.approx(want, abs=1e-12)
    assert columns_curve(values[:3], 20, np.random.default_rng(0)) is None


def test_one_column_is_a_signal(tmp_path: Path) -> None:
    report = data_report(table(tmp_path / "t.csv", {"a": walk(100)}), **QUICK)
    assert report.columns is None
    assert report.verdict.columns == ""


# Refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        (np.ones((5, 5)), DatasetError, "values must vary to be correlated, got value=1.0"),
        (np.full(9, 0.1), DatasetError, "values must vary to be correlated, got value=0.1"),
        (np.ones((3, 1, 5, 5)), DatasetError, "got planes=3"),
        (np.arange(3.0).repeat(4).reshape(3, 1, 2, 2), DatasetError, "got planes=3"),
        ([7.0], DatasetError, "an axis needs two positions at least, got sizes=(1,)"),
        (np.ones((1, 1)), DatasetError, "an axis needs two positions at least"),
        (np.full(9, np.nan), DatasetError, "every value is missing, NaN or infinite, got values=9"),
        ([1.0, np.inf], DatasetError, "values must vary to be correlated, got planes=1"),
        (np.zeros((0, 3)), GeometryError, "must be an array with values, got shape=(0, 3)"),
        (3.0, GeometryError, "must be an array with values, got shape=()"),
        ([1j, 2], DTypeError, "must hold booleans, integers or floats, got dtype=complex128"),
        (["a", "b"], DTypeError, "must hold booleans, integers or floats"),
    ],
)
def test_degenerate_arrays(values: Any, error: type[FaltungError], says: str) -> None:
    with pytest.raises(error) as raised:
        data_report(values)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"layout": "HW"}, "layout must have a letter for each axis"),
        ({"layout": "HHW"}, "layout must have a letter for each axis"),
        ({"layout": "NC1"}, "layout must have a letter for each axis"),
        ({"shuffles": 19}, "shuffles must be at least 20, got shuffles=19"),
        ({"seed": -1}, "seed must be at least 0, got seed=-1"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], says: str) -> None:
    with pytest.raises(GeometryError, match=says):
        data_report(noise(4, 4, 4), **options)
    with pytest.raises(GeometryError, match="N samples, C channels, others space"):
        data_report(noise(4, 4), layout="NC")


def test_files_that_hold_nothing_to_look_at(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    Image.new("L", (5, 5), 77).save(tmp_path / "flat.png")
    (tmp_path / "words.csv").write_text("a,b\nx,y\nz,w\n")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_bytes(b"no image")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.md").write_text("words")
    for name, error, says in [
        ("one.png", DatasetError, "an axis needs two positions at least"),
        ("flat.png", DatasetError, "values must vary to be correlated, got value=77"),
        ("words.csv", DatasetError, "no column has numbers that vary"),
        ("broken.wav", FileFormatError, "cannot be read"),
        ("empty", DatasetError, "the folder is empty"),
        ("bad", FileFormatError, "x.png"),
        ("other", DatasetError, "holds neither IDX nor CIFAR files"),
        ("none", StorageError, "there is no such file or folder"),
    ]:
        with pytest.raises(error, match=says):
            data_report(tmp_path / name)
    with pytest.raises(StorageError, match="or sample, mnist, fashion-mnist, cifar10, cat"):
        data_report("elephant")
    nothing = datasets.load("sample").subset([])
    with pytest.raises(DatasetError, match="has no images"):
        data_report(nothing)
