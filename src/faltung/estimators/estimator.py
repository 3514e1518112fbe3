"""What classifier and regressor share: reading, starting, epochs, early stopping, predicting."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from faltung.errors import EstimatorError, message
from faltung.estimators.columns import check_axes, flattened, shape_of, statistics
from faltung.estimators.lesson import Lesson, run_epoch, steps_of
from faltung.estimators.network import Wanted
from faltung.estimators.settings import recipe_of
from faltung.graph.graph import Graph
from faltung.training.evaluation import predict
from faltung.training.recipe import Recipe
from faltung.training.state import Array, TrainState

_NO_TARGETS: Final = "no_validation"  # the word of scikit-learn's validate_data for it


class AbstractConvEstimator(BaseEstimator, ABC):  # type: ignore[misc]
    """A network that is trained when it is fitted; see `ConvClassifier` for its parameters."""

    _target_checks: ClassVar[Mapping[str, bool]] = {}

    @abstractmethod
    def _begun(self, lesson: Lesson, wanted: Wanted) -> Graph:
        """Return the first network; set what only the class of estimator knows."""

    @abstractmethod
    def _outputs(self, lesson: Lesson) -> int:
        """How many numbers the network gives for a sample."""

    @abstractmethod
    def _held_out(self, lesson: Lesson, seed: int) -> Array:
        """Return a mask of the samples that early stopping watches."""

    @abstractmethod
    def _score(self, outputs: Array, held: Lesson) -> float:
        """How good outputs are, where more is better."""

    def __sklearn_tags__(self) -> Any:
        """Samples may have axes of their own."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _name(self) -> str:
        return type(self).__name__

    def _read(self, x: Any, y: Any = _NO_TARGETS, *, reset: bool) -> tuple[Array, Any]:
        """Samples (N, C, *space) and targets, checked by scikit-learn."""
        table, own = flattened(x)
        # Pixels of 8 bits stay so: a batch is converted when it is fed.
        dtype = "numeric" if self.dtype is None else [np.dtype(self.dtype), np.dtype(np.uint8)]
        if y is _NO_TARGETS:
            table = validate_data(self, table, reset=reset, dtype=dtype)
        else:
            checks = {"reset": reset, "dtype": dtype, **self._target_checks}
            table, y = validate_data(self, table, y, **checks)
        if reset:
            columns = table.shape[1]
            self.image_shape_ = shape_of(self._name(), columns, own, self.image_shape)
        check_axes(self._name(), own, self.image_shape_)
        return table.reshape(len(table), *self.image_shape_), y

    def _dtype_for(self, samples: Array) -> np.dtype[Any]:
        """As told; else float64 where the samples need it, as scikit-learn has it."""
        is_short = np.result_type(samples.dtype, np.float32) == np.float32
        return np.dtype(self.dtype or (np.float32 if is_short else np.float64))

    def _begin(self, lesson: Lesson, seed: int) -> tuple[Graph, TrainState]:
        """The first network, and the state of a run that has taken no step."""
        mean, std = statistics(lesson.samples, lesson.weights)
        outputs = self._outputs(lesson)
        wanted = Wanted(self._name(), self.image_shape_, outputs, mean, std, seed)
        graph = self._begun(lesson, wanted).astype(self._dtype_for(lesson.samples))
        params = dict(graph.params)
        moments = recipe_of(self, seed).optimiser_of().init(params)
        return graph, TrainState(params, dict(graph.state), moments, seed)

    def _seed(self) -> int:
        chance = check_random_state(self.random_state)
        return int(chance.randint(np.iinfo(np.int32).max))

    def _fit(self, lesson: Lesson, recipe: Recipe) -> None:
        """Learn from the beginning, and keep the best or the last weights."""
        lesson = lesson.counted()
        held = self._split(lesson, recipe.seed) if self.early_stopping else None
        kept = lesson if held is None else lesson.part(~held)
        watched = None if held is None else lesson.part(held)
        graph, run = self._begin(kept, recipe.seed)
        self.loss_curve_: list[float] = []
        self.validation_scores_ = None if watched is None else list[float]()
        for epoch in range(recipe.epochs):
            self.loss_curve_.append(run_epoch(graph, run, kept, recipe, steps_of(kept, recipe)))
            if watched is not None:
                self._watch(graph, run, watched)
            self._say(epoch, recipe)
            if watched is not None and self._is_stale():
                break
        self.n_iter_ = len(self.loss_curve_)
        self._keep(graph, run)

    def _split(self, lesson: Lesson, seed: int) -> Array:
        held = self._held_out(lesson, seed)
        if held.all() or not held.any():
            rule, values = "early stopping needs at least two samples", {"samples": len(lesson)}
            cure = "Use early_stopping=False"
            raise EstimatorError(message(self._name(), rule, values, cure, "estimator E9"))
        return held

    def _watch(self, graph: Graph, run: TrainState, held: Lesson) -> None:
        """Score the held-out samples; remember the weights where that is the best so far."""
        assert self.validation_scores_ is not None
        outputs = predict(graph, held.samples, params=run.params, state=run.state)
        score = self._score(outputs, held)
        if not self.validation_scores_ or score > max(self.validation_scores_):
            run.best = {
                "params": {name: values.copy() for name, values in run.params.items()},
                "state": {name: values.copy() for name, values in run.state.items()},
            }
        self.validation_scores_.append(score)

    def _is_stale(self) -> bool:
        """Whether the last epochs were no better, by more than ``tol``, than the best before."""
        assert self.validation_scores_ is not None
        before = self.validation_scores_[: -self.n_iter_no_change]
        last = self.validation_scores_[-self.n_iter_no_change :]
        return bool(before) and not max(last) > max(before) + self.tol

    def _say(self, epoch: int, recipe: Recipe) -> None:
        if self.verbose:
            scores = self.validation_scores_
            held = f"  validation {scores[-1]:.4f}" if scores else ""
            print(f"epoch {epoch + 1}/{recipe.epochs}  loss {self.loss_curve_[-1]:.4f}{held}")

    def _keep(self, graph: Graph, run: TrainState) -> None:
        """Set what prediction needs, and what `partial_fit` goes on from."""
        numbers = run.best or {"params": run.params, "state": run.state}
        params = {name: numbers["params"][name] for name in graph.params}
        state = {name: numbers["state"][name] for name in graph.state}
        self.graph_ = graph.replace(params=params, state=state)
        self._training: dict[str, Any] = {
            "moments": run.moments,
            "seed": run.seed,
            "step": run.step,
            "epoch": run.epoch,
        }

    def _go_on(self, lesson: Lesson) -> Self:
        """See the samples once, at a constant learning rate, from where the last call ended."""
        recipe = dataclasses.replace(recipe_of(self, 0), schedule="constant")
        if not hasattr(self, "graph_"):
            graph, run = self._begin(lesson, self._seed())
            self.loss_curve_, self.n_iter_, self.validation_scores_ = [], 0, None
        else:
            graph = self.graph_
            arrays = dict(graph.params), dict(graph.state)
            run = TrainState(*arrays, **self._training)
        self.loss_curve_.append(run_epoch(graph, run, lesson, recipe, 0))
        self._say(self.n_iter_, dataclasses.replace(recipe, epochs=self.n_iter_ + 1))
        self.n_iter_ += 1
        self._keep(graph, run)
        return self

    def _check_partial(self) -> None:
        if self.early_stopping:
            rule = "partial_fit does not support early_stopping=True"
            raise EstimatorError(message(self._name(), rule, None, "", "estimator E10"))

    def _predicted(self, x: Any) -> Array:
        """What the network puts out for samples."""
        check_is_fitted(self, "graph_")
        samples, _ = self._read(x, reset=False)
        return predict(self.graph_, samples)
