"""Values of images and signals, learned by a convolutional network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d

from faltung.errors import EstimatorError, message
from faltung.estimators.columns import statistics
from faltung.estimators.estimator import AbstractConvEstimator
from faltung.estimators.lesson import Lesson, ScaledSquares
from faltung.estimators.network import Wanted, first_network, with_units
from faltung.estimators.settings import recipe_of
from faltung.estimators.weights import checked_weights
from faltung.graph.graph import Graph
from faltung.training.batches import rng
from faltung.training.state import Array


class ConvRegressor(RegressorMixin, AbstractConvEstimator):  # type: ignore[misc]
    """A convolutional network with scikit-learn's contract that predicts one or more values.

    It minimises squared errors, in units of the standard deviation of each output's targets; the
    mean and this unit become part of the network, which therefore puts out what y holds. Samples
    are as `ConvClassifier` takes them.

    Parameters
    ----------
    network : str, Graph, layer or function
        ``"auto"``: the zoo's small network on images of 8x8 and more, else two convolutions along
        whatever axes there are. A name of the zoo; a layer, such as a `faltung.layers.Chain`; or a
        function of ``((channels, *space), outputs)`` that returns one. A `Graph`, such as
        `faltung.load` returns, is gone on from: it gets a new last layer where it has another
        number of outputs, and samples as they are, where the others normalise them first.
    image_shape : tuple of int, optional
        ``(channels, *space)`` of a sample: ``(1, 28, 28)`` for grey images, ``(2, 500)`` for
        signals of two channels. By default it is what X has; the columns of a table are the pixels
        of a square image where their number is the square of 8 or more, else one signal.
    epochs : int
        Times that every sample is seen.
    batch_size : int
        Samples in a step.
    learning_rate : float
        The greatest one of the schedule; `partial_fit` stays at it.
    optimizer : {"adamw", "adam", "sgd", "nesterov"}
        The last two have momentum 0.9.
    schedule : {"one-cycle", "cosine", "constant"}
        How the learning rate moves from step to step of `fit`.
    weight_decay : float
        On kernels and matrices; not with ``"adam"``, whose form with decay is ``"adamw"``.
    early_stopping : bool
        Hold out samples, stop when they are no longer predicted better, go back to the best epoch.
    validation_fraction : float
        The share that is held out.
    n_iter_no_change : int
        Stop after so many epochs without being better by more than ``tol``.
    tol : float
        See there.
    dtype : {"float32", "float64"}, optional
        What is computed in. By default what X needs, as in scikit-learn: float64 of float64 and
        of long integers, else float32, which is faster.
    verbose : bool
        Print a line for each epoch.
    random_state : int, RandomState or None
        Decides weights, order, dropout and what is held out: the same int, the same bits.

    Attributes
    ----------
    graph_ : Graph
        The network, which takes samples as they are and gives values in
        the units of y; ``graph_.save`` writes it as ONNX.
    image_shape_ : tuple of int
        (channels, *space) of a sample.
    n_features_in_ : int
        Values of a sample.
    loss_curve_ : list of float
        The mean loss of the batches: 1 would be what the mean of y has, one for each epoch.
    validation_scores_ : list of float, or None
        With early stopping 1 less the loss of the samples held out, nearly R².
    n_iter_ : int
        Epochs that were run.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 1, 12))
    >>> y = 50.0 + 10.0 * x[:, 0, 3]
    >>> regressor = ConvRegressor(image_shape=(1, 12), random_state=0).fit(x, y)
    >>> bool(regressor.score(x, y) > 0.9)
    True
    """

    _target_checks: ClassVar[Mapping[str, bool]] = {"multi_output": True, "y_numeric": True}

    def __init__(
        self,
        network: Any = "auto",
        *,
        image_shape: tuple[int, ...] | None = None,
        epochs: int = 40,
        batch_size: int = 64,
        learning_rate: float = 4e-3,
        optimizer: str = "adamw",
        schedule: str = "one-cycle",
        weight_decay: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        dtype: str | None = None,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.network = network
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from the beginning.

        Parameters
        ----------
        X : array_like (n, features), (n, H, W) or (n, C, *space)
            Finite numbers. Arrays of uint8 are never copied as a whole.
        y : array_like (n,) or (n, outputs)
            Finite numbers.
        sample_weight : array_like (n,), optional
            How much each sample counts, relative to the others.

        Returns
        -------
        ConvRegressor
            Itself.

        Raises
        ------
        EstimatorError
            Parameters, shapes or weights that do not fit [estimator E1 to E9].
        GraphError
            A network that cannot take the samples.
        TrainingError
            A loss or a gradient that is not finite.
        ValueError
            What scikit-learn refuses of X and y.
        """
        recipe = recipe_of(self, self._seed())
        self._fit(self._read_all(X, y, sample_weight, reset=True), recipe)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """See the samples once, from where the last call of this or of `fit` ended.

        The first call decides what samples and targets are normalised by, with its own.

        Parameters
        ----------
        X, y, sample_weight
            As of `fit`; but weights are not relative: twice the weight is twice the gradient.

        Returns
        -------
        ConvRegressor
            Itself.

        Raises
        ------
        EstimatorError
            As `fit`; early stopping [estimator E10], another number of outputs than that of the
            first call [estimator E11].
        TrainingError
            A loss or a gradient that is not finite.
        """
        self._check_partial()
        is_first = not hasattr(self, "graph_")
        return self._go_on(self._read_all(X, y, sample_weight, reset=is_first))

    def predict(self, X: Any) -> Array:
        """Return the values of each sample of ``X``, in the shape that the first y had."""
        values = self._predicted(X)
        return values[:, 0] if self._is_flat else values

    def _read_all(self, x: Any, y: Any, sample_weight: Any, *, reset: bool) -> Lesson:
        """Samples, targets and weights; with ``reset`` their units are learned as well."""
        samples, y = self._read(x, y, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        targets = y.reshape(len(y), -1).astype(np.float64)
        weights = checked_weights(self._name(), sample_weight, len(targets))
        if reset:
            self._units, self._is_flat = statistics(targets[..., None], weights), y.ndim == 1
        mean, scale = self._units
        if targets.shape[1] != len(mean):
            rule = "y must have as many outputs as at the first call"
            values = {"outputs": targets.shape[1], "first": len(mean)}
            raise EstimatorError(message(self._name(), rule, values, "", "estimator E11"))
        return Lesson(samples, targets, weights, ScaledSquares(scale))

    def _begun(self, lesson: Lesson, wanted: Wanted) -> Graph:
        """Values in the units of y; somebody's own graph has its units already."""
        graph, is_new = first_network(self.network, wanted)
        return with_units(graph, *self._units) if is_new else graph

    def _outputs(self, lesson: Lesson) -> int:
        return int(lesson.targets.shape[1])

    def _held_out(self, lesson: Lesson, seed: int) -> Array:
        count = max(1, round(self.validation_fraction * len(lesson)))
        held = np.zeros(len(lesson), bool)
        held[rng(seed, "validation").permutation(len(lesson))[:count]] = True
        return held

    def _score(self, outputs: Array, held: Lesson) -> float:
        """1 less the squared error, in units of the variance of the first targets."""
        return 1.0 - held.loss_of(outputs)[0]
