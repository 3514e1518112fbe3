"""Expansions: the figures of the definition, and every output against the convolutions."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import faltung
from faltung.definitions import Expansion, expand
from faltung.errors import DTypeError, GeometryError

MODES = ("zeros", "reflect", "replicate", "circular")


def of_layer(image: Any, kernel: Any, *, mode: str, **options: Any) -> Any:
    """All outputs of a layer with the same attributes."""
    x, w = (np.asarray(a, float)[None, None] for a in (image, kernel))
    return faltung.conv(x, w, flip=mode == "convolve", **options)[0, 0]


def assert_is_the_layer(
    expanded: Callable[..., Expansion], image: Any, kernel: Any, **options: Any
) -> None:
    whole = of_layer(image, kernel, **options)
    for at in product(*map(range, whole.shape)):
        assert expanded(image, kernel, at, **options).value == whole[at]


@st.composite
def layers(draw: Any) -> tuple[Any, Any, dict[str, Any]]:
    axes = draw(st.integers(1, 3))
    sizes = st.lists(st.integers(1, 5), min_size=axes, max_size=axes)
    shape, kernel = draw(sizes), draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    words = st.sampled_from(["valid", "same", "same_lower", "full"])
    pairs = st.tuples(st.integers(0, 2), st.integers(0, 2))
    options = {
        "mode": draw(st.sampled_from(["correlate", "convolve"])),
        "padding": draw(words | st.lists(pairs, min_size=axes, max_size=axes).map(tuple)),
        "stride": draw(st.integers(1, 2)),
        "dilation": draw(st.integers(1, 2)),
        "padding_mode": draw(st.sampled_from(MODES)),
    }
    return rng.integers(-4, 5, shape), rng.integers(-4, 5, kernel), options


@given(layers())
def test_every_output_is_the_layers(layer: tuple[Any, Any, dict[str, Any]]) -> None:
    image, kernel, options = layer
    assert_is_the_layer(expand, image, kernel, **options)


def wrong(**changes: Any) -> Callable[..., Expansion]:
    return lambda image, kernel, at, **options: expand(image, kernel, at, **{**options, **changes})


@pytest.mark.parametrize(
    "broken",
    [
        wrong(mode="correlate"),
        wrong(padding=((1, 2), (1, 2))),
        wrong(padding_mode="zeros"),
        wrong(dilation=1),
        lambda image, kernel, at, **options: expand(image.T, kernel, at, **options),
    ],
)
def test_what_is_broken_is_seen(broken: Callable[..., Expansion]) -> None:
    rng = np.random.default_rng(1)
    image, kernel = rng.integers(1, 9, (6, 6)), rng.integers(1, 9, (3, 3))
    options = {"mode": "convolve", "padding": 2, "dilation": 2, "padding_mode": "reflect"}
    assert_is_the_layer(expand, image, kernel, **options)
    with pytest.raises(AssertionError):
        assert_is_the_layer(broken, image, kernel, **options)


@pytest.mark.parametrize("mode", ["correlate", "convolve"])
@pytest.mark.parametrize("shape", [((7,), (4,)), ((5, 6), (3, 2)), ((3, 4, 4), (2, 2, 3))])
def test_words_are_those_of_correlate_and_convolve(mode: str, shape: Any) -> None:
    rng = np.random.default_rng(0)
    image, kernel = (rng.integers(-9, 10, s) for s in shape)
    signal = getattr(faltung, mode)
    for word, ours in (("full", "full"), ("same", "same_lower"), ("valid", "valid")):
        whole = signal(image, kernel, word)
        values = [
            expand(image, kernel, at, mode=mode, padding=ours).value
            for at in product(*map(range, whole.shape))
        ]
        assert values == whole.ravel().tolist()


@pytest.mark.parametrize("mode", ["correlate", "convolve"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_anchor_lies_on_the_outputs_own_position(mode: str, dilation: int) -> None:
    image, kernel = np.arange(30).reshape(5, 6), np.arange(1, 7).reshape(2, 3)
    for anchor in product(range(2), range(3)):
        for at in [(0, 0), (2, 3), (4, 5)]:
            spelt = expand(image, kernel, at, mode=mode, anchor=anchor, dilation=dilation)
            assert spelt.placement.out_shape == image.shape
            (own,) = [term for term in spelt.terms if term.kernel_at == anchor]
            assert own.tap == at


def test_the_formula_as_written_is_the_anchor_at_the_first_entry() -> None:
    image, kernel = np.arange(16).reshape(4, 4), np.arange(1, 10).reshape(3, 3)
    for mode, pads, sign in (("convolve", (2, 0), "-"), ("correlate", (0, 2), "+")):
        spelt = expand(image, kernel, (1, 1), mode=mode, padding="formula")
        assert spelt.placement.pads == (pads, pads)
        assert spelt.placement.formula() == f"S(i,j) = Σ I(i{sign}m, j{sign}n) K(m,n)"
        assert spelt == expand(image, kernel, (1, 1), mode=mode, anchor=(0, 0))


def test_the_printed_formula_says_where_each_tap_is() -> None:
    """Evaluate the formula's text for every term."""
    image, kernel = np.zeros((9, 9), int), np.zeros((2, 3), int)
    for mode, padding in product(("correlate", "convolve"), ("full", "same", 0, ((3, 1), (0, 2)))):
        spelt = expand(image, kernel, (2, 1), mode=mode, padding=padding, stride=2, dilation=3)
        found = re.search(r"I\((.*), (.*)\) K", spelt.placement.formula())
        assert found
        for term in spelt.terms:
            names = dict(zip("ijmn", (*spelt.position, *term.kernel_at), strict=True))
            texts = (re.sub(r"(\d)([ijmn])", r"\1*\2", text) for text in found.groups())
            assert tuple(eval(text, names) for text in texts) == term.tap


def test_a_flipped_kernel_turns_one_into_the_other() -> None:
    image, kernel = np.arange(20).reshape(4, 5), np.arange(6).reshape(2, 3)
    pads = ((1, 0), (2, 1))
    for at in [(0, 0), (3, 5)]:
        convolved = expand(image, kernel, at, mode="convolve", padding=pads)
        correlated = expand(image, kernel[::-1, ::-1], at, padding=pads)
        assert convolved.value == correlated.value
        assert [t.tap for t in convolved.terms] == [t.tap for t in correlated.terms][::-1]


def test_numbers_stay_what_they_are() -> None:
    assert expand([2**62], [4], (0,)).value == 2**64
    assert expand([True, False], [3, 4]).value == 3
    assert expand([0.1] * 10, [1.0] * 10).value == 1.0  # added one by one it is 0.9999999999999999
    assert math.isnan(float(expand([math.inf, 1.0], [1.0, -math.inf]).value))
    assert "-0" not in str(expand([-0.0], [1.0]))


def test_padding_is_shown() -> None:
    spelt = expand(padding=1)
    text = str(spelt)
    assert "At S(0,0) 5 of 9 kernel entries lie on padding, where zeros stand." in text
    assert re.search(r"K\(0,0\) +-1 +I\(-1,-1\) +padding +0 +0\n", text)
    assert "[0]" in text
    reflected = str(expand(padding=1, padding_mode="reflect"))
    assert re.search(r"I\(-1,-1\) +padding, I\(1,1\) +1 +-1\n", reflected)
    assert "reflect values stand" in reflected
    far = expand([1, 2], [5], (0,), padding=3)
    assert (far.value, far.symbols, far.numbers) == (0, "0", "0")
    assert "S(0) = 0\n     = 0" in str(far)


def test_an_even_kernel_has_its_two_sames_told() -> None:
    assert "An even kernel has no middle" in str(expand([1, 2], [1, 2], padding="same"))
    assert "An even kernel" not in str(expand(padding="same"))


def test_the_flip_is_shown() -> None:
    grid = str(expand(kernel=[[1, 2], [3, 4]], mode="convolve")).split("flipped\n")[1]
    assert [line.split() for line in grid.splitlines()] == [
        ["K", "1", "0"],
        ["-" * 7],
        ["1", "4", "3"],
        ["0", "2", "1"],
    ]
    assert "as it lies" not in str(expand(np.zeros((3, 3, 3)), np.ones((1, 1, 1))))
    assert "as it lies" not in str(expand(np.zeros(13), np.ones(13)))


def test_a_report_has_three_faces() -> None:
    spelt = expand([1.5, 2.0], [2.0])
    assert json.loads(json.dumps(spelt.to_dict()))["terms"][0] == {
        "kernel": [0],
        "kernel_value": 2.0,
        "tap": [0],
        "source": [0],
        "image_value": 1.5,
        "product": 3.0,
    }
    assert "<td>K(0)</td>" in spelt._repr_html_()
    assert str(spelt).splitlines()[0].endswith("S(i) = Σ I(i+m) K(m)")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"mode": "flip"}, "mode must be one of 'correlate', 'convolve', got mode='flip'. [expand"),
        ({"anchor": (0, 3)}, "anchor must be a position of the kernel, got anchor=(0, 3), kernel="
         "(3, 3). Count from 0. [expand E2]"),
        ({"anchor": (0,)}, "anchor must be a position of the kernel"),
        ({"anchor": (0, 0), "padding": 1}, "expand: takes padding or anchor, not both"),
        ({"position": (0, 1)}, "position must be one of the outputs, got position=(0, 1), out_"
         "shape=(1, 1). Use a smaller position. [expand E4]"),
        ({"position": (-1, 0)}, "position must be one of the outputs"),
        ({"position": (0,)}, "position must be one of the outputs"),
        ({"image": [[1, 2]]}, "out_shape=(0, 0). Pad the image. [expand E4]"),
        ({"padding_mode": "mirror"}, "padding_mode must be known"),
        ({"padding": "most"}, "the word must be one of"),
        ({"kernel": [1]}, "w must have as many axes as x"),
    ],
)  # fmt: skip
def test_what_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(GeometryError, match=re.escape(text)):
        expand(**options)


def test_other_entries_are_refused() -> None:
    text = "expand: image must hold integers, booleans or floats, got dtype=complex128. [expand E5]"
    with pytest.raises(DTypeError, match=re.escape(text)):
        expand([1j], [1])
    with pytest.raises(DTypeError, match="kernel must hold"):
        expand([1], ["a"])
