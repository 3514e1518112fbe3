"""The training loop: epochs of steps, with checkpoints that a killed run goes on from.

A run that is resumed ends in the same bits as one that was never stopped. The order of the images,
their augmentation and dropout are functions of seed, epoch and batch; everything else that the
next step depends on is in the checkpoint.
"""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path

from faltung.datasets import Dataset
from faltung.errors import TrainingError, message
from faltung.graph.graph import Graph
from faltung.training import journal
from faltung.training.batches import batches
from faltung.training.evaluation import Score, score
from faltung.training.fit import check_fit, check_training
from faltung.training.listener import Listener, Silent
from faltung.training.metrics import Metrics
from faltung.training.recipe import Recipe
from faltung.training.run import Run


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What came of a run.

    Parameters
    ----------
    graph : Graph
        The trained network. Its metadata has ``classes`` and ``recipe`` (JSON), the ``dataset``'s
        name, and the ``accuracy`` on the test part where there is one.
    recipe : Recipe
        How it was trained.
    test, validation : Score or None
        Its scores, where there is a test part, where images were held out.
    epochs, steps, seconds
        What training took in all, by every process that worked on the run.
    images_per_second : float
        Of training alone.
    best_epoch : int or None
        Counted from 0; None where nothing is held out.
    is_early : bool
        Whether the recipe's patience ended the run.
    metrics : path or None
        The file of a line for each step and epoch, where one was written.
    """

    graph: Graph
    recipe: Recipe
    test: Score | None
    validation: Score | None
    epochs: int
    steps: int
    seconds: float
    images_per_second: float
    best_epoch: int | None
    is_early: bool
    metrics: Path | None


def train(
    graph: Graph,
    train_set: Dataset,
    test_set: Dataset | None = None,
    *,
    recipe: Recipe | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    listener: Listener | None = None,
) -> TrainingResult:
    """Train a network to tell the classes of images apart.

    Parameters
    ----------
    graph : Graph
        One input (N, C, H, W), one output (N, classes): scores before the softmax. It is not
        changed.
    train_set : Dataset
        What is learned from; the recipe's ``validation`` share of it is held out.
    test_set : Dataset, optional
        What the trained network is scored on at the end, and nothing else.
    recipe : Recipe, optional
        How it is trained; `faltung.training.recipe.recipe_for` knows one for each named network.
    out : path, optional
        A folder for ``checkpoints/`` and ``metrics.jsonl``; made if it is not there. Those of an
        earlier run in it are removed. Without it nothing is written.
    resume : bool
        Go on from the newest checkpoint in ``out``, to the same bits as a run never stopped, or
        from the beginning if there is none.
    listener : Listener, optional
        Who is told about steps, epochs, and whatever a user should know.

    Returns
    -------
    TrainingResult

    Raises
    ------
    GraphError
        The network fits neither the images nor the classes [fit F1, F2, F3].
    DatasetError
        A class without images, or a test part of something else [fit F4, F5, F6].
    TrainingError
        A loss or a gradient that is not finite; the message names the step and the layer. To
        resume without a folder [train T1].
    CheckpointError
        The checkpoint to go on from is that of another run; the message says what differs.
    StorageError
        The folder cannot be written.

    Examples
    --------
    >>> from faltung.datasets import load_pair, zero_one
    >>> from faltung.training.start import start_new
    >>> digits, held_back = (zero_one(part) for part in load_pair("sample"))
    >>> network = start_new("zero-one", digits)
    >>> train(network, digits, held_back, recipe=Recipe(epochs=2, batch=32)).test.accuracy > 0.95
    True
    """
    if resume and out is None:
        rule, cure = "there is nothing to resume without a folder", "Pass out="
        raise TrainingError(message("train", rule, None, cure, "train T1"))
    recipe, listener = recipe or Recipe(), listener or Silent()
    check_fit(graph, train_set)
    check_training(train_set, test_set)
    run = Run(graph, recipe, *_held_out(train_set, recipe))
    folder = None if out is None else journal.prepare(Path(out))
    if folder is not None:
        journal.restore(folder, run, listener) if resume else journal.clear(folder, listener)
    path = None if folder is None else folder.parent / journal.METRICS
    with Metrics(path, keep=run.train_state.step) as metrics:
        _run_to_the_end(run, folder, metrics, listener)
    return _result(run, train_set, test_set, path)


def _held_out(train_set: Dataset, recipe: Recipe) -> tuple[Dataset, Dataset | None]:
    if not recipe.validation:
        return train_set, None
    return train_set.split(recipe.validation, recipe.seed)


def _run_to_the_end(run: Run, folder: Path | None, metrics: Metrics, listener: Listener) -> None:
    """Take the steps that are left, and write down what happens."""
    listener.begin(run.plan())
    before, start = run.progress.seconds, time.perf_counter()
    while not run.progress.is_finished:
        at = run.train_state
        for batch, chosen in batches(
            len(run.images), run.recipe.batch, seed=at.seed, epoch=at.epoch, start=at.batch
        ):
            taken = run.step(batch, chosen)
            metrics.append("step", dataclasses.asdict(taken))
            listener.step(taken)
            run.progress.seconds = before + time.perf_counter() - start
            if batch + 1 == run.batches:
                over = run.end_epoch()
                metrics.append("epoch", dataclasses.asdict(over))
                listener.epoch(over)
            if folder and (taken.step % run.recipe.checkpoint_every == 0 or _is_over(run)):
                run.progress.seconds = before + time.perf_counter() - start
                journal.save(folder, run)


def _is_over(run: Run) -> bool:
    return run.progress.is_finished


def _result(
    run: Run, train_set: Dataset, test_set: Dataset | None, metrics: Path | None
) -> TrainingResult:
    graph, progress = run.trained(), run.progress
    test = None if test_set is None else score(graph, test_set)
    return TrainingResult(
        graph=graph.replace(metadata=_metadata(run, train_set, test)),
        recipe=run.recipe,
        test=test,
        validation=None if run.held_out is None else score(graph, run.held_out),
        epochs=run.train_state.epoch,
        steps=run.train_state.step,
        seconds=progress.seconds,
        images_per_second=progress.images_per_second,
        best_epoch=None if run.held_out is None else progress.best_epoch,
        is_early=run.train_state.epoch < run.recipe.epochs,
        metrics=metrics,
    )


def _metadata(run: Run, train_set: Dataset, test: Score | None) -> dict[str, str]:
    """What the saved model says about itself."""
    return {
        **run.graph.metadata,
        "classes": json.dumps(train_set.classes),
        "dataset": train_set.name,
        "recipe": json.dumps(run.recipe.to_json()),
        **({} if test is None else {"accuracy": f"{test.accuracy:.6f}"}),
    }
