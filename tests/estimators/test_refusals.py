"""What estimators refuse: parameters, shapes, weights, classes; and what is missing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import faltung
from faltung import layers as L
from faltung.errors import EstimatorError

X = np.arange(24.0).reshape(6, 4) % 7
Y = np.array([0, 1, 0, 1, 0, 1])

PARAMETERS: list[tuple[dict[str, Any], str]] = [
    ({"epochs": 0}, r"epochs must be an integer of at least 1, got epochs=0\. \[estimator E5\]"),
    ({"epochs": True}, "epochs must be an integer of at least 1, got epochs=True"),
    ({"batch_size": 2.5}, "batch_size must be an integer of at least 1"),
    ({"n_iter_no_change": "3"}, "n_iter_no_change must be an integer of at least 1"),
    ({"learning_rate": -1.0}, "learning_rate must be a number that is finite and not negative"),
    ({"weight_decay": np.inf}, "weight_decay must be a number that is finite and not negative"),
    ({"tol": None}, "tol must be a number that is finite and not negative, got tol=None"),
    ({"validation_fraction": 1.0}, "validation_fraction must be between 0 and 1"),
    ({"optimizer": "lbfgs"}, "optimizer must be one of sgd, nesterov, adam, adamw"),
    ({"schedule": 3}, "schedule must be one of constant, cosine, one-cycle"),
    ({"dtype": "float16"}, "dtype must be one of float32, float64"),
    ({"optimizer": "adam", "weight_decay": 0.1}, "weight_decay must be 0 with optimizer='adam'"),
    ({"image_shape": 4}, r"image_shape must be \(channels, \*space\), got image_shape=4.*E1\]"),
    ({"image_shape": (1, 0, 4)}, r"image_shape must be \(channels, \*space\)"),
    ({"image_shape": (1, 5)}, "image_shape must have as many values as X has columns"),
    ({"network": 3}, "network must be a name, a Graph, a layer, or a function that returns one"),
    ({"network": lambda shape, outputs: None}, "network must be a name.*got network=NoneType"),
    ({"network": L.Chain(L.Flatten(), L.Dense(9))}, r"must have one output \(N, outputs\).*E4\]"),
]


@pytest.mark.parametrize(("options", "text"), PARAMETERS)
@pytest.mark.parametrize("name", ["ConvClassifier", "ConvRegressor"])
def test_parameters_are_refused_when_fitted(name: str, options: dict[str, Any], text: str) -> None:
    estimator = getattr(faltung, name)(**options)
    with pytest.raises(EstimatorError, match=f"{name}: .*{text}"):
        estimator.fit(X, Y)


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (np.ones(5), r"one number for each sample, got sample_weight.shape=\(5,\), samples=6"),
        (np.ones((6, 2)), "sample_weight must hold one number for each sample"),
        ([1, 1, -1, 1, 1, 1], "sample_weight must be finite and not negative, got weight=-1.0"),
        ([1, 1, np.nan, 1, 1, 1], "sample_weight must be finite and not negative"),
        (["heavy"] * 6, "sample_weight must be numbers, got type=list"),
        (np.zeros(6), r"sample weights must not all be zero\. \[estimator E7\]"),
    ],
)
def test_weights_are_refused(weights: Any, text: str) -> None:
    for estimator in (faltung.ConvClassifier(), faltung.ConvRegressor()):
        with pytest.raises(EstimatorError, match=text):
            estimator.fit(X, Y, sample_weight=weights)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("even", "class_weight must be None, 'balanced', or a mapping of classes to numbers"),
        ({0: -1.0}, "class_weight must be None, 'balanced', or a mapping"),
        ({0: 1.0, "two": 2.0}, r"class_weight names what is no class, got class='two', classes="),
        ({0: 0.0, 1: 0.0}, "sample weights must not all be zero"),
    ],
)
def test_class_weights_are_refused(given: Any, text: str) -> None:
    with pytest.raises(EstimatorError, match=text):
        faltung.ConvClassifier(class_weight=given).fit(X, Y)


def test_partial_fit_wants_the_classes_first_and_the_same_ever_after() -> None:
    estimator = faltung.ConvClassifier(random_state=0)
    with pytest.raises(EstimatorError, match="classes must be passed on the first call"):
        estimator.partial_fit(X, Y)
    estimator.partial_fit(X, Y, classes=[0, 1])
    with pytest.raises(EstimatorError, match="classes must be those of the first call"):
        estimator.partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(EstimatorError, match="y has a class that is not in classes_, got y=7"):
        estimator.partial_fit(X, Y + 7)
    assert estimator.partial_fit(X, Y).n_iter_ == 2


def test_partial_fit_refuses_what_needs_all_samples() -> None:
    for estimator in (faltung.ConvClassifier, faltung.ConvRegressor):
        with pytest.raises(EstimatorError, match="partial_fit does not support early_stopping"):
            estimator(early_stopping=True).partial_fit(X, Y)
    with pytest.raises(EstimatorError, match="partial_fit does not support class_weight='bal"):
        faltung.ConvClassifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1])


def test_other_axes_than_those_learned_from_are_refused() -> None:
    images = np.arange(72.0).reshape(6, 3, 4)
    estimator = faltung.ConvClassifier(epochs=1, random_state=0).fit(images, Y)
    with pytest.raises(EstimatorError, match="X must have samples of the shape 1x3x4, got X=4x3"):
        estimator.predict(images.reshape(6, 4, 3))
    with pytest.raises(ValueError, match="X has 9 features, but ConvClassifier is expecting 12"):
        estimator.predict(np.zeros((6, 3, 3)))


def test_nothing_can_be_held_out_of_one_sample() -> None:
    with pytest.raises(EstimatorError, match="early stopping needs at least two samples"):
        faltung.ConvRegressor(early_stopping=True).fit(X[:1], Y[:1])


def test_without_scikit_learn_one_line_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import faltung\n"
        "try: faltung.ConvClassifier\n"
        "except faltung.errors.MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    cure = "Install it with: pip install 'faltung[sklearn]'."
    assert done.stdout == f"estimators: scikit-learn is missing. {cure}\n"
