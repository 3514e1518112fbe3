"""What is timed is what the files say, a wrong kernel is refused, and ratios are ratios."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="the benchmarks come with the repository alone")
from benchmarks.rounds import Rounds
from benchmarks.tasks import Task
from benchmarks.worker import Worker

import faltung
from benchmarks import accuracy, measure, models, networks, oracle, overhead, steps, suites, tasks
from faltung import reference
from faltung.analysis.layer_cost import graph_cost
from faltung.kernels import roofline

SMALL = [
    Task("plain", True, "conv", (2, 6, 9, 8), (4, 3, 3, 2), (2, 1), (1, 0), (1, 2), 2),
    Task("depthwise", True, "conv", (1, 5, 7), (5, 1, 3), (1,), (1,), (2,), 5),
    Task("volume", True, "conv", (1, 2, 4, 5, 3), (3, 2, 3, 2, 1), (1, 2, 1), (1, 0, 0), (1, 1, 1)),
]
TRANSPOSED = Task("up", True, "transposed", (2, 4, 5, 6), (4, 3, 4, 2), (2, 1), (1, 0), (1, 1), 2)
IMAGE = Task("image", True, "filter", (9, 8), (3, 5), (1, 1), (0, 0), (1, 1), 1, "float32", "dense")
SIGNAL = Task("signal", True, "signal", (40,), (6,), (1,), (0,), (1,), 1, "float64", "dense")


def settings(task: Task) -> dict[str, Any]:
    pads = tuple((p, p) for p in task.padding)
    return {"stride": task.stride, "pads": pads, "dilation": task.dilation, "groups": task.groups}


@pytest.mark.parametrize("task", [*tasks.layers(), *tasks.filters()], ids=lambda task: task.name)
def test_every_line_is_a_geometry(task: Task) -> None:
    """Sizes are positive, and the multiply-adds those of our own count."""
    assert min(task.y_shape) > 0
    assert task.macs > 0
    assert Task.from_json(json.loads(json.dumps(task.as_json()))) == task


def test_names_are_unique_and_both_kinds_are_there() -> None:
    for read in (tasks.layers(), tasks.filters(), networks.gradients()):
        assert len({task.name for task in read}) == len(read)
    assert sum(task.listed for task in tasks.layers()) == 31
    assert sum(not task.listed for task in tasks.layers()) >= 30
    assert sum(task.listed for task in tasks.filters()) == 18


def test_networks_are_those_that_people_know() -> None:
    """Layers by input and output; ResNet-20 has 19 convolutions and one dense layer."""
    made = networks.gradients()
    shapes = [
        (task.name.split(".")[0], task.x_shape[1], task.out_channels, task.x_shape[2])
        for task in made
        if task.what == "forward"
    ]
    assert shapes == [
        ("lenet", 1, 32, 28),
        ("lenet", 32, 64, 14),
        ("vgg", 3, 64, 32),
        ("vgg", 64, 64, 32),
        ("vgg", 64, 128, 16),
        ("vgg", 128, 128, 16),
        ("vgg", 128, 256, 8),
        ("vgg", 256, 256, 8),
        ("resnet20", 3, 16, 32),
        ("resnet20", 16, 16, 32),
        ("resnet20", 16, 32, 32),
        ("resnet20", 32, 32, 16),
        ("resnet20", 32, 64, 16),
        ("resnet20", 64, 64, 8),
    ]
    assert {task.x_shape[0] for task in made} == {128}
    text = (tasks.HERE / "networks.txt").read_text(encoding="utf-8")
    lines = {line.split()[0]: networks.unrolled(line) for line in text.splitlines() if line.strip()}
    assert lines["resnet20"].count("conv3") == 19
    assert lines["vgg"].count("conv3") == 7


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a listed pool 1 1 1 3 3 1 0 1 1", "'pool' is none of conv, transposed"),
        ("a mine conv 1 1 1 3 3 1 0 1 1", "'mine' is none of listed, other"),
    ],
)
def test_unknown_words_are_refused(line: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "layers.txt"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        tasks.layers(path)


def test_an_unknown_layer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "networks.txt"
    path.write_text("net 3x8x8 conv3:4 frobnicate", encoding="utf-8")
    with pytest.raises(ValueError, match="what is 'frobnicate'"):
        networks.gradients(path)


@pytest.mark.parametrize("task", SMALL, ids=lambda task: task.name)
def test_oracle_agrees_with_the_definitions(task: Task) -> None:
    """Forward, dx and dw."""
    x, w = (a.astype(np.float64) for a in task.arrays())
    np.testing.assert_allclose(oracle.expected(task), reference.conv(x, w, **settings(task)))
    fields = task.as_json()
    for what in ("dx", "dw"):
        one = Task.from_json(fields | {"what": what})
        dout = one.dout().astype(np.float64)
        if what == "dx":
            wanted = reference.conv_dx(dout, w, task.x_shape, **settings(task))
        else:
            wanted = reference.conv_dw(x, dout, task.w_shape, **settings(task))
        np.testing.assert_allclose(oracle.expected(one), wanted)


def test_oracle_of_the_transposed_convolution_filters_and_signals() -> None:
    x, w = (a.astype(np.float64) for a in TRANSPOSED.arrays())
    wanted = reference.conv_transpose(x, w, **settings(TRANSPOSED))
    np.testing.assert_allclose(oracle.expected(TRANSPOSED), wanted, atol=1e-12)
    x, w = (a.astype(np.float64) for a in IMAGE.arrays())
    slide = {"stride": (1, 1), "pads": ((1, 1), (2, 2)), "dilation": (1, 1)}
    wanted = reference.conv(x[None, None], w[None, None], **slide)[0, 0]
    np.testing.assert_allclose(oracle.expected(IMAGE), wanted, atol=1e-12)
    x, w = SIGNAL.arrays()
    wanted = reference.convolve(x, w, "same")
    np.testing.assert_allclose(oracle.expected(SIGNAL), wanted, atol=1e-12)


@pytest.mark.parametrize("task", [*SMALL, TRANSPOSED, IMAGE, SIGNAL], ids=lambda task: task.name)
@pytest.mark.parametrize("how", ["zeros", "shifted", "flipped"])
def test_the_wrong_is_refused_and_ours_is_not(task: Task, how: str) -> None:
    """The control: what is broken on purpose is far from the float64 result."""
    right = Worker("ours", 1).answer({"ask": "error", "task": task.as_json()})
    assert right <= oracle.LARGEST_ERROR / 10
    wrong = Worker(f"broken:{how}", 1).answer({"ask": "error", "task": task.as_json()})
    assert wrong > 10 * oracle.LARGEST_ERROR


def test_the_first_leaves_what_is_expected_for_the_others(tmp_path: Path) -> None:
    kept = tmp_path / "expected.npy"
    right = oracle.expected(SMALL[0]).astype(np.float32)
    assert oracle.error(SMALL[0], right, kept) < 1e-6
    np.testing.assert_array_equal(np.load(kept), oracle.expected(SMALL[0]))
    np.save(kept, np.load(kept) + 1)
    assert oracle.error(SMALL[0], right, kept) > 0.01


def test_a_broken_kernel_is_not_timed() -> None:
    """As ours it ends the run, as a peer's it is named."""
    ours, broken = measure.Candidate("ours", 1), measure.Candidate("broken:shifted", 1)
    try:
        row = measure.measured(SMALL[0], [ours, broken], Rounds(1, 1), block=0.001)
        assert not row["peers"]
        assert row["cannot"]["broken:shifted"].startswith("is wrong by")
        with pytest.raises(measure.Wrong, match="broken:shifted, plain: is wrong by"):
            measure.measured(SMALL[0], [broken, ours], Rounds(1, 1), block=0.001)
    finally:
        ours.close()
        broken.close()


def test_nan_and_other_shapes_are_wrong() -> None:
    task = SMALL[0]
    right = oracle.expected(task).astype(np.float32)
    assert oracle.error(task, right) < 1e-6
    assert oracle.error(task, right[:1]) == float("inf")
    assert oracle.error(task, right.astype(np.float64)) == float("inf")
    right[0, 0, 0, 0] = np.nan
    assert oracle.error(task, right) == float("inf")


def test_ratios_are_medians_over_rounds() -> None:
    """The quickest peer is the one of the smallest ratio."""
    row = {
        "peers": {
            "pytorch": measure.ratio([2.0, 2.0, 9.0], [1.0, 1.0, 1.0]),
            "ncnn": measure.ratio([1.5, 4.5, 3.0], [1.0, 3.0, 1.0]),
        }
    }
    assert row["peers"]["pytorch"] == {"seconds": 2.0, "ratio": 2.0, "low": 2.0, "high": 9.0}
    assert measure.best(row) == "ncnn"
    assert measure.best_ratio(row) == 1.5
    assert measure.best_ratio({"peers": {}}) is None


def test_share_of_the_roofline_takes_the_narrower_limit() -> None:
    row = {"macs": 1000, "bytes": 100, "seconds": 10.0}
    limits = {"flops": 1e9, "bandwidths": {"64": 100.0, "128": 20.0, "256": 10.0}}
    assert roofline.share(row, limits) == 0.5
    assert roofline.share(row | {"bytes": 1000}, limits) == 10.0
    assert roofline.share(row, limits | {"flops": 100.0}) == 2.0


def test_work_is_counted_by_the_direct_algorithm() -> None:
    layer = next(task for task in tasks.layers() if task.name == "resnet.stem")
    assert layer.macs == 112 * 112 * 64 * 3 * 7 * 7
    up = next(task for task in tasks.layers() if task.name == "transposed")
    assert up.y_shape == (1, 64, 56, 56)
    assert up.macs == 28 * 28 * 128 * 64 * 16
    grouped = next(task for task in tasks.layers() if task.name == "grouped")
    assert grouped.macs == 28 * 28 * 128 * 4 * 9
    assert grouped.bytes == 4 * (2 * prod(grouped.x_shape) + 128 * 4 * 9)


def test_networks_of_any_batch_are_the_same_network() -> None:
    """ShuffleNet's Reshapes name the batch of its file; one made for two gives both images'."""
    alone = models.reference("shufflenet")((1, *models.IMAGE))
    both = models.reference("shufflenet")((2, *models.IMAGE))
    x = np.random.default_rng(0).standard_normal((2, *models.IMAGE)).astype(np.float32)
    expected = np.concatenate([alone(x[:1]), alone(x[1:])])
    np.testing.assert_allclose(both(x), expected, rtol=1e-5)


def test_whole_networks_are_timed_in_runtimes_of_their_own() -> None:
    named = {model.name: model for model in models.models()}
    assert sum(model.listed for model in named.values()) == 24
    with models.runtimes([suites.OURS], 1, Rounds(1, 1), 0.0, versions := {}) as timed:
        row = timed(named["resnet20.1"])
    assert versions == {suites.OURS: faltung.__version__}
    assert row["macs"] == graph_cost(named["resnet20.1"].made((1, 3, 32, 32))).macs
    assert 0 < row["seconds"] < 10


class Counting:
    """Tells the digits apart from its hundredth step on."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def step(self, x: Any, labels: Any, lr: float) -> float:
        self.rates.append(lr)
        return 1.0

    def predict(self, x: Any) -> Any:
        """The digit is written into its first pixel."""
        right = len(self.rates) >= 100
        return np.eye(10)[x[:, 0, 0, 0].astype(int) if right else np.zeros(len(x), int)]


def test_digits_are_looked_at_every_fifty_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.arange(6400) % 10
    images = np.broadcast_to(labels[:, None, None, None], (6400, 1, 2, 2)).astype(np.float32)
    monkeypatch.setattr(accuracy, "digits", lambda split: (images, labels))
    made: list[Counting] = []
    found = accuracy.reached(lambda: made.append(Counting()) or made[-1], seed=0)  # type: ignore[func-returns-value]
    assert found["steps"] == 100 == len(made[-1].rates)
    assert made[-1].rates == [accuracy.rate(step, 200) for step in range(100)]
    monkeypatch.setattr(accuracy, "SHARE", 1.1)
    with pytest.raises(SystemExit, match="was not reached with seed 3"):
        accuracy.reached(Counting, seed=3)


def test_who_takes_slow_steps_does_not_train(capsys: pytest.CaptureFixture[str]) -> None:
    """The others do so with each seed; what comes of each is said as it comes."""

    class Fake:
        def __init__(self, name: str, seconds: float) -> None:
            self.name, self.seconds, self.asked = name, seconds, list[str]()

        def ask(self, what: str, task: Task, **more: Any) -> Any:
            self.asked.append(what)
            return self.seconds if what == "time" else {"seconds": self.seconds, "steps": 50}

    (task,) = accuracy.trainings()
    made = [Fake("ours", 1.0), Fake("near", 2.1), Fake("quick", 2.0), Fake("slow", 3.0)]
    some: Any = accuracy.worth_training(task, made, 0.1)  # type: ignore[arg-type]
    row = accuracy.measured(task, some)
    assert [fake.asked.count("reach") for fake in made] == [3, 3, 3, 0]
    assert {name: found["ratio"] for name, found in row["peers"].items()} == {
        "near": 2.1,
        "quick": 2.0,
    }
    assert "near, seed 2: 2.1 s, 50 steps" in capsys.readouterr().out


def test_both_sides_of_a_training_learn_the_same(torch: Any) -> None:
    from benchmarks.peers import ours, pytorch_step

    (task,) = (task for task in steps.steps(batch=4) if task.name == "lenet")
    (x, labels), made = steps.batch_of(task), (ours, pytorch_step)
    here, there = (peer.learner(task, "", 1) for peer in made)
    for _ in range(3):
        assert here.step(x, labels, 0.01) == pytest.approx(there.step(x, labels, 0.01), rel=1e-4)
    np.testing.assert_allclose(here.predict(x), there.predict(x), rtol=1e-3, atol=1e-4)


def test_steps_that_do_nothing_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans have as many steps as they are said to have."""
    monkeypatch.setattr(overhead, "CALLS", 1)
    monkeypatch.setattr(overhead, "STEPS", 3)
    assert [row["bar"] for row in overhead.measured(1)] == [0.5, 2.5, 0.5]
    made = overhead._plan(5)
    np.testing.assert_array_equal(made(), np.zeros(overhead.SHAPE, np.float32))
