"""Lab in a browser: pictures, filters, templates and detections equal Python's."""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faltung.errors import ExplorerError
from faltung.explorer.ask_lab import detect
from faltung.explorer.data_lab import FILTERS, PICTURES, picture, prepared
from faltung.explorer.lettering import page_of
from faltung.explorer.recorded import packed
from faltung.explorer.uploads import Uploads
from faltung.imaging import find, named_filter
from faltung.imaging.separable import factors

Pixels = NDArray[np.uint8]
BORDERS = ("zeros", "reflect", "replicate", "circular", "symmetric")


def png(pixels: Pixels) -> dict[str, Any]:
    """Return a picture as Playwright hands files over."""
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return {"name": "mine.png", "mimeType": "image/png", "buffer": written.getvalue()}


def until(view: Any, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Wait until the view's figures are as wanted, and return them."""
    for _ in range(400):
        figures: dict[str, Any] = view.figures()
        if holds(figures):
            return figures
        view.tab.wait_for_timeout(10)
    raise AssertionError("the view did not come so far")


def is_wide(width: int, figures: dict[str, Any]) -> bool:
    return bool(figures["picture"]["width"] == width)


def until_said(view: Any, text: str) -> None:
    """Wait until the note has a text."""
    view.tab.locator(".ft-note", has_text=text).wait_for()


@pytest.fixture(scope="module")
def page(lasting_view: Callable[[str], Any]) -> Any:
    """The view on a page of its own, its pictures read."""
    view = lasting_view("lab")
    until(view, lambda f: f["isLoaded"])
    return view


@pytest.fixture
def view(page: Any) -> Any:
    """The page as it starts."""
    page.tab.evaluate("document.querySelector('.ft-view').faltung.store.reset()")
    return page


def give(view: Any, pixels: Pixels, button: str = "Open a picture") -> None:
    """Hand a picture to the view, and wait until it is shown."""
    view.tab.locator(f"input[type=file][aria-label='{button}']").set_input_files(png(pixels))
    if button == "Open a picture":
        until(view, lambda f: np.array_equal(shown(f), grey_of(pixels)))


def floats(text: str) -> NDArray[np.float64]:
    """Return the numbers of a picture as the view tells them."""
    return np.frombuffer(base64.b64decode(text), "<f8")


def grey_of(pixels: Pixels) -> Pixels:
    """A picture whose colours are all greys is a grey one."""
    is_grey = pixels.ndim == 3 and (pixels == pixels[..., :1]).all()
    return pixels[..., 0] if is_grey else pixels


def shown(figures: dict[str, Any]) -> NDArray[Any]:
    """Return the picture of the view as Python has it, (H, W) or (H, W, 3)."""
    given = figures["picture"]
    planes = floats(given["data"]).reshape(given["channels"], given["height"], given["width"])
    return planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0)


def filtered(figures: dict[str, Any]) -> NDArray[Any]:
    height, width, channels = figures["filter"]["shape"]
    planes = floats(figures["filter"]["output"]).reshape(channels, height, width)
    return planes[0] if channels == 1 else planes.transpose(1, 2, 0)


def random_picture(rng: np.random.Generator) -> Pixels:
    shape = (int(rng.integers(1, 15)), int(rng.integers(1, 18)))
    colours = (3,) if rng.integers(3) == 0 else ()
    return rng.integers(0, 256, size=(*shape, *colours)).astype(np.uint8)


def random_state(rng: np.random.Generator, seed: int) -> dict[str, Any]:
    """Draw kernels of any size, even ones too, some wholly random, some separable, some pairs."""
    kh, kw = (int(n) for n in rng.integers(1, 9, size=2))
    kernels = []
    for _ in range(1 + (seed % 5 == 0)):
        kernel: NDArray[Any] = rng.integers(-4, 5, size=(kh, kw))
        if seed % 3 == 1:
            kernel = np.outer(rng.integers(-3, 4, size=kh), rng.integers(-3, 4, size=kw))
        if seed % 4 == 3:
            kernel = kernel / 7
        kernels.append(kernel.tolist())
    return {
        "kernels": kernels,
        "border": BORDERS[seed % 5],
        "flip": bool(rng.integers(2)),
        "size": "valid" if seed % 4 == 2 else "same",
        "absolute": bool(seed % 7 == 0),
        "scale": 0.5 if seed % 6 == 0 else 1,
        "offset": 12 if seed % 6 == 3 else 0,
    }


def run(code: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, "copied", "exec"), scope)
    return scope


def test_pictures_are_pythons(view: Any) -> None:
    """Every built-in picture, photographs too, pixel by pixel."""
    for name in PICTURES:
        view.set(picture=name)
        np.testing.assert_array_equal(shown(view.figures()), picture(name))


def test_filters_are_pythons(view: Any) -> None:
    """Forty pictures and kernels, among them even ones and some larger than the picture."""
    view.set(picture="digit")
    even = larger = empty = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        pixels, state = random_picture(rng), random_state(rng, seed)
        give(view, pixels)
        view.set(**state)
        figures = view.figures()
        kernels = [np.array(k) for k in state["kernels"]]
        assert figures["filter"]["shape"][2] == (1 if shown(figures).ndim == 2 else 3)
        y = python_of(figures["python"], pixels)
        np.testing.assert_allclose(filtered(figures), y, rtol=1e-12, atol=1e-9)
        if all(k.dtype.kind == "i" for k in kernels) and len(kernels) == 1:
            np.testing.assert_array_equal(filtered(figures), y)
        kh, kw = kernels[0].shape
        even += kh % 2 == 0 or kw % 2 == 0
        larger += kh > pixels.shape[0] or kw > pixels.shape[1]
        empty += y.size == 0
    assert min(even, larger) >= 8
    assert empty >= 2


def python_of(code: str, pixels: Pixels) -> NDArray[Any]:
    """Run what the view says, on a picture that it was given as a file."""
    lines = ["image = GIVEN" if line.startswith("image = ") else line for line in code.split("\n")]
    scope: dict[str, Any] = {"GIVEN": pixels}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile("\n".join(lines), "copied", "exec"), scope)
    return np.asarray(scope["y"])


def test_sums_are_pythons(view: Any) -> None:
    """The pinned pixel's terms are the kernel's entries, and add up to its value."""
    view.set(picture="noise")
    for seed in range(12):
        rng = np.random.default_rng(seed)
        state = random_state(rng, seed + 1)
        view.set(**state, pinned=[int(n) for n in rng.integers(0, 50, size=2)])
        figures = view.figures()["filter"]
        total = sum(a * b for a, b in figures["terms"])
        if len(state["kernels"]) == 1:
            value = abs(total) if state["absolute"] else total
            expected = value * state["scale"] + state["offset"]
            assert figures["values"][0] == pytest.approx(expected, rel=1e-12, abs=1e-9)
        entries = sorted(v for row in state["kernels"][0] for v in row)
        assert sorted(b for _, b in figures["terms"]) == entries


def test_library(view: Any) -> None:
    """Each filter of the list has Python's name, values, factors and answer."""
    view.set(picture="digit")
    for name in FILTERS:
        view.tab.locator("[data-field=library] select").select_option(name)
        figures = view.figures()
        assert figures["filter"]["filter"] == name
        assert f'"{name}"' in figures["python"]
        y = run(figures["python"])["y"]
        np.testing.assert_allclose(filtered(figures), y, rtol=1e-10, atol=1e-9)
        for kernel, found in zip(
            named_filter(name).kernels, figures["filter"]["factors"], strict=True
        ):
            same = factors(kernel)
            assert (found is None) == (same is None)
            if same is not None:
                np.testing.assert_allclose(np.outer(*found), np.outer(*same), rtol=1e-12)


def test_factors(view: Any) -> None:
    """Kernels of rank 1 are named as Python names them, and no others."""
    view.set(picture="digit")
    for seed in range(24):
        rng = np.random.default_rng(seed)
        kernel: NDArray[Any] = np.outer(
            *(rng.integers(-3, 4, size=int(n)) for n in rng.integers(1, 5, size=2))
        )
        kernel = kernel + (rng.integers(0, 2, size=kernel.shape) if seed % 3 == 0 else 0)
        kernel = kernel / 3 if seed % 4 == 0 else kernel
        view.set(kernels=[kernel.tolist()])
        kernel = kernel.astype(int) if (kernel == np.rint(kernel)).all() else kernel
        (found,), same = view.figures()["filter"]["factors"], factors(kernel)
        assert (found is None) == (same is None)
        if same is not None:
            for a, b in zip(found, same, strict=True):
                np.testing.assert_array_equal(a, b)


def test_squares(view: Any) -> None:
    """Trap 46: squares of 1 pixel are 0 everywhere inside; of 2 pixels the answer is 2."""
    worth = view.tab.get_by_label("Worth a look")
    worth.select_option("Sobel on squares of 1 pixel")
    one = filtered(view.figures())
    assert not one[1:-1, 1:-1].any()
    assert one.any()
    assert "invisible" in view.text(".ft-note")
    worth.select_option("Sobel on squares of 2 pixels")
    assert np.abs(filtered(view.figures())[1:-1, 1:-1]).max() == 2
    assert (np.abs(filtered(view.figures())[1:-1, 1:-1]) == 2).all()


def test_templates_are_pythons(view: Any) -> None:
    """Heat maps, places and their order, in grey and colour, for flat ones too (trap 37)."""
    view.set(task="find", picture="digit")
    flat = 0
    for seed in range(24):
        rng = np.random.default_rng(seed)
        colours = (3,) if seed % 3 == 0 else ()
        shape = (int(rng.integers(6, 20)), int(rng.integers(6, 20)), *colours)
        scene = rng.integers(0, 256, size=shape).astype(np.uint8)
        scene[:4, :5] = 9
        box = [int(n) for n in (*rng.integers(0, 5, size=2), *rng.integers(1, 7, size=2))]
        box = [0, 0, 3, 4] if seed % 6 == 5 else box
        threshold, visible = (0.3, 0.5, 0.9)[seed % 3], (0.5, 0.75)[seed % 2]
        give(view, scene)
        view.set(box=box, template="cut", threshold=threshold, min_visible=visible)
        found = until(view, lambda f: f["find"]["isReady"])["find"]
        top, left = min(box[0], shape[0] - 1), min(box[1], shape[1] - 1)
        template = scene[top : top + box[2], left : left + box[3]]
        expected = find(template, scene, threshold=threshold, min_visible=visible)
        heat = floats(found["heat"]).reshape(found["shape"])
        np.testing.assert_allclose(heat, expected.heat, rtol=0, atol=1e-12)
        assert len(found["matches"]) == len(expected.matches)
        for mine, theirs in zip(found["matches"], expected.matches, strict=True):
            values = [theirs.top, theirs.left, theirs.score, theirs.visible]
            np.testing.assert_allclose(list(mine.values()), values, atol=1e-9)
        flat += expected.is_flat
        if expected.is_flat:
            assert not heat.any()
            assert "one colour only" in view.text(".ft-found >> visible=true")
    assert flat >= 3


def test_hidden_eyes(view: Any) -> None:
    """The worked scene: three eyes are found, no decoy; the code finds the same."""
    view.tab.get_by_label("Worth a look").select_option("Where is the eye?")
    figures = until(view, lambda f: f["find"]["isReady"])
    report = run(figures["python"])["found"]
    assert len(report.matches) == len(figures["find"]["matches"]) == 3
    for mine, theirs in zip(figures["find"]["matches"], report.matches, strict=True):
        assert (mine["top"], mine["left"]) == pytest.approx((theirs.top, theirs.left), abs=1e-9)
    assert view.tab.locator("tbody tr:visible").count() == 3


def test_own_template_file(view: Any) -> None:
    """A template may be a file of its own."""
    view.set(task="find", picture="text")
    give(view, picture("text")[4:11, 4:15].copy(), "Open a template")
    figures = until(
        view, lambda f: "find" in f and f["find"]["template"] == [7, 11, 1] and f["find"]["isReady"]
    )
    assert view.state()["template"] == "own"
    assert figures["find"]["best"] == pytest.approx(1)


def test_recorded_detection(view: Any) -> None:
    """A saved page shows what Python's scan found, and says that it cannot look at another."""
    view.set(task="detect", picture="page")
    figures, expected = view.figures()["detect"], prepared()["detected"]
    assert figures["detections"] == expected["detections"]
    assert figures["windows"] == expected["windows"] == [22, 36]
    report = run(view.figures()["python"])["found"]
    assert figures["detections"] == report.to_dict()["detections"]
    assert figures["comparison"] == report.to_dict()["comparison"]
    levels = np.rint(report.probabilities[2] * 255)
    np.testing.assert_array_equal(np.array(figures["map"]).reshape(22, 36), levels)
    view.set(picture="digit")
    assert view.figures()["detect"] is None
    assert "faltung explore lab" in view.text(".ft-note")


def test_good_and_bad_files(view: Any) -> None:
    """What is no picture, or claims too many pixels, is refused in a sentence; the view stays."""
    view.set(picture="digit")
    chooser = view.tab.locator("input[type=file][aria-label='Open a picture']")
    huge = bytearray(png(np.zeros((2, 2), np.uint8))["buffer"])
    huge[16:24] = (60000).to_bytes(4, "big") * 2
    for name, content, said in (
        ("notes.png", b"no picture at all", "no picture that this browser can read"),
        ("empty.png", b"", "no picture that this browser can read"),
        ("bomb.png", bytes(huge), "60000×60000 pixels"),
        ("cut.png", png(picture("camera"))["buffer"][:60], "no picture"),
    ):
        chooser.set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
        until_said(view, said)
        assert view.state()["picture"] == "digit"
    wide = np.zeros((100, 900), np.uint8)
    chooser.set_input_files(png(wide))
    figures = until(view, lambda f: f["picture"]["width"] == 320)
    assert figures["picture"]["height"] == 36


def test_dropped_and_pasted(view: Any) -> None:
    """A picture that is dropped or pasted is shown."""
    view.set(picture="digit")
    for kind, width in (("drop", 5), ("paste", 7)):
        content = list(png(np.full((3, width), 7, np.uint8))["buffer"])
        view.tab.evaluate(
            """([kind, bytes]) => {
              const given = new DataTransfer();
              given.items.add(new File([new Uint8Array(bytes)], "a.png", { type: "image/png" }));
              const how = { dataTransfer: given, bubbles: true, cancelable: true };
              const event = kind === "drop" ? new DragEvent("drop", how)
                : new ClipboardEvent("paste", { clipboardData: given, bubbles: true });
              document.querySelector(".ft-view").dispatchEvent(event);
            }""",
            [kind, content],
        )
        until(view, partial(is_wide, width))


def test_pointer_keyboard_and_undo(view: Any) -> None:
    """Enter pins, an entry is edited, undo brings it back, a link keeps it."""
    view.set(picture="digit")
    canvas = view.tab.get_by_label("Filtered: arrow keys move, Enter pins")
    canvas.focus()
    for _ in range(3):
        view.tab.keyboard.press("ArrowDown")
    view.tab.keyboard.press("Enter")
    assert view.state()["pinned"] == [2, 0]
    view.tab.keyboard.press("Escape")
    assert view.state()["pinned"] is None
    kernel = view.tab.get_by_label("Kernel a: arrow keys move, Enter edits, digits edit")
    kernel.dblclick(position={"x": 10, "y": 10})
    view.tab.keyboard.type("5")
    view.tab.keyboard.press("Enter")
    assert view.state()["kernels"][0][0][0] == 5
    assert view.figures()["filter"]["filter"] == ""
    view.tab.wait_for_timeout(300)
    assert "=" in view.tab.evaluate("location.hash")
    view.tab.get_by_role("button", name="Undo").click()
    assert view.state()["kernels"][0][0][0] == -1
    view.tab.get_by_label("Rows of the kernel").fill("15")
    view.tab.get_by_label("Rows of the kernel").press("Enter")
    assert len(view.state()["kernels"][0]) == 15


@pytest.mark.alone
def test_dragging_is_live(view: Any) -> None:
    """At 256x256 an entry that is dragged changes the picture within a frame.

    The fifth of the moves that others on the machine disturbed least is judged.
    """
    took = view.tab.evaluate(
        """() => {
          const slider = document.querySelector("[data-field=entry] input[type=range]");
          const times = [];
          for (let i = 0; i < 40; i += 1) {
            slider.value = String(i / 20 - 1);
            const start = performance.now();
            slider.dispatchEvent(new Event("input", { bubbles: true }));
            times.push(performance.now() - start);
          }
          return times.sort((a, b) => a - b)[8];
        }"""
    )
    assert took < 16.7


def test_detect_in_python() -> None:
    """What a page sends is checked; what is found is what scan finds."""
    page = picture("page")
    given = {"pixels": packed(page), "height": 112, "width": 168, "channels": 1, "threshold": 0.999}
    with Uploads() as uploads:
        assert detect(given, uploads) == prepared()["detected"]
        for change, said in (
            ({"height": 113}, "as many as the sizes say"),
            ({"height": True}, "1 to 512 pixels"),
            ({"width": 10**9}, "1 to 512 pixels"),
            ({"channels": 2}, "1 to 512 pixels"),
            ({"pixels": "!"}, "must be base64"),
            ({"threshold": 0}, "threshold must be above 0"),
            ({"threshold": "a"}, "threshold must be above 0"),
            ({"model": "../x"}, "there is no such file"),
        ):
            with pytest.raises(ExplorerError, match=said):
                detect({**given, **change}, uploads)
        colour = np.repeat(page[..., None], 3, axis=2)
        found = detect({**given, "pixels": packed(colour), "channels": 3}, uploads)
        assert found["detections"] == prepared()["detected"]["detections"]


def test_pictures_by_name() -> None:
    """Unknown pictures and letters are named."""
    with pytest.raises(ExplorerError, match="no such picture"):
        picture("dog")
    with pytest.raises(ExplorerError, match="every letter must be in the alphabet"):
        page_of(["Q"])


def test_served_detection(served_view: Callable[..., Any]) -> None:
    """On a served page Python looks at any picture, with an uploaded classifier too."""
    view = served_view("lab")
    until(view, lambda f: f["isLoaded"])
    view.set(task="detect", picture="camera")
    figures = until(view, lambda f: f["detect"])
    assert figures["detect"]["windows"] == [58, 58]
