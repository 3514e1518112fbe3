"""Runs that are stopped and go on end in the same bits as runs that were not."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung.datasets import Dataset
from faltung.errors import CheckpointError
from faltung.graph.graph import Graph
from faltung.training import checkpoint, environment
from faltung.training.loop import TrainingResult, train
from faltung.training.metrics import read_rows
from faltung.training.recipe import Recipe
from faltung.training.state import TrainState

# Six batches an epoch, so that checkpoints fall inside epochs, and one on the end of the second.
PLAIN = Recipe(epochs=4, batch=16, shift=1, flip=True, validation=0, checkpoint_every=4, seed=9)
WATCHED = dataclasses.replace(PLAIN, validation=0.2, patience=2, lr=3e-2, epochs=12, batch=12)
MOMENTUM = dataclasses.replace(PLAIN, optimiser="nesterov", schedule="cosine", lr=1e-2)


def bits(run: TrainState) -> Any:
    groups = {"params": run.params, "state": run.state, **run.moments, **run.best}
    return (run.seed, run.step, run.epoch, run.batch), {
        (group, name): (values.dtype, values.shape, values.tobytes())
        for group, arrays in groups.items()
        for name, values in arrays.items()
    }


def last_state(out: Path) -> TrainState:
    path = checkpoint.latest(out / "checkpoints")
    assert path is not None
    return checkpoint.load(path)[0]


def numbers(out: Path) -> list[dict[str, Any]]:
    """The metrics without the clock."""
    clocks = ("seconds", "images_per_second")
    rows = read_rows(out / "metrics.jsonl")
    return [{key: value for key, value in row.items() if key not in clocks} for row in rows]


@pytest.mark.parametrize("recipe", [PLAIN, WATCHED, MOMENTUM], ids=["plain", "watched", "momentum"])
@pytest.mark.parametrize("stops", [(2,), (4,), (5, 9), (6,), (12, 13), (7, 7, 11)], ids=str)
def test_resumed_is_never_stopped(
    net: Graph,
    bars: Dataset,
    tmp_path: Path,
    listens: type[Any],
    recipe: Recipe,
    stops: tuple[int, ...],
) -> None:
    whole = train(net, bars, recipe=recipe, out=tmp_path / "whole")
    for stop in stops:
        with pytest.raises(listens.StoppedError):
            train(
                net, bars, recipe=recipe, out=tmp_path / "cut", resume=True, listener=listens(stop)
            )
    rest = listens()
    result = train(net, bars, recipe=recipe, out=tmp_path / "cut", resume=True, listener=rest)
    assert rest.plans[0].step == (stops[-1] - 1) // 4 * 4  # told before it is written
    assert bits(last_state(tmp_path / "cut")) == bits(last_state(tmp_path / "whole"))
    assert same_arrays(result, whole)
    assert numbers(tmp_path / "cut") == numbers(tmp_path / "whole")


def same_arrays(one: TrainingResult, other: TrainingResult) -> bool:
    pairs = [(one.graph.params, other.graph.params), (one.graph.state, other.graph.state)]
    return all(np.array_equal(a[name], b[name]) for a, b in pairs for name in (*a, *b))


def test_the_best_weights_outlive_their_process(
    net: Graph, bars: Dataset, tmp_path: Path, listens: type[Any]
) -> None:
    noise = bars.with_labels(np.random.default_rng(0).integers(0, 3, len(bars)))
    recipe = dataclasses.replace(WATCHED, patience=3, epochs=60, schedule="constant")
    whole = train(net, noise, recipe=recipe)
    stopped = listens(whole.steps - 1)
    with pytest.raises(listens.StoppedError):
        train(net, noise, recipe=recipe, out=tmp_path, listener=stopped)
    rest = listens()
    result = train(net, noise, recipe=recipe, out=tmp_path, resume=True, listener=rest)
    assert whole.is_early
    assert rest.plans[0].epoch > whole.best_epoch + 1
    assert (result.best_epoch, result.steps) == (whole.best_epoch, whole.steps)
    assert same_arrays(result, whole)


def test_a_finished_run_is_not_run_again(
    net: Graph, bars: Dataset, tmp_path: Path, listens: type[Any]
) -> None:
    first = train(net, bars, recipe=PLAIN, out=tmp_path)
    rows, heard = numbers(tmp_path), listens()
    again = train(net, bars, recipe=PLAIN, out=tmp_path, resume=True, listener=heard)
    assert heard.steps == []
    assert heard.plans[0].step == heard.plans[0].total_steps == 24
    assert same_arrays(first, again)
    assert (again.seconds, again.images_per_second) == (first.seconds, first.images_per_second)
    assert numbers(tmp_path) == rows


def test_without_a_checkpoint_it_starts_at_the_beginning(
    net: Graph, bars: Dataset, tmp_path: Path, listens: type[Any]
) -> None:
    heard = listens()
    result = train(net, bars, recipe=PLAIN, out=tmp_path, resume=True, listener=heard)
    assert "no checkpoint in" in heard.notes[0]
    assert same_arrays(result, train(net, bars, recipe=PLAIN))


def test_a_fresh_run_takes_the_place_of_an_earlier_one(
    net: Graph, bars: Dataset, tmp_path: Path, listens: type[Any]
) -> None:
    train(net, bars, recipe=dataclasses.replace(PLAIN, epochs=9), out=tmp_path)
    heard = listens()
    train(net, bars, recipe=PLAIN, out=tmp_path, listener=heard)
    assert heard.notes == [
        f"removed 2 checkpoints of an earlier run from {tmp_path / 'checkpoints'}"
    ]
    assert last_state(tmp_path).step == 24
    assert max(row["step"] for row in numbers(tmp_path)) == 24


def test_checkpoints_are_not_needed_by_the_run(net: Graph, bars: Dataset, tmp_path: Path) -> None:
    with_files = train(net, bars, recipe=PLAIN, out=tmp_path)
    assert same_arrays(with_files, train(net, bars, recipe=PLAIN))
    kept = [step for step, _ in checkpoint.checkpoints(tmp_path / "checkpoints")]
    assert kept == [20, 24]


def changed_network(net: Graph) -> Graph:
    return dataclasses.replace(net, nodes=(*net.nodes[:-1], renamed(net)))


def renamed(net: Graph) -> Any:
    return dataclasses.replace(net.nodes[-1], name="another")


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("recipe", "belongs to another run: epochs was 4, is 5; lr was 0.004, is 0.1."),
        ("network", "belongs to another run: another network."),
        ("weights", "belongs to another run: other first weights."),
        ("data", "belongs to another run: other training images."),
        ("order", "belongs to another run: other training images."),
    ],
)
def test_the_checkpoint_of_another_run_is_refused(
    net: Graph, bars: Dataset, other_bars: Dataset, tmp_path: Path, what: str, text: str
) -> None:
    train(net, bars, recipe=PLAIN, out=tmp_path)
    shifted = {name: values + 1 for name, values in net.params.items()}
    recipe = dataclasses.replace(PLAIN, epochs=5, lr=0.1) if what == "recipe" else PLAIN
    graph = {"network": changed_network(net), "weights": net.replace(params=shifted)}
    data = {"data": other_bars, "order": bars.subset(np.arange(90)[::-1])}
    with pytest.raises(CheckpointError, match=re.escape(text)) as caught:
        train(graph.get(what, net), data.get(what, bars), recipe=recipe, out=tmp_path, resume=True)
    assert "step-00000024.safetensors: belongs" in str(caught.value)
    assert "Repeat the settings it was started with" in str(caught.value)


def test_how_often_checkpoints_come_may_change(
    net: Graph, bars: Dataset, tmp_path: Path, listens: type[Any]
) -> None:
    whole = train(net, bars, recipe=PLAIN)
    with pytest.raises(listens.StoppedError):
        train(net, bars, recipe=PLAIN, out=tmp_path, listener=listens(9))
    often = dataclasses.replace(PLAIN, checkpoint_every=1)
    assert same_arrays(train(net, bars, recipe=often, out=tmp_path, resume=True), whole)


def test_a_checkpoint_of_something_else_is_refused(
    net: Graph, bars: Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    other = TrainState({}, {}, {}, seed=0, step=3)
    checkpoint.save(checkpoint.step_path(folder, 3), other, {"recipe": {}})
    text = "not that of a training run, its record has no identity, progress."
    with pytest.raises(CheckpointError, match=re.escape(text)):
        train(net, bars, recipe=PLAIN, out=tmp_path, resume=True)


def test_a_damaged_checkpoint_is_passed_over(
    net: Graph, bars: Dataset, tmp_path: Path, listens: type[Any]
) -> None:
    whole = train(net, bars, recipe=PLAIN, out=tmp_path)
    newest = checkpoint.step_path(tmp_path / "checkpoints", 24)
    newest.write_bytes(newest.read_bytes()[:-1])
    heard = listens()
    result = train(net, bars, recipe=PLAIN, out=tmp_path, resume=True, listener=heard)
    assert heard.plans[0].step == 20
    assert "passed over: checkpoint" in heard.notes[0]
    assert same_arrays(result, whole)


def test_other_versions_are_told(
    net: Graph,
    bars: Dataset,
    tmp_path: Path,
    listens: type[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(listens.StoppedError):
        train(net, bars, recipe=PLAIN, out=tmp_path, listener=listens(9))
    now = environment.environment()
    monkeypatch.setattr(environment, "environment", lambda: {**now, "threads": 77})
    heard = listens()
    train(net, bars, recipe=PLAIN, out=tmp_path, resume=True, listener=heard)
    text = f"bits may differ from a run never stopped: threads was {now['threads']}, is 77"
    assert heard.notes == [text]


def test_rows_after_the_checkpoint_are_dropped_and_written_again(
    net: Graph, bars: Dataset, tmp_path: Path, listens: type[Any]
) -> None:
    with pytest.raises(listens.StoppedError):
        train(net, bars, recipe=PLAIN, out=tmp_path, listener=listens(7))
    path = tmp_path / "metrics.jsonl"
    assert [row["step"] for row in numbers(tmp_path) if row["kind"] == "step"] == list(range(1, 8))
    with path.open("ab") as file:
        file.write(json.dumps({"kind": "step", "step": 8}).encode()[:-5])  # as a crash may cut it
    train(net, bars, recipe=PLAIN, out=tmp_path, resume=True)
    rows = numbers(tmp_path)
    assert [row["step"] for row in rows if row["kind"] == "step"] == list(range(1, 25))
    assert [row["step"] for row in rows if row["kind"] == "epoch"] == [6, 12, 18, 24]
