"""``faltung explain`` conv, signal, compose and cost: what is printed, read, drawn, refused."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faltung as package
from faltung.files.sound import Sound, write_sound

TOPICS = ("conv", "signal", "compose", "cost")


@pytest.mark.parametrize("topic", TOPICS)
def test_the_example_prints_its_full_command(faltung: Any, topic: str) -> None:
    first, rest = faltung("explain", topic).out.split("\n\n", 1)
    again = faltung("explain", *shlex.split(first.split(" explain ")[1]))
    assert again.code == 0
    assert again.out == rest[: len(again.out)]
    assert "$" not in again.out


@pytest.mark.parametrize("topic", TOPICS)
def test_json_is_one_object_on_standard_output(faltung: Any, topic: str) -> None:
    assert isinstance(faltung("explain", topic, "--json").json, dict)


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ((), 2),
        (("--convolve",), -2),
        (("--padding", "full"), 1),
        (("--padding", "1:0,0:1", "--at", "1,0"), 2),
        (("--anchor", "0,0", "--convolve", "--at", "2,2"), -2),
        (("--padding", "formula", "--convolve", "--at", "2,2"), -2),
        (("--padding", "same", "--padding-mode", "circular", "--at", "1,1"), 2),
    ],
)
def test_conv(faltung: Any, arguments: tuple[str, ...], value: int) -> None:
    assert faltung("explain", "conv", *arguments, "--json").json["value"] == value


def test_conv_takes_numbers_and_files(faltung: Any) -> None:
    np.save("image.npy", np.arange(5.0))
    said = faltung("explain", "conv", "--image", "image.npy", "--kernel", "1 0 1/2", "--at", "1")
    assert "S(1) = I(1)K(0) + I(2)K(1) + I(3)K(2)" in said.out
    assert "= 2.5\n" in said.out
    assert not said.out.startswith("$")
    np.save("broken.npy", np.array([np.nan, 1]))
    found = faltung("explain", "conv", "--image", "broken.npy", "--kernel", "1", "--json").json
    assert found["value"] is None


@pytest.mark.parametrize("stride", ["2", "2x2"])
def test_conv_has_strides_and_dilation(faltung: Any, stride: str) -> None:
    image = ";".join(["1 2 3 4 5"] * 5)
    options = ("--image", image, "--kernel", "1 0;0 1", "--stride", stride, "--dilation", "2x1")
    found = faltung("explain", "conv", *options, "--at", "1,1", "--json").json
    assert found["value"] == 3 + 4
    assert found["formula"] == "S(i,j) = Σ I(2i+2m, 2j+n) K(m,n)"


def test_signal_reads_numbers_and_files(faltung: Any) -> None:
    values = [10, 9, 10, 9, 10, 1, 10, 9, 10, 8]
    Path("table.csv").write_text(
        "\n".join(["day,high", *(f"{i},{v}" for i, v in enumerate(values))])
    )
    np.save("signal.npy", values)
    stereo = np.stack([np.zeros(10), values], axis=1).astype(np.int16)
    write_sound("sound.wav", Sound(stereo, 8000, 16))
    given = [
        (",".join(map(str, values)),),
        ("table.csv", "--column", "high"),
        ("table.csv", "--column", "2"),
        ("signal.npy",),
        ("sound.wav", "--channel", "1"),
    ]
    for source in given:
        found = faltung("explain", "signal", "--signal", *source, "--json").json
        assert found["full_times_divisor"] == [10, 19, 29, 28, 29, 20, 21, 20, 29, 27, 18, 8]
    text = "sound.wav has channels 0 to 1: choose with --channel"
    assert text in faltung("explain", "signal", "--signal", "sound.wav").error
    assert text in faltung("explain", "signal", "--signal", "sound.wav", "--channel", "2").error


def test_signal_takes_widths_kernels_and_weights_of_the_past(faltung: Any) -> None:
    assert "mean of 5" in faltung("explain", "signal", "--width", "5").out
    assert "[1, -1]" in faltung("explain", "signal", "--kernel", "1,-1").out
    halving = faltung("explain", "signal", "--past", "halving")
    assert "--past halving" in halving.out.splitlines()[0]
    assert "What is the age? t-a" in halving.out
    options = ("--signal", "4,8", "--past", "3,1", "--json")
    assert faltung("explain", "signal", *options).json["averages"] == [4, 7]


@pytest.mark.parametrize("past", [(), ("--past", "halving")])
def test_signal_draws(faltung: Any, past: tuple[str, ...]) -> None:
    pytest.importorskip("matplotlib")
    said = faltung("explain", "signal", *past, "--out", "signal.png", "--theme", "dark")
    assert said.code == 0
    assert "picture: signal.png" in said.err
    assert Path("signal.png").read_bytes()[:4] == b"\x89PNG"


def test_without_matplotlib_a_picture_is_refused_in_one_line(
    faltung: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*sys.modules]:
        if name.startswith("faltung.viz"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # type: ignore[arg-type]
    said = faltung("explain", "signal", "--out", "signal.png")
    assert "pip install 'faltung[viz]'" in said.error


def test_compose(faltung: Any) -> None:
    found = faltung(
        "explain", "compose", "--image", "1 2 3 4 5", "--first", "1 1", "--second", "1 -1", "--json"
    ).json
    assert found["merged_kernel"] == [1, 0, -1]
    assert all(law["holds"] for law in found["laws"])


@pytest.mark.parametrize(
    ("size", "params"),
    [
        ("28x28", 785_000),
        ("32x32x3", 3_073_000),
        ("224×224×3", 150_529_000),
        ("512x512x3", 786_433_000),
        ("1080x1920x3", 6_220_801_000),
        ("100", 101_000),
        ("4x5x6x2", 241_000),
    ],
)
def test_cost(faltung: Any, size: str, params: int) -> None:
    found = faltung("explain", "cost", "--input", size, "--json").json
    assert found["layers"]["dense"]["params"] == params


def test_cost_takes_layers_of_ones_own(faltung: Any) -> None:
    options = ("--outputs", "512", "--kernel", "5", "--channels", "64")
    found = faltung("explain", "cost", "--input", "64x64x3", *options, "--json").json
    assert found["layers"]["convolution"]["params"] == 4_864
    bare = faltung("explain", "cost", "--input", "64x64x3", *options, "--no-bias", "--json").json
    assert bare["layers"]["convolution"]["params"] == 4_800


def test_cost_lists_networks_and_loose_statements(faltung: Any) -> None:
    said = faltung("explain", "cost", "--networks")
    assert said.out == f"{package.network_costs()}\n"
    assert "138,357,544    14,714,688  123,642,856  89.4 %" in said.out
    assert (
        faltung("explain", "cost", "--networks", "--json").json["alexnet"]["params"] == 60_965_224
    )
    said = faltung("explain", "cost", "--loose")
    assert said.out == f"{package.loose_statements()}\n"
    assert "6,220,801,000" in said.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("conv", "--at", "5,5"), "position must be one of the outputs"),
        (("conv", "--at", "a"), "'a' is not written like 0,2"),
        (("conv", "--image", "1,2;3"), "is not written like '1,2; 3,4' or FILE.npy"),
        (("conv", "--image", "none.npy"), "none.npy: there is no such file"),
        (("conv", "--padding", "most"), "the word must be one of"),
        (("conv", "--padding-mode", "mirror"), "padding_mode must be known"),
        (("signal", "--signal", "a,b"), "is not written like"),
        (("signal", "--signal", "none.csv"), "none.csv: there is no such file"),
        (("signal", "--signal", "none.wav"), "none.wav: there is no such file"),
        (("signal", "--signal", "1,2"), "the kernel must not be longer than the signal"),
        (("signal", "--past", "thirds"), "weights must be 'halving' or numbers"),
        (("signal", "--past", "-1"), "weights must not be negative"),
        (("compose", "--first", "1,2"), "the same 1 to 3 axes"),
        (("cost", "--input", "0x3"), "all at least 1"),
        (("cost", "--input", "big"), "is not written like 28x28"),
        (("cost", "--kernel", "0"), "kernel must be at least 1"),
    ],
)
def test_what_is_refused_takes_one_line(
    faltung: Any, arguments: tuple[str, ...], says: str
) -> None:
    assert says in faltung("explain", *arguments).error
