from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faltung.files.array import read_array, write_array
from faltung.files.image import read_image, write_image
from faltung.files.sound import Sound, read_sound, write_sound
from faltung.imaging import LIBRARY, filter_image

GREY = np.random.default_rng(0).integers(0, 256, (12, 14)).astype(np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (12, 14, 3)).astype(np.uint8)


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    write_image(tmp_path / "grey.png", GREY)
    return tmp_path / "grey.png"


def test_the_example_prints_a_command_that_works(faltung) -> None:
    said = faltung("filter")
    assert said.code == 0
    command = shlex.split(said.out.splitlines()[0])
    assert command[0] == "$"
    first = read_image("cat-sobel.png")
    Path("cat-sobel.png").unlink()
    assert faltung(*command[command.index("filter") :]).code == 0
    assert (read_image("cat-sobel.png") == first).all()
    assert first.shape == (300, 451, 3)


@pytest.mark.parametrize("out", ["b.png", "b.bmp", "b.tif", "b.jpg", "b.npy"])
def test_images_are_written_at_their_depth(faltung, grey: Path, out: str) -> None:
    assert faltung("filter", grey, "box", out, "--border", "reflect").code == 0
    exact = filter_image(GREY, "box", border="reflect")
    if out == "b.npy":
        assert (read_array(out) == exact).all()
    elif out != "b.jpg":
        assert (read_image(out) == np.rint(exact)).all()
    else:
        assert read_image(out).dtype == np.uint8


def test_sixteen_bits_of_colour_stay(faltung, tmp_path: Path) -> None:
    deep = COLOUR.astype(np.uint16) * 257
    write_image(tmp_path / "deep.png", deep)
    assert faltung("filter", "deep.png", "0 0 1", "out.png").code == 0
    found = read_image("out.png")
    assert found.dtype == np.uint16
    assert (found[:, :-1] == deep[:, 1:]).all()


def test_what_is_clipped_is_counted(faltung, grey: Path) -> None:
    said = faltung("filter", grey, "1 1", "out.png", "--json").json
    exact = GREY.astype(int) + np.pad(GREY, ((0, 0), (1, 0)))[:, :-1]
    assert said["output"]["clipped"] == (exact > 255).sum() > 0
    assert said["result"] == {
        "shape": [12, 14],
        "dtype": "int64",
        "least": exact.min(),
        "most": exact.max(),
    }
    assert (read_image("out.png") == np.minimum(exact, 255)).all()
    assert (
        "% of the values were clipped (--fit or .npy keeps them)"
        in faltung("filter", grey, "1 1", "out.png").out
    )


@pytest.mark.parametrize(("fit", "middle"), [("stretch", None), ("signed", 128)])
def test_fitting(faltung, grey: Path, fit: str, middle: int | None) -> None:
    said = faltung("filter", grey, "sobel-x", "out.png", "--fit", fit, "--json").json
    assert said["output"]["clipped"] == 0
    exact, found = filter_image(GREY, "sobel-x"), read_image("out.png")
    assert np.abs(np.corrcoef(exact.ravel(), found.ravel())[0, 1]) > 0.999
    if middle is None:
        assert (found.min(), found.max()) == (0, 255)
    else:
        assert set(found[exact == 0].tolist()) <= {middle}
        assert max(found.max() - 128, 128 - found.min()) == 127


def test_flat_images_can_be_fitted(faltung, tmp_path: Path) -> None:
    write_image(tmp_path / "flat.png", np.full((5, 5), 7, np.uint8))
    for fit in ("stretch", "signed"):
        assert faltung("filter", "flat.png", "laplacian", "o.png", "--fit", fit).code == 0


@pytest.mark.parametrize("mode", ["correlate", "convolve"])
def test_modes_borders_and_anchors(faltung, grey: Path, mode: str) -> None:
    kernel = "1 2; 3 4"
    options = ["--mode", mode, "--border", "circular", "--anchor", "0,1"]
    assert faltung("filter", grey, kernel, "out.npy", *options).code == 0
    expected = filter_image(GREY, kernel, mode=mode, border="circular", anchor=(0, 1))
    assert (read_array("out.npy") == expected).all()


def test_channels_one_by_one_or_mixed(faltung, tmp_path: Path, grey: Path) -> None:
    write_image(tmp_path / "colour.png", COLOUR)
    faltung("filter", "colour.png", "sobel-x", "each.npy")
    assert (read_array("each.npy") == filter_image(COLOUR, "sobel-x")).all()
    faltung("filter", "colour.png", "sobel-x", "mixed.npy", "--mixed")
    expected = filter_image(COLOUR.astype(float).mean(axis=2), "sobel-x")
    assert np.abs(read_array("mixed.npy") - expected).max() < 1e-9
    assert faltung("filter", grey, "sobel-x", "one.npy", "--mixed").code == 0
    assert read_array("one.npy").shape == GREY.shape


@pytest.mark.parametrize("suffix", ["npy", "txt", "csv"])
def test_kernels_from_files(faltung, tmp_path: Path, grey: Path, suffix: str) -> None:
    kernel = [[1, 0, -1], [2, 0, -2]]
    if suffix == "npy":
        write_array(tmp_path / "k.npy", kernel)
    else:
        text = "1,0,-1\n2,0,-2\n" if suffix == "csv" else "1 0 -1\n2 0 -2\n"
        (tmp_path / f"k.{suffix}").write_text(text)
    assert faltung("filter", grey, f"k.{suffix}", "out.npy").code == 0
    assert (read_array("out.npy") == filter_image(GREY, kernel)).all()


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.int8), (16, np.int16), (24, np.int32)])
def test_sound_keeps_its_depth_and_rate(faltung, tmp_path: Path, bits: int, dtype: type) -> None:
    most = 2 ** (bits - 1) - 1
    samples = np.array([[0, 5], [most, -7], [most, 9], [0, -most - 1]], dtype)
    write_sound(tmp_path / "a.wav", Sound(samples, 8000, bits))
    said = faltung("filter", "a.wav", "1 1", "b.wav", "--json").json
    found = read_sound("b.wav")
    assert (found.rate, found.bits) == (8000, bits)
    assert found.samples[:, 0].tolist() == [0, most, most, most]
    assert said["output"]["clipped"] == 1
    assert faltung("filter", "a.wav", "gaussian:1", "c.npy").code == 0
    assert read_array("c.npy").dtype == np.float64


def test_float_sound_and_odd_depths(faltung, tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", Sound(np.full((4, 1), 0.5, np.float32), 8000, 32))
    assert faltung("filter", "a.wav", "2", "b.wav").code == 0
    assert read_sound("b.wav").samples.tolist() == [[1.0]] * 4


def test_arrays_of_one_to_three_axes(faltung, tmp_path: Path) -> None:
    for shape in ((9,), (6, 7), (6, 7, 3), (6, 7, 8)):
        write_array(tmp_path / "a.npy", np.arange(np.prod(shape)).reshape(shape))
        assert faltung("filter", "a.npy", "gaussian:0.5", "b.npy").code == 0
        assert read_array("b.npy").shape == shape


def test_float_tiffs_stay_floats(faltung, tmp_path: Path) -> None:
    write_image(tmp_path / "a.tif", GREY.astype(np.float32) / 7)
    assert faltung("filter", "a.tif", "box", "b.tif").code == 0
    assert read_image("b.tif").dtype == np.float32


def test_passes_are_told(faltung, grey: Path) -> None:
    said = faltung("filter", grey, "gaussian:2")
    assert "kernel 17x17, rank 1: a pass along each axis, 34 products instead of 289" in said.out
    assert "nothing written: no OUT was given" in said.out
    work = faltung("filter", grey, "laplacian", "--json").json["kernels"]
    assert work == [{"shape": [3, 3], "rank": 2, "products": 9}]


def test_the_library_is_listed(faltung) -> None:
    said = faltung("filter", "--list")
    assert all(f"\n{name} " in said.out for name in LIBRARY)
    listed = faltung("filter", "--list", "--json").json["filters"]
    assert listed["unsharp"]["parameters"] == {"sigma": 1.0, "amount": 1.0}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["cat"], "KERNEL is missing"),
        (["none.png", "box"], "none.png: there is no such file"),
        (["cat", "blur"], "the library has no such filter"),
        (["cat", "1 2; 3"], "must be rows of equally many numbers"),
        (["cat", "box", "out.xyz"], "its suffix names no image format"),
        (["cat", "box", "none/out.png"], "its folder does not exist"),
        (["cat", "box", "out.wav"], "only sound can be written as sound, got from=cat"),
        (["cat", "box", "--border", "mirror"], "mirror"),
        (["cat", "median", "--mixed"], "median is no convolution"),
        (["cat", "k.npy"], "k.npy: there is no such file"),
        (["cat", "gaussian:1e9"], "sigma must be above 0 and at most 500"),
        (["broken.png", "box"], "broken.png: cannot be read"),
    ],
)
def test_errors_are_one_line(faltung, arguments: list[str], text: str) -> None:
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert text in faltung("filter", *arguments).error


def odd_images() -> dict[str, Image.Image]:
    """Images of every kind that a file may hold."""
    palette = Image.fromarray(GREY % 4).convert("P")
    palette.putpalette([7, 8, 9, 90, 91, 92, 1, 250, 3, 4, 5, 200])
    return {
        "bit.png": Image.fromarray(GREY > 100),
        "palette.png": palette,
        "palette.gif": palette,
        "cmyk.jpg": Image.fromarray(COLOUR).convert("CMYK"),
        "cmyk.tif": Image.fromarray(COLOUR).convert("CMYK"),
        "alpha.png": Image.fromarray(np.dstack([COLOUR, GREY])),
        "grey-alpha.png": Image.fromarray(np.dstack([GREY, GREY])),
        "deep.png": Image.fromarray(GREY.astype(np.uint16) * 257),
        "one.png": Image.fromarray(GREY[:1, :1]),
    }


@pytest.mark.parametrize("name", odd_images())
@pytest.mark.parametrize("kernel", ["sobel", "gaussian:9", "1 2; 3 4", "harris"])
def test_any_image_and_any_kernel(faltung, name: str, kernel: str) -> None:
    """Kernels larger than the image and even ones among them; reading twice gives the same."""
    odd_images()[name].save(name)
    said = faltung("filter", name, kernel, "out.png", "--border", "reflect", "--fit", "stretch")
    assert said.code == 0
    assert read_image("out.png").shape[:2] == read_image(name).shape[:2]


@pytest.mark.parametrize("verb", [["filter", "bad", "box"], ["find", "bad", "cat"]])
@pytest.mark.parametrize("keep", [0, 8, 60, -30])
@pytest.mark.parametrize("name", ["deep.png", "cmyk.jpg", "palette.gif"])
def test_broken_images_are_one_line(faltung, verb, keep: int, name: str) -> None:
    odd_images()[name].save(name)
    Path("bad").write_bytes(Path(name).read_bytes()[:keep])
    assert "bad: cannot be read" in faltung(*verb).error
