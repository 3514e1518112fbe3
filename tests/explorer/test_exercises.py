"""Exercises: figures beside the reference, solutions, typical mistakes, code that misbehaves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung import datasets, reference
from faltung.errors import ExerciseError, ExplorerError
from faltung.exercises import EXERCISES, Outcome, check, exercise
from faltung.exercises.child import _marked
from faltung.exercises.marking import WrongError
from faltung.exercises.running import LARGEST, coding, named_in
from faltung.explorer.ask_exercises import check as asked
from faltung.explorer.ask_exercises import prepared
from faltung.explorer.uploads import Uploads
from faltung.reference.conv import conv_loops

WRONG = Path(__file__).parent / "wrong"
CODED = coding()
BROKEN_CNN = {
    "summed over the images": [(".mean()\n", ".sum()\n"), ("    dscores /= len(x)\n", "")],
    "the gradients are not averaged": [("    dscores /= len(x)\n", "")],
    "wrong sign": [("dscores[chosen] -= 1", "dscores[chosen] -= 1\n    dscores = -dscores")],
    "The truth is not subtracted": [("    dscores[chosen] -= 1\n", "")],
    "ReLUs are forgotten on the way back": [(" * (h2 > 0)", ""), ("dh1 * (h1 > 0)", "dh1")],
    "not flipped on the way back": [("w[:, :, ::-1, ::-1]", "w")],
    "channels are not swapped": [(".transpose(1, 0, 2, 3)", ".reshape(w.shape[1], -1, k, k)")],
    "means over positions": [("sum(axis=(0, 2, 3))", "mean(axis=(2, 3)).sum(axis=0)")],
    "missing on the way forward": [
        ('np.maximum(conv(x, p["w1"], p["b1"]), 0)', 'conv(x, p["w1"], p["b1"])'),
        ('np.maximum(conv(h1, p["w2"], p["b2"]), 0)', 'conv(h1, p["w2"], p["b2"])'),
        (" * (h2 > 0)", ""),
        ("dh1 * (h1 > 0)", "dh1"),
    ],
    "Subtract the largest score": [(" - scores.max(axis=1, keepdims=True)", "")],
    "The gradient of b3 is missing": [(', "b3": dscores.sum(axis=0)', "")],
    "changes `p`": [("    h1 = ", '    p["w1"] *= 2\n    h1 = ')],
    "returns a tuple; it should return the loss": [("return loss, {", "return loss, {}, {")],
}
"""What is replaced in the solution, by a stretch of what is said then."""


def wrongs(name: str) -> Iterator[tuple[str, str]]:
    """What is said of wrong solutions, and the solutions."""
    if name == "cnn":
        for says, changes in BROKEN_CNN.items():
            source = exercise("cnn").task.solution
            for old, new in changes:
                assert old in source, old
                source = source.replace(old, new)
            yield says, source
        return
    for part in (WRONG / f"{name}.txt").read_text("utf-8").split("=== ")[1:]:
        says, _, source = part.partition("\n")
        yield says, source


def said(name: str, source: str) -> tuple[str, str]:
    """Mark code in this process, without the guard."""
    with np.errstate(all="ignore"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("faltung.exercises.cnn._trained", lambda function: "")
        return _marked(source, exercise(name).task)


# Marking ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in CODED if n != "cnn"])
def test_solutions_are_right_and_starters_are_not_written(name: str) -> None:
    task = exercise(name).task
    assert said(name, task.solution)[0] == "right"
    assert "is not written yet" in said(name, task.starter(name))[1]


@pytest.mark.parametrize("name", CODED)
def test_each_typical_mistake_has_a_message_of_its_own(name: str) -> None:
    found = [(says, *said(name, source)) for says, source in wrongs(name)]
    assert len(found) >= 5
    for says, state, text in found:
        assert (state, says in text) == ("wrong", True), (says, text)
    assert len({text for _, _, text in found}) == len(found)


@pytest.mark.parametrize("name", CODED)
def test_mistakes_differ_from_what_is_right_and_from_each_other(name: str) -> None:
    """Else a right answer would be refused, or a mistake would get another one's message."""
    marker = exercise(name).task.marker
    cases = marker.cases()
    makers = [marker.right, *(mistake.like for mistake in marker.mistakes)]
    with np.errstate(all="ignore"):
        rows = [[np.asarray(make(**case), float) for case in cases] for make in makers]
    texts = [json.dumps([(a.shape, a.round(9).tolist()) for a in row]) for row in rows]
    assert len(set(texts)) == len(texts)
    assert len({mistake.says for mistake in marker.mistakes}) == len(marker.mistakes) >= 5


def test_trained_with_right_gradients_the_network_reads_digits() -> None:
    """In a process of its own, as learners run it."""
    outcome = check(exercise("cnn").task.solution, "cnn", seconds=60)
    assert outcome.state == "right"
    share = float(re.findall(r"has ([\d.]+)% of 100 others right", outcome.text)[0])
    assert share >= 97


def test_slow_gradients_are_right_but_not_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faltung.exercises.cnn.PATIENT", -1.0)
    text = exercise("cnn").task.marker.mark(_solved("cnn"), "gradients")
    assert "too slow to train with" in text


def _solved(name: str) -> Callable[..., Any]:
    space: dict[str, Any] = {}
    exec(exercise(name).task.solution, space)
    found: Callable[..., Any] = space[exercise(name).task.function]
    return found


def test_marking_shows_what_it_cannot_name() -> None:
    marker = exercise("parameters").task.marker
    with pytest.raises(WrongError, match=re.escape("maps=6) is [1, 2]; it should be [122, 168]")):
        marker.mark(lambda *sizes: (1, 2), "parameters")
    with pytest.raises(WrongError, match="returns a str; it should return two numbers"):
        marker.mark(lambda *sizes: "122", "parameters")
    with pytest.raises(WrongError, match=r"fails with ValueError: no, given height=4"):
        marker.mark(_raises, "parameters")


def _raises(*_: int) -> None:
    raise ValueError("no")


# Code that misbehaves ---------------------------------------------------------------------------

HEAD = "def output_size(size, kernel, stride, padding, dilation):\n    "
BAD = {
    "loop": ("while True: pass", "does a loop never end"),
    "catching loop": (
        "while True:\n        try:\n            while 1: pass\n        except BaseException: pass",
        "does a loop never end",
    ),
    "wait": ("import time; time.sleep(100)", "wait for something"),
    "lists": ("x = []\n    while True: x.append(' ' * 10**7)", "more than 512 MB of memory"),
    "arrays": ("import numpy as np; return np.ones(10**10)", "more than 512 MB of memory"),
    "open": ("open('x.txt', 'w')", "opens a file to write: x.txt"),
    "os.open": ("import os; os.open('x', os.O_WRONLY | os.O_CREAT)", "opens a file to write"),
    "caught": (
        "try: open('x', 'a')\n    except BaseException: pass\n    return 1",
        "opens a file to write",
    ),
    "save": ("import numpy as np; np.save('x.npy', np.ones(3))", "opens a file to write"),
    "remove": ("import os; os.remove('x')", "removes a file"),
    "rename": ("import os; os.rename('x', 'y')", "renames a file"),
    "mkdir": ("import os; os.makedirs('x')", "makes a folder"),
    "rmtree": ("import shutil; shutil.rmtree('x')", "copies or removes files"),
    "temporary": ("import tempfile; tempfile.mkstemp()", "to write|makes a file"),
    "socket": ("import socket; socket.socket()", "opens a socket"),
    "url": ("import urllib.request as r; r.urlopen('http://127.0.0.1')", "on the network"),
    "fork": ("import os; os.fork()", "forks its process"),
    "process": ("import multiprocessing as m; m.Process(target=print).start()", "forks"),
    "program": ("import subprocess; subprocess.run(['true'])", "starts another program"),
    "system": ("import os; os.system('true')", "starts another program"),
    "exec": ("import os; os.execv('/bin/true', ['true'])", "starts another program"),
    "kill": ("import os; os.kill(os.getpid(), 9)", "sends a signal"),
    "ctypes": ("import ctypes; ctypes.string_at(0)", "calls C through ctypes"),
    "limits": (
        "import resource as r; r.setrlimit(r.RLIMIT_CORE, (0, 0))",
        "changes its limits",
    ),
    "_exit": ("import os; os._exit(0)", "ended its own process, with exit code 0"),
    "exit": ("raise SystemExit(3)", "ends the program in line 2"),
    "print": ("while True: print('x' * 1000)", "prints more than 100,000 characters"),
    "complain": (
        "import sys\n    while True: sys.stderr.write('x' * 1000)",
        "prints more than 100,000 characters",
    ),
    "input": ("return int(input())", "waits for somebody to type"),
}
UNUSABLE = {
    "raises": ("1 / 0", "Before output_size is called it fails in line 1 with ZeroDivisionError"),
    "import": ("import nothing_there", "No module named 'nothing_there'"),
    "syntax": ("def f(:", "It is not Python in line 1: invalid syntax"),
    "indent": ("def f():\npass", "It is not Python in line 2"),
    "nested": ("x = " + "(" * 5000 + ")" * 5000, "It is not Python"),
    "zero": ("x = 1\0", "It is not Python"),
    "missing": ("def outputsize(): pass", "The function output_size is not there"),
    "no function": ("output_size = 3", "The function output_size is no function"),
    "empty": ("", "The function output_size is not there"),
    "bytes": (b"\xff\xfe", "The file is not UTF-8 text"),
    "surrogate": ("x = '\ud800'", "The file is not UTF-8 text"),
    "large": ("#" * (LARGEST + 1), "The file has more than 200,000 bytes"),
}


ENDLESS = ("loop", "catching loop", "wait")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """What became of all of them; several run at a time."""
    sources = {kind: HEAD + body for kind, (body, _) in BAD.items()}
    sources |= {kind: source for kind, (source, _) in UNUSABLE.items()}

    def run(kind: str) -> Outcome:
        return check(sources[kind], "output-size", seconds=1 if kind in ENDLESS else 5)

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(sources, pool.map(run, sources), strict=True))


@pytest.mark.parametrize("kind", BAD)
def test_code_that_misbehaves_is_stopped_and_named(kind: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[kind]
    assert outcome.state == "stopped"
    assert outcome.text.startswith("Stopped: ")
    assert re.search(BAD[kind][1], outcome.text), outcome.text
    assert "\n" not in outcome.text
    assert len(outcome.printed) <= 4000


@pytest.mark.parametrize("kind", UNUSABLE)
def test_files_that_are_no_solution_are_named(kind: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[kind]
    assert (outcome.state, UNUSABLE[kind][1] in outcome.text) == ("stopped", True), outcome.text
    assert "\n" not in outcome.text


def test_what_is_printed_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    """The code runs in an empty folder, which is gone afterwards."""
    code = f"import os\nprint(os.listdir(), os.getcwd())\n{HEAD}return 1"
    outcome = check(code, "output-size")
    assert outcome.state == "wrong"
    assert outcome.printed.startswith("[] ")
    assert not Path(outcome.printed.split()[1]).exists()


def test_libraries_may_be_read_and_used(scipy: Any) -> None:
    """Importing opens files to read, and calls C; neither is anybody's business."""
    ours = "def conv2d(image, kernel):\n    import faltung, numpy as np\n    "
    ours += "x, w = np.asarray(image, float), np.asarray(kernel, float)\n    "
    theirs = "from scipy.signal import correlate2d\ndef conv2d(image, kernel):\n    "
    for source in (
        f"{ours}return faltung.conv(x[None, None], w[None, None])[0, 0]",
        f"{theirs}return correlate2d(image.astype(float), kernel, 'valid')",
    ):
        assert check(source, "conv2d", seconds=20).state == "right"


def test_recursion_without_end_is_told() -> None:
    outcome = check(HEAD + "return output_size(1, 1, 1, 1, 1)", "output-size")
    assert outcome.state == "wrong"
    assert "in line 2 with RecursionError" in outcome.text


# Names ------------------------------------------------------------------------------------------


def test_files_say_for_which_exercise_they_are() -> None:
    for name in CODED:
        task = exercise(name).task
        assert named_in(task.starter(name)) == name
        assert named_in(task.solution) == name
        assert named_in("", name.replace("-", "_")) == name
    with pytest.raises(ExerciseError, match="does not say for which exercise it is"):
        named_in("x = 1", "mine")
    with pytest.raises(ExerciseError, match="there is no such exercise"):
        check("", "nothing")
    with pytest.raises(ExerciseError, match="this exercise has no code to write"):
        check("", "age")


# Texts and figures ------------------------------------------------------------------------------

ROW_I9 = {
    *("time-index", "age", "infinite-sum", "t-minus-a", "read-the-sum", "delta-zero", "bad-idea"),
    *("boundary", "audio", "text", "commute", "parameters", "cat", "equivariance", "when-not"),
    *("edges", "shift", "matrix", "cnn"),
}


def test_all_questions_are_there_with_hints_and_answers() -> None:
    assert set(EXERCISES) >= ROW_I9
    for name in EXERCISES:
        worked = exercise(name).worked()
        assert worked.name == name
        assert worked.hints
        assert worked.answer
        assert json.loads(json.dumps(worked.to_dict()))["figures"] is not None
        assert str(worked).startswith(worked.title)


def test_texts_have_no_figures_of_their_own() -> None:
    """What is not a field is a name (2-D, 1/2 of halving, indices), no result."""
    plain = r"[A-Za-z_]\w*|\{[^}]*\}|\[[^]]*\]|1/2|1/4|\(0, 0\)|1, 2 over 3, 4|2·padding"
    for name in EXERCISES:
        for text in exercise(name).templates:
            left = re.sub(plain, "", text)
            assert set(re.findall(r"\d[\d,.]*", left)) <= {"0", "0.", "0,", "1", "1.", "1,"}, text


def figures(name: str) -> dict[str, Any]:
    return dict(exercise(name).worked().figures)


def test_figures_of_the_tracker() -> None:
    x, w = (4, 8, 6, 10), (0.5, 0.25, 0.25)
    found = figures("read-the-sum")
    assert found["value"] == np.convolve(x, w)[3] == 8.5
    assert found["lag"] == pytest.approx(sum(age * weight for age, weight in enumerate(w)))
    assert found["backwards"] == 4 * 0.5 + 8 * 0.25 + 6 * 0.25
    assert (found["oldest"], found["next"], found["first_used"], found["last"]) == (2, 4, 1, 0)
    assert (found["terms"], found["all"], found["sum"]) == (3, 4, "8·0.25 + 6·0.25 + 10·0.5")
    many = figures("infinite-sum")
    assert many["few_sum"] == 1 - 0.5 ** many["few"]
    assert many["missing"] == 0.5 ** many["many"]
    assert figures("average")["first"] == 4 * 0.5


def test_figures_of_signals_and_images() -> None:
    found, f, g = figures("commute"), (1, 2, 3, 1), (0, 1, 5)
    assert found["one"] == found["other"] == ", ".join(map(str, np.convolve(f, g)))
    assert found["corr_one"] == ", ".join(map(str, np.correlate(f, g, "full")))
    assert found["corr_other"] == ", ".join(map(str, np.correlate(g, f, "full")))
    assert (found["differ"], found["correlations"] > 90) == (0, True)
    assert found["same_one"] == ", ".join(f"{v:g}" for v in reference.signal.convolve(f, g, "same"))
    assert found["same_other"] == ", ".join(
        f"{v:g}" for v in reference.signal.convolve(g, f, "same")
    )
    one = figures("conv2d")
    assert (one["value"], one["flipped"], one["out_size"]) == (2, -2, "4×5")
    boards = figures("edges")
    assert (boards["none"], boards["some"], boards["step"]) == (0, 2, 4)
    assert boards["at_border"] > 0


def test_figures_that_count() -> None:
    found = figures("parameters")
    assert (found["dense"], found["conv"]) == (64 * 64 * 3 * 512 + 512, 5 * 5 * 3 * 64 + 64)
    assert (found["dense"], found["conv"], round(found["ratio"], 1)) == (6_291_968, 4_864, 1_293.6)
    assert found["dense_large"] == 128 * 128 * 3 * 512 + 512
    assert found["conv_large"] == found["conv"]
    assert (found["inputs"], found["taps"]) == (12_288, 75)
    assert figures("output-size")["extent"] == 5
    fields = figures("receptive-field")
    assert (fields["size"], fields["exact"], fields["loose"]) == (7 + 4 + 16, 11, 17)


def test_figures_of_principles() -> None:
    zero = figures("delta-zero")
    assert (zero["differ"], zero["values"], zero["params"]) == (0, 8 * 8 * 4, 16 * 4 + 4)
    idea = figures("bad-idea")
    assert idea["blind"] == 0
    assert idea["told"] == (16 - 1 - 4) - 4
    cat = figures("cat")
    assert cat["conv_middle"] == cat["conv_corner"] == cat["dense_middle"] > 0
    assert (cat["dense_corner"], cat["places"], cat["at_corner"]) == (0, 20 * 20, "(19, 0)")
    assert figures("equivariance")["by_one"] == 0
    table = str(exercise("equivariance").worked().answer[0])
    words = [line.split()[-1] for line in table.splitlines()[2:]]
    assert words == [*["equivariant"] * 4, "invariant", "neither"]


def test_figures_of_the_shift_experiment() -> None:
    found = figures("shift")
    assert found["columns"] == "0, 4, 5, 31"
    assert (found["circular"], found["equal"], found["border"]) == (0, 28, "0 and 31")
    assert found["went_to"] == "5 and 4"


def test_figures_of_uses() -> None:
    found, size = figures("boundary"), 32
    taps = [(i + a, j + b) for i, j in np.ndindex(size, size) for a, b in np.ndindex(3, 3)]
    inside = sum(0 < y <= size and 0 < x <= size for y, x in taps)
    assert (found["connections"], found["inside"]) == (len(taps), inside)
    assert (found["middle"], found["corner"], found["left"]) == (9, 4, 12)
    audio = figures("audio")
    frames = len(range(0, 16_000 - 400 + 1, 160))
    assert (audio["kernel"], audio["stride"], audio["frames"]) == (400, 160, frames)
    assert audio["params"] == 400 * 64 + 64
    assert audio["dense"] == 16_000 * 64 * frames + 64 * frames
    assert audio["dilated"] == 2**10
    text = figures("text")
    assert text["single"] == 0 < text["pairs"] <= text["maps"]
    apart = "keys to the old cabinet are".count(" ") + 1
    assert text["apart"] == apart == 2 * text["layers"]
    cat = datasets.photo("cat")[:200, :200].astype(float).mean(axis=-1)
    near = float(np.corrcoef(cat[:, :-1].ravel(), cat[:, 1:].ravel())[0, 1])
    used = figures("when-not")
    assert used["photo_near"] == pytest.approx(near)
    assert abs(used["shuffled_near"]) < 0.05


def test_figures_of_networks() -> None:
    found = figures("matrix")
    assert (found["shape"], found["entries"], found["nonzero"]) == ("16×36", 576, 144)
    assert (found["a_row"], found["values"], found["zeros"]) == (9, 9, 432)
    made = exercise("matrix").task.marker.right(np.arange(1, 10).reshape(3, 3), 6, 6)
    x = np.random.default_rng(0).integers(-9, 10, (6, 6))
    y = conv_loops(x[None, None], np.arange(1, 10).reshape(1, 1, 3, 3))
    assert (made @ x.ravel() == y.ravel()).all()
    layer = figures("conv-layer")
    assert (layer["terms"], layer["dropped"]) == (27, 1)
    net = figures("cnn")
    shapes = [(8, 1, 3, 3), (8,), (8, 8, 3, 3), (8,), (800, 2), (2,)]
    assert net["params"] == sum(map(prod, shapes))
    assert 0 < net["worst"] < 1e-8


# What the page asks -----------------------------------------------------------------------------


def test_the_page_gets_every_text_and_asks_python(tmp_path: Path) -> None:
    plain = prepared()["exercises"]
    assert [each["name"] for each in plain] == list(EXERCISES)
    assert len(json.dumps(plain)) < 60_000
    uploads = Uploads(tmp_path)
    task = exercise("parameters").task
    assert asked({"name": "parameters", "code": task.solution}, uploads)["state"] == "right"
    for name in ("age", "nothing", 3, None):
        with pytest.raises(ExplorerError, match="no such exercise with code to write"):
            asked({"name": name, "code": ""}, uploads)
    for code in (None, 3, "#" * (LARGEST + 1)):
        with pytest.raises(ExplorerError, match="the code must be text of at most"):
            asked({"name": "parameters", "code": code}, uploads)
