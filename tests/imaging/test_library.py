from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.errors import FaltungError, GeometryError
from faltung.imaging import LIBRARY, filter_image, kernels, named_filter
from faltung.imaging.apply import filter_of
from faltung.imaging.filter import slide
from faltung.imaging.kernel_text import kernel_of
from faltung.imaging.library import parameters

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", LIBRARY)
def test_every_filter_runs_on_colours_greys_and_tiny_images(name: str) -> None:
    for image in (IMAGE, IMAGE[..., 0], IMAGE[:1, :1], IMAGE[:0]):
        found = named_filter(name).apply(image, border="zeros")
        assert found.shape == (image.shape[:2] if name == "harris" else image.shape)
        assert np.isfinite(found).all()


@pytest.mark.parametrize("name", ["log", "dog", "unsharp"])
def test_terms_add_up_to_the_kernel(name: str) -> None:
    chosen = named_filter(name)
    image = IMAGE.astype(float)
    whole = slide(image, chosen.kernels[0], passes=False, border="reflect")
    assert np.abs(chosen.apply(image, border="reflect") - whole).max() < 1e-11


def test_edge_strength() -> None:
    x, y = (slide(IMAGE, each).astype(float) for each in (kernels.sobel_x(), kernels.sobel_y()))
    assert (filter_image(IMAGE, "sobel") == np.sqrt(x * x + y * y)).all()


@pytest.mark.parametrize("text", ["gaussian:1.5", "gaussian: sigma = 1.5", " GAUSSIAN:1.5,"])
def test_parameters_in_order_or_by_name(text: str) -> None:
    assert (named_filter(text).kernels[0] == kernels.gaussian(1.5)).all()


def test_names_may_have_either_stroke() -> None:
    assert (named_filter("sobel_x").kernels[0] == kernels.sobel_x()).all()


def test_signals_and_volumes() -> None:
    assert named_filter("gaussian:2", axes=1).kernels[0].ndim == 1
    assert named_filter("laplacian", axes=3).kernels[0].shape == (3, 3, 3)
    assert filter_image([10, 9, 10, 1, 10], "median", border="replicate").tolist()[3] == 10
    assert filter_image([1, 2, 4], "1 1").tolist() == [1, 3, 6]


@pytest.mark.parametrize("name", LIBRARY)
def test_parameters_are_told(name: str) -> None:
    found = parameters(name)
    assert {"image", "axes", "border"} & set(found) == set()
    for key, value in found.items():
        if value is not None:
            named_filter(f"{name}:{key}={value}")


@pytest.mark.parametrize(
    ("text", "axes", "message"),
    [
        ("blur", 2, r"the library has no such filter, got name='blur'\. Use one of box, gaussian"),
        ("sobel:3", 2, r"sobel takes no parameter, got parameter='3'.*\[library N2\]"),
        ("gaussian:x", 2, "gaussian takes sigma=1, got parameter='x'"),
        ("gaussian:1,2", 2, "gaussian takes sigma=1, got parameter='2'"),
        ("gaussian:1,sigma=2", 2, "gaussian takes sigma=1, got parameter='sigma=2'"),
        ("gaussian:nan", 2, "gaussian takes sigma=1"),
        ("gabor:theta=", 2, "gabor takes wavelength=8, theta=0, sigma, gamma=1, phase=0"),
        ("sobel", 1, r"sobel is made for images, got axes=1\. Use one of box, .*\[library N4\]"),
    ],
)
def test_what_names_no_filter(text: str, axes: int, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        named_filter(text, axes=axes)


@pytest.mark.parametrize("how", [{"channels": "mixed"}, {"anchor": 1}])
def test_what_is_no_convolution_says_so(how: dict) -> None:
    with pytest.raises(GeometryError, match="median is no convolution: it takes a border alone"):
        filter_image(IMAGE, "median", **how)
    filter_image(IMAGE, "median", mode="convolve", border="reflect")


@given(st.text(alphabet="box:gaussian,=1.5-e9sigma ;/", max_size=16))
def test_any_text_is_a_filter_or_one_line(text: str) -> None:
    try:
        outcome = filter_of(text).name
    except FaltungError as error:
        outcome = str(error)
    assert "\n" not in outcome


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1 2 1; 2 4 2; 1 2 1", [[1, 2, 1], [2, 4, 2], [1, 2, 1]]),
        ("-1, 0, 1\n-2, 0, 2\n", [[-1, 0, 1], [-2, 0, 2]]),
        ("1/4 -.5 +3e-1", [[0.25, -0.5, 0.3]]),
        ("7;", [[7]]),
    ],
)
def test_numbers_in_a_text(text: str, values: list) -> None:
    found = kernel_of(text)
    assert found.tolist() == values
    assert found.dtype == (np.int64 if isinstance(values[0][0], int) else np.float64)


@pytest.mark.parametrize(
    ("text", "axes", "message"),
    [
        (
            "",
            2,
            r"must be rows of equally many numbers, got row lengths=\[\]\. Write it as '1 2 1;",
        ),
        ("1 2; 3", 2, r"must be rows of equally many numbers, got row lengths=\[2, 1\]"),
        ("1; 2", 1, r"must be one row of numbers, got row lengths=\[1, 1\]\. Write it as '1 2 1'"),
        ("1 two", 2, "an entry is no number, got entry='two'"),
        ("1/0", 2, "an entry is no number, got entry='1/0'"),
        ("1e999999", 2, "an entry is no number"),
        ("1 nan", 2, "an entry is no number"),
    ],
)
def test_what_is_no_kernel(text: str, axes: int, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        kernel_of(text, axes=axes)


def test_a_kernel_as_text_and_as_array_agree() -> None:
    k = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert (filter_image(IMAGE, "1 2 1; 2 4 2; 1 2 1") == filter_image(IMAGE, k)).all()
    assert (filter_image(IMAGE, filter_of(np.array(k))) == filter_image(IMAGE, k)).all()
