"""scikit-learn's own checks, and its tools around our estimators."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faltung

ESTIMATORS = ["ConvClassifier", "ConvRegressor"]
QUICK = {"epochs": 20, "learning_rate": 1e-2}
# What scikit-learn itself leaves out where a package or a switch of its own is missing.
OPTIONAL = {
    "check_sample_weights_pandas_series",
    "check_array_api_input",
    "check_classifier_data_not_an_array",
    "check_regressor_data_not_an_array",
}


def checked(estimator: Any) -> list[dict[str, Any]]:
    from sklearn.exceptions import SkipTestWarning
    from sklearn.utils.estimator_checks import check_estimator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        return list(check_estimator(estimator, on_fail=None))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_check_estimator_passes(name: str) -> None:
    """With what a user gets by default, but for half the epochs."""
    results = checked(getattr(faltung, name)(**QUICK))
    failed = {
        each["check_name"]: each["exception"] for each in results if each["status"] == "failed"
    }
    assert failed == {}
    others = {each["check_name"] for each in results if each["status"] != "passed"}
    assert others <= OPTIONAL
    assert len(results) > 50


def test_check_estimator_sees_an_estimator_that_is_none() -> None:
    class Forgets(faltung.ConvClassifier):
        """Gives other predictions each time."""

        def predict(self, X: Any) -> Any:
            return np.random.permutation(super().predict(X))

    results = checked(Forgets(epochs=1))
    failed = {each["check_name"] for each in results if each["status"] == "failed"}
    assert "check_methods_subset_invariance" in failed


def test_a_search_over_three_settings_runs_in_a_pipeline(digits: Any) -> None:
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    images, labels = digits
    network = faltung.ConvClassifier("zero-one", epochs=12, random_state=0)
    pipeline = make_pipeline(MinMaxScaler(), network)
    grid = {"convclassifier__learning_rate": [0.0, 1e-5, 1e-2]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(images.reshape(-1, 196), labels)
    assert search.best_params_ == {"convclassifier__learning_rate": 1e-2}
    assert search.best_score_ > 0.85
    assert search.best_estimator_[-1].image_shape_ == (1, 14, 14)


def test_graphs_are_settings_like_any_other_in_two_processes(digits: Any) -> None:
    from sklearn.model_selection import GridSearchCV

    images, labels = digits
    networks = [faltung.zoo.build("zero-one", (1, 14, 14), 3, std=255.0, seed=s) for s in (1, 2)]
    network = faltung.ConvClassifier(epochs=2, learning_rate=1e-2, random_state=0)
    found = []
    for jobs in (1, 2):
        search = GridSearchCV(network, {"network": networks}, cv=2, n_jobs=jobs)
        found.append(search.fit(images, labels).cv_results_["mean_test_score"].tolist())
    assert found[0] == found[1]


def test_images_are_cross_validated_as_they_are(digits: Any) -> None:
    from sklearn.model_selection import cross_val_score

    network = faltung.ConvClassifier("zero-one", epochs=6, learning_rate=1e-2, random_state=0)
    assert cross_val_score(network, *digits, cv=2).min() > 0.8


def test_clones_have_the_settings_and_nothing_learned(digits: Any) -> None:
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError

    graph = faltung.zoo.build("zero-one", (1, 14, 14), 3)
    network = faltung.ConvClassifier(graph, epochs=1, random_state=3).fit(*digits)
    copied = clone(network)
    assert copied.network is graph
    assert copied.get_params() == network.get_params()
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        copied.predict(digits[0])


def test_a_pickle_holds_onnx_and_gives_the_same_bits_in_a_fresh_process(
    digits: Any, tmp_path: Path
) -> None:
    images, labels = digits
    network = faltung.ConvClassifier("zero-one", epochs=2, random_state=0).fit(images, labels)
    data = pickle.dumps(network)
    assert b"faltung.graph.onnx_read" in data
    assert b"faltung.ops" not in data
    (tmp_path / "network.pickle").write_bytes(data)
    np.save(tmp_path / "images.npy", images)
    code = (
        "import pickle, numpy as np\n"
        "network = pickle.loads(open('network.pickle', 'rb').read())\n"
        "np.save('found.npy', network.predict_proba(np.load('images.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert np.array_equal(np.load(tmp_path / "found.npy"), network.predict_proba(images))


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "nesterov"])
def test_a_pickled_estimator_goes_on_as_if_it_had_not_been(digits: Any, optimizer: str) -> None:
    images, labels = digits
    network = faltung.ConvClassifier(
        "zero-one", epochs=1, optimizer=optimizer, learning_rate=1e-3, random_state=0
    )
    network.fit(images, labels)
    again = pickle.loads(pickle.dumps(network))
    for each in (network, again):
        each.partial_fit(images, labels).partial_fit(images[:50], labels[:50])
    assert np.array_equal(network.predict_proba(images), again.predict_proba(images))
    assert network.loss_curve_ == again.loss_curve_
    assert network.n_iter_ == again.n_iter_ == 3
