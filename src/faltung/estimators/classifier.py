"""Classes of images and signals, learned by a convolutional network."""

from __future__ import annotations

import json
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from faltung.datasets.dataset import held_out
from faltung.errors import EstimatorError, message
from faltung.estimators.estimator import AbstractConvEstimator
from faltung.estimators.lesson import Lesson
from faltung.estimators.network import Wanted, first_network
from faltung.estimators.settings import recipe_of
from faltung.estimators.weights import by_class, checked_weights
from faltung.graph.graph import Graph
from faltung.training.losses import cross_entropy
from faltung.training.state import Array


class ConvClassifier(ClassifierMixin, AbstractConvEstimator):  # type: ignore[misc]
    """A convolutional network with scikit-learn's contract that tells classes apart.

    It minimises the softmax cross-entropy. Samples are (n, features) as everywhere in scikit-learn,
    or images (n, H, W) and (n, C, H, W), signals (n, C, L) where ``image_shape`` says so.

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
        The share that is held out of each class.
    n_iter_no_change : int
        Stop after so many epochs without being better by more than ``tol``.
    tol : float
        See there.
    class_weight : mapping, "balanced" or None
        How much a sample of each class counts; ``"balanced"`` makes all classes count alike.
    dtype : {"float32", "float64"}, optional
        What is computed in. By default what X needs, as in scikit-learn: float64 of float64 and
        of long integers, else float32, which is faster.
    verbose : bool
        Print a line for each epoch.
    random_state : int, RandomState or None
        Decides weights, order, dropout and what is held out: the same int, the same bits.

    Attributes
    ----------
    classes_ : array
        The classes, sorted.
    graph_ : Graph
        The network, which takes samples as they are and gives scores before the
        softmax; ``graph_.save`` writes it as ONNX.
    image_shape_ : tuple of int
        (channels, *space) of a sample.
    n_features_in_ : int
        Values of a sample.
    loss_curve_ : list of float
        The mean loss of the batches, one for each epoch.
    validation_scores_ : list of float, or None
        With early stopping the accuracy on the samples held out.
    n_iter_ : int
        Epochs that were run.

    Examples
    --------
    >>> import faltung
    >>> digits, test = faltung.datasets.load_pair("sample")
    >>> ones = digits.subset(digits.labels < 2)
    >>> classifier = ConvClassifier("zero-one", epochs=1, random_state=0)
    >>> classifier = classifier.fit(ones.images, ones.labels)
    >>> ones = test.subset(test.labels < 2)
    >>> bool(classifier.score(ones.images, ones.labels) > 0.9)
    True
    """

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
        class_weight: Any = None,
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
        self.class_weight = class_weight
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from the beginning.

        Parameters
        ----------
        X : array_like (n, features), (n, H, W) or (n, C, *space)
            Finite numbers. Arrays of uint8 are never copied as a whole.
        y : array_like (n,)
            Classes: numbers or strings.
        sample_weight : array_like (n,), optional
            How much each sample counts, relative to the others.

        Returns
        -------
        ConvClassifier
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
        samples, y = self._read(X, y, reset=True)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        self._fit(self._lesson(samples, y, sample_weight), recipe)
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """See the samples once, from where the last call of this or of `fit` ended.

        The first call decides what samples are normalised by, with its own.

        Parameters
        ----------
        X, y, sample_weight
            As of `fit`; but weights are not relative: twice the weight is twice the gradient.
        classes : array_like
            All classes, at the first call.

        Returns
        -------
        ConvClassifier
            Itself.

        Raises
        ------
        EstimatorError
            As `fit`; early stopping or balanced classes [estimator E10], classes that are not
            told, or not those of the first call [estimator E11].
        TrainingError
            A loss or a gradient that is not finite.
        """
        self._check_partial()
        is_first = not hasattr(self, "graph_")
        known = self._told_classes(classes)
        samples, y = self._read(X, y, reset=is_first)
        check_classification_targets(y)
        self.classes_ = known
        return self._go_on(self._lesson(samples, y, sample_weight))

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each sample of ``X``, the first of equal ones."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self._known()[best])

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class (columns, as in ``classes_``) for ``X``."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of what `predict_proba` gives for ``X``, without its underflow."""
        scores = self._predicted(X).astype(np.float64)
        shifted = scores - scores.max(axis=1, keepdims=True)
        logs: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return logs

    def _known(self) -> Array:
        return np.asarray(self.classes_)

    def _told_classes(self, classes: Any) -> Array:
        """All classes, of the first call to `partial_fit` or before."""
        name = self._name()
        if isinstance(self.class_weight, str):
            rule = "partial_fit does not support class_weight='balanced'"
            raise EstimatorError(message(name, rule, None, "Use a mapping", "estimator E10"))
        if not hasattr(self, "graph_"):
            if classes is None:
                rule = "classes must be passed on the first call to partial_fit"
                raise EstimatorError(message(name, rule, None, "", "estimator E11"))
            return np.unique(classes)
        if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            rule, values = "classes must be those of the first call", {"classes": list(classes)}
            raise EstimatorError(message(name, rule, values, "", "estimator E11"))
        return self._known()

    def _lesson(self, samples: Array, y: Any, sample_weight: Any) -> Lesson:
        """Labels as positions in ``classes_``."""
        name, known = self._name(), self._known()
        labels = np.searchsorted(known, y).clip(0, len(known) - 1).astype(np.int64)
        if (strange := known[labels] != y).any():
            rule, values = "y has a class that is not in classes_", {"y": y[strange][0]}
            raise EstimatorError(message(name, rule, values, "", "estimator E11"))
        weights = checked_weights(name, sample_weight, len(labels))
        weights = by_class(name, self.class_weight, known, labels, weights)
        return Lesson(samples, labels, weights, cross_entropy)

    def _begun(self, lesson: Lesson, wanted: Wanted) -> Graph:
        """Scores for each class, whose names the file will have."""
        graph, _ = first_network(self.network, wanted)
        names = json.dumps([str(each) for each in self.classes_])
        return graph.replace(metadata={**graph.metadata, "classes": names})

    def _outputs(self, lesson: Lesson) -> int:
        return len(self.classes_)

    def _held_out(self, lesson: Lesson, seed: int) -> Array:
        return held_out(lesson.targets, self.validation_fraction, seed, self._name())

    def _score(self, outputs: Array, held: Lesson) -> float:
        """Accuracy."""
        right = outputs.argmax(axis=1) == held.targets
        return float(np.average(right, weights=held.weights))
