from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.errors import DTypeError, GeometryError
from faltung.imaging import kernels
from faltung.imaging.correlation import correlation
from faltung.imaging.filter import slide
from faltung.imaging.template import find
from faltung.imaging.window_sums import window_sums

SIZE, HEIGHT, WIDTH = 40, 300, 340


def texture(random: np.random.Generator, height: int, width: int, sigma: float) -> np.ndarray:
    """Random colours, blurred, of mean 128 and standard deviation 50."""
    noise = random.normal(size=(height, width, 3))
    soft = slide(noise, kernels.gaussian(sigma), border="circular") if sigma else noise
    return np.clip(np.rint((soft - soft.mean()) / soft.std() * 50 + 128), 0, 255)


class Scene:
    """Copies under gain 0.6, offset 20 and noise 10; decoys: the template's pixels scrambled."""

    def __init__(self, seed: int, ground: float, detail: float) -> None:
        random = np.random.default_rng(seed)
        self.template = texture(random, SIZE, SIZE, detail).astype(np.uint8)
        self.empty = texture(random, HEIGHT, WIDTH, ground)
        self.places = [(100, 90), (0, 200), (200, 0), (HEIGHT - SIZE, 150), (-18, 60), (60, -15)]
        self.places += [(HEIGHT - 24, WIDTH - 36), (150, WIDTH - 22)]
        self.decoys = [(20, 120), (150, 200), (210, 250), (170, 120)]
        scene = self.empty.copy()
        for y, x in self.places:
            self.put(scene, y, x, self.template)
        for y, x in self.decoys:
            scrambled = random.permutation(self.template.reshape(-1, 3))
            self.put(scene, y, x, scrambled.reshape(self.template.shape))
        noise = 10 * random.normal(size=scene.shape)
        self.scene = np.clip(np.rint(scene + noise), 0, 255).astype(np.uint8)

    def put(self, scene: np.ndarray, y: int, x: int, picture: np.ndarray) -> None:
        rows, columns = np.ogrid[y : y + SIZE, x : x + SIZE]
        rows = rows[(rows >= 0) & (rows < HEIGHT)]
        columns = columns[(columns >= 0) & (columns < WIDTH)]
        scene[np.ix_(rows, columns)] = 0.6 * picture[np.ix_(rows - y, columns - x)] + 20


@pytest.mark.parametrize("ground", [0, 1, 3])
@pytest.mark.parametrize("detail", [0, 1, 3])
def test_every_copy_and_no_decoy(ground: float, detail: float) -> None:
    made = Scene(7 * ground + detail, ground, detail)
    report = find(made.template, made.scene)
    assert len(report.matches) == len(made.places)
    for y, x in made.places:
        assert min(max(abs(m.top - y), abs(m.left - x)) for m in report.matches) <= 1
    for m in report.matches:
        y, x = round(m.top), round(m.left)
        rows, columns = min(y + SIZE, HEIGHT) - max(y, 0), min(x + SIZE, WIDTH) - max(x, 0)
        assert m.visible == pytest.approx(rows * columns / SIZE**2)
    assert find(made.template, made.empty.astype(np.uint8)).matches == ()


def test_a_decoy_of_a_strong_colour() -> None:
    """Around one mean of all channels alone it would pass: all of it is reddish."""
    random = np.random.default_rng(0)
    template = (texture(random, SIZE, SIZE, 2) / 6 + [190, 40, 30]).astype(np.uint8)
    scene = texture(random, HEIGHT, WIDTH, 2).astype(np.uint8)
    decoy = random.permutation(template.reshape(-1, 3)).reshape(template.shape)
    scene[50:90, 60:100], scene[200:240, 100:140] = decoy, template
    assert np.corrcoef(decoy.ravel(), template.ravel())[0, 1] > 0.9
    (match,) = find(template, scene).matches
    assert (round(match.top), round(match.left)) == (200, 100)


def test_colours_count() -> None:
    made = Scene(0, 1, 1)
    swapped = made.template[..., ::-1]
    assert find(swapped, made.scene).matches == ()


def by_definition(t: np.ndarray, s: np.ndarray, y: int, x: int) -> tuple[float, float]:
    """The lesser correlation coefficient of what both have at a place, and the visible share.

    NumPy's own around one mean; around each channel's mean by what is left of the channels.
    """
    top, left = y - t.shape[0] // 2, x - t.shape[1] // 2
    rows = slice(max(top, 0), min(top + t.shape[0], s.shape[0]))
    columns = slice(max(left, 0), min(left + t.shape[1], s.shape[1]))
    here = s[rows, columns].astype(float)
    part = t[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    part = part.astype(float)
    share = part.size / t.size
    own_t, own_s = (x - x.mean(axis=(0, 1)) for x in (part, here))
    if min(np.ptp(x, axis=(0, 1)).max() for x in (part, here)) == 0:
        return 0.0, share
    pattern = (own_t * own_s).sum() / np.sqrt((own_t**2).sum() * (own_s**2).sum())
    return float(min(np.corrcoef(part.ravel(), here.ravel())[0, 1], pattern)), share


@given(
    sizes=st.tuples(*[st.integers(1, 7)] * 2, *[st.integers(1, 9)] * 2, st.integers(1, 3)),
    dtype=st.sampled_from(["uint8", "int16", "uint16", "float32", "float64", "int64"]),
    levels=st.integers(1, 200),
    seed=st.integers(0, 9999),
)
def test_every_place_by_its_definition(sizes, dtype: str, levels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    h, w, height, width, channels = sizes
    t = (random.integers(0, levels, (h, w, channels)) * 0.5 * (2 - ("int" not in dtype))).astype(
        dtype
    )
    s = (random.integers(0, levels, (height, width, channels)) * 0.5 * 2).astype(dtype)
    for least in (0.5, 0.9):
        heat, visible = correlation(t, s, least)
        for y, x in np.ndindex(height, width):
            r, share = by_definition(t, s, y, x)
            assert visible[y, x] == pytest.approx(share)
            assert abs(heat[y, x] - (r if share >= least else 0)) < 1e-9


def test_a_perfect_copy_is_one() -> None:
    t = np.random.default_rng(0).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    s = np.zeros((40, 40, 3), np.uint8)
    s[10:19, 20:28] = t
    (match,) = find(t, s).matches
    assert match.score == pytest.approx(1, abs=1e-12)
    assert (match.top, match.left) == pytest.approx((10, 20), abs=0.1)


@pytest.mark.parametrize("value", [0, 7, 0.1, 1 / 3, -1e6])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_flat_places_and_templates_are_zero(value: float, dtype: type) -> None:
    random = np.random.default_rng(0)
    t = random.normal(size=(6, 7, 3)).astype(dtype)
    flat = np.full((20, 20, 3), value, dtype)
    for template, scene in ((t, flat), (flat[:6, :6], random.normal(size=(20, 20, 3)))):
        report = find(template, scene.astype(dtype), threshold=0.01)
        assert not report.heat.any()
        assert report.matches == ()
    half = random.normal(size=(20, 40, 3)).astype(dtype)
    half[:, 20:] = value
    heat = find(t, half).heat
    assert np.isfinite(heat).all()
    assert not heat[:, 24:37].any()
    assert heat[:, :20].any()


def test_flat_integers_are_zero() -> None:
    t = np.random.default_rng(0).integers(0, 256, (5, 5)).astype(np.uint8)
    scene = np.full((30, 30), 255, np.uint8)
    assert not find(t, scene).heat.any()
    assert find(np.full((3, 3), 9), t).is_flat
    assert "one colour only" in str(find(np.full((3, 3), 9), t))


def test_low_contrast_beside_high_contrast() -> None:
    """A copy of one grey step on a ground of 40,000: sums over the whole would drown it."""
    random = np.random.default_rng(0)
    t = random.integers(0, 2, (12, 12)).astype(np.uint16)
    scene = random.integers(0, 2, (60, 90)).astype(np.uint16)
    scene[:, 45:] = random.integers(0, 65536, (60, 45))
    scene[20:32, 10:22] = t + 40_000
    for dtype in (np.uint16, np.float64):
        (match,) = find(t.astype(dtype), scene.astype(dtype)).matches
        assert (round(match.top), round(match.left)) == (20, 10)


def test_fractions_of_a_pixel() -> None:
    y, x = np.mgrid[:31, :31]

    def blob(cy: float, cx: float) -> np.ndarray:
        return np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 18)

    t = blob(15, 15)[8:23, 8:23]
    (match,) = find(t, blob(15.3, 14.6), threshold=0.98).matches
    assert match.top == pytest.approx(8.3, abs=0.05)
    assert match.left == pytest.approx(7.6, abs=0.05)


def test_grey_against_colour() -> None:
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (9, 9)).astype(np.uint8)
    scene = random.integers(0, 256, (40, 40, 3)).astype(np.uint8)
    scene[5:14, 6:15] = grey[..., np.newaxis]
    assert len(find(grey, scene).matches) == 1
    assert len(find(scene[5:14, 6:15], scene[..., 0]).matches) == 1
    assert len(find(grey > 100, scene[..., 0] > 100, threshold=0.99).matches) == 1


def test_a_template_larger_than_the_scene() -> None:
    t = np.random.default_rng(0).integers(0, 256, (20, 20)).astype(np.uint8)
    (match,) = find(t, t[2:18, 3:19], threshold=0.99).matches
    assert (round(match.top), round(match.left)) == (-2, -3)
    assert match.visible == pytest.approx(256 / 400)
    assert find(t, t[:5, :5]).matches == ()
    assert find(t, np.zeros((0, 5))).matches == ()
    assert find(t[:0], t).matches == ()


def test_one_colour_is_flat() -> None:
    red = np.full((8, 8, 3), [200, 10, 30], np.uint8)
    scene = np.random.default_rng(0).integers(0, 256, (30, 30, 3)).astype(np.uint8)
    scene[5:13, 5:13] = red
    for template in (red, red.astype(float) / 7):
        report = find(template, scene)
        assert report.is_flat
        assert not report.heat.any()
    assert not find(scene[20:27, 20:27], np.broadcast_to(red[0, 0], (40, 40, 3))).heat.any()


def test_the_report_speaks_and_counts() -> None:
    made = Scene(1, 1, 1)
    report = find(made.template, made.scene)
    assert str(report).startswith("found at 8 places (correlation of 0.75 or more)")
    assert len(json.loads(json.dumps(report.to_dict()))["matches"]) == 8
    none = find(made.template, made.empty)
    assert "not found: the highest correlation is" in none._repr_html_()
    assert "found at 1 place (" in str(find(made.template, made.scene, most=1))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        ({"template": np.zeros(4)}, GeometryError, r"the template must be \(H, W\) or .*find W1\]"),
        ({"scene": np.zeros((4, 4, 0))}, GeometryError, "the scene must be"),
        (
            {"scene": np.zeros((4, 4, 2))},
            GeometryError,
            "must have as many channels, or one, got te",
        ),
        ({"threshold": 0}, GeometryError, r"threshold must be above 0 and up to 1.*\[find W2\]"),
        ({"threshold": 1.5}, GeometryError, "threshold must be above 0 and up to 1"),
        ({"min_visible": 0.3}, GeometryError, "min_visible must be from 0.5 up to 1"),
        ({"separation": -1}, GeometryError, "separation must be above 0 and up to 1"),
        ({"scene": np.full((4, 4, 3), np.nan)}, DTypeError, r"must hold finite real numbers.*W3\]"),
        ({"template": np.full((4, 4, 3), "a")}, DTypeError, "must hold finite real numbers"),
    ],
)
def test_what_cannot_be_found_is_said(call: dict, error: type, text: str) -> None:
    both = {"template": np.zeros((3, 3, 3)), "scene": np.zeros((9, 9, 3))}
    with pytest.raises(error, match=text):
        find(**(both | call))


@given(
    shape=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    seed=st.integers(0, 999),
    axes=st.integers(1, 2),
)
def test_window_sums(shape: list[int], seed: int, axes: int) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(-99, 99, shape)
    sizes = [int(random.integers(1, n + 1)) for n in shape[:axes]]
    found = window_sums(x, sizes)
    for at in np.ndindex(*found.shape[: len(sizes)]):
        box = tuple(slice(i, i + k) for i, k in zip(at, sizes, strict=True))
        assert (found[at] == x[box].sum(axis=tuple(range(len(sizes))))).all()


def test_window_sums_do_not_drag_large_numbers_along() -> None:
    x = np.array([1e17, 1e17, 1e17, 1.0, 2.0, 3.0, 4.0])
    assert window_sums(x, [2])[3:].tolist() == [3.0, 5.0, 7.0]
