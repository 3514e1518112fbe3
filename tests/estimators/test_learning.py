"""What estimators learn, from what, and that the same seed gives the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import faltung
from faltung import layers as L
from faltung.errors import DatasetError, EstimatorError, GraphError


def tiny(in_shape: tuple[int, ...], outputs: int) -> L.AbstractLayer:
    return L.Chain(L.Conv(4, 3, padding="same"), L.Relu(), L.Flatten(), L.Dense(outputs))


def classifier(**options: Any) -> Any:
    options = {"network": tiny, "epochs": 4, "learning_rate": 1e-2, "random_state": 0, **options}
    return faltung.ConvClassifier(options.pop("network"), **options)


def regressor(**options: Any) -> Any:
    options = {"network": tiny, "epochs": 100, "learning_rate": 1e-2, "random_state": 0, **options}
    return faltung.ConvRegressor(options.pop("network"), **options)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(digits: Any) -> None:
    first, again, other = (classifier(random_state=s).fit(*digits) for s in (1, 1, 2))
    found = [each.predict_proba(digits[0]) for each in (first, again, other)]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_a_random_state_is_drawn_from_and_none_is_chance(digits: Any) -> None:
    one, two = (classifier(random_state=np.random.RandomState(5)).fit(*digits) for _ in range(2))
    assert one.loss_curve_ == two.loss_curve_
    three, four = (classifier(random_state=None).fit(*digits) for _ in range(2))
    assert three.loss_curve_ != four.loss_curve_


def test_an_image_may_come_flat_or_with_its_axes(digits: Any) -> None:
    images, labels = digits
    forms = [images, images[:, None], images.reshape(-1, 196), images.reshape(-1, 196).tolist()]
    fitted = [classifier(epochs=1, dtype="float32").fit(form, labels) for form in forms]
    assert {each.image_shape_ for each in fitted} == {(1, 14, 14)}
    assert {each.n_features_in_ for each in fitted} == {196}
    probabilities = fitted[0].predict_proba(images)
    for each, form in zip(fitted, forms, strict=True):
        assert np.array_equal(each.predict_proba(form), probabilities)
        assert np.array_equal(fitted[0].predict_proba(form), probabilities)


def test_strings_are_classes_and_name_the_outputs_of_the_file(digits: Any) -> None:
    images, labels = digits
    names = np.array(["zero", "one", "two"])[labels]
    fitted = classifier(epochs=8).fit(images, names)
    assert fitted.classes_.tolist() == ["one", "two", "zero"]
    assert fitted.score(images, names) > 0.9
    assert fitted.graph_.metadata["classes"] == '["one", "two", "zero"]'
    assert_allclose(fitted.predict_proba(images).sum(axis=1), 1.0, rtol=1e-12)
    assert_allclose(np.exp(fitted.predict_log_proba(images)), fitted.predict_proba(images))


def test_the_graph_takes_what_the_estimator_takes_and_says_the_same(waves: Any) -> None:
    x, y = waves
    fitted = regressor(image_shape=(2, 9)).fit(x, y)
    assert fitted.image_shape_ == (2, 9)
    assert fitted.score(x, y) > 0.8
    assert_allclose(fitted.graph_(x), fitted.predict(x), rtol=1e-12)
    one = regressor(image_shape=(2, 9)).fit(x, y[:, 0])
    assert one.predict(x).shape == (80,)
    assert one.score(x, y[:, 0]) > 0.8


def test_the_unit_of_the_targets_changes_nothing_but_the_unit(waves: Any) -> None:
    x, y = waves
    small, large = (regressor(epochs=3).fit(x, unit * y[:, 0]) for unit in (1.0, 1024.0))
    assert_allclose(large.predict(x), 1024.0 * small.predict(x), rtol=1e-5)
    assert_allclose(large.loss_curve_, small.loss_curve_, rtol=1e-5)


@pytest.mark.parametrize(
    ("x", "word", "kept"),
    [
        ((30, 16, 16), "small", (1, 16, 16)),
        ((30, 3, 8, 9), "small", (3, 8, 9)),
        ((30, 7), None, (1, 7)),
        ((30, 64), "small", (1, 8, 8)),
        ((30, 49), None, (1, 49)),
        ((30, 2, 4, 4, 4), None, (2, 4, 4, 4)),
    ],
)
def test_the_automatic_network_goes_by_the_shape(x: Any, word: Any, kept: Any) -> None:
    values = np.random.default_rng(0).standard_normal(x).astype(np.float32)
    fitted = faltung.ConvClassifier(epochs=1, random_state=0).fit(values, np.arange(30) % 2)
    assert fitted.image_shape_ == kept
    assert fitted.graph_.metadata.get("network") == word
    assert fitted.graph_.inputs[0].shape == ("N", *kept)


def test_a_graph_is_gone_on_from_and_gets_other_classes(digits: Any) -> None:
    images, labels = digits
    first = classifier(epochs=6).fit(images, labels)
    same = classifier(network=first.graph_, epochs=1, learning_rate=0.0).fit(images, labels)
    assert np.array_equal(same.predict_proba(images), first.predict_proba(images))
    fewer = classifier(network=first.graph_, epochs=1).fit(images[labels < 2], labels[labels < 2])
    assert fewer.predict_proba(images).shape == (210, 2)
    values = regressor(network=tiny, epochs=2).fit(images, labels)
    again = regressor(network=values.graph_, epochs=1, learning_rate=0.0).fit(images, labels)
    assert np.array_equal(again.predict(images), values.predict(images))


def test_dtypes_follow_x_unless_told(digits: Any) -> None:
    images, labels = digits
    for kind, dtype in [("uint8", "float32"), ("int64", "float64"), ("float64", "float64")]:
        fitted = classifier(epochs=1).fit(images.astype(kind), labels)
        assert fitted.graph_.inputs[0].dtype == dtype
    told = classifier(epochs=1, dtype="float32").fit(images.astype(float), labels)
    assert told.graph_.inputs[0].dtype == "float32"


def test_partial_fits_learn_and_count(digits: Any) -> None:
    images, labels = digits
    network = classifier(learning_rate=3e-3)
    order = np.random.default_rng(0).permutation(210)
    for _ in range(4):
        for part in np.split(order, 3):
            network.partial_fit(images[part], labels[part], classes=[0, 1, 2])
    assert network.n_iter_ == len(network.loss_curve_) == 12
    assert network.score(images, labels) > 0.9


def test_partial_fits_of_values_keep_the_first_units(waves: Any) -> None:
    x, y = waves
    network = regressor(image_shape=(2, 9), learning_rate=5e-3)
    for _ in range(40):
        network.partial_fit(x, y[:, :1].ravel())
    assert network.score(x, y[:, 0]) > 0.8
    with pytest.raises(EstimatorError, match="as many outputs as at the first call, got outputs=2"):
        network.partial_fit(x, y)


def test_early_stopping_goes_back_to_the_best_epoch(digits: Any) -> None:
    images, labels = digits
    options = {"early_stopping": True, "validation_fraction": 0.3, "n_iter_no_change": 2}
    fitted = classifier(epochs=40, **options).fit(images, labels)
    scores = fitted.validation_scores_
    assert fitted.n_iter_ == len(scores) == len(fitted.loss_curve_) < 40
    assert max(scores[:-2]) >= max(scores[-2:]) - fitted.tol
    held = faltung.datasets.dataset.held_out(labels, 0.3, fitted._training["seed"], "digits")
    assert fitted.score(images[held], labels[held]) == max(scores)


def test_early_stopping_of_values_scores_them(waves: Any) -> None:
    x, y = waves
    fitted = regressor(image_shape=(2, 9), early_stopping=True, epochs=25).fit(x, y)
    assert len(fitted.validation_scores_) == fitted.n_iter_
    assert fitted.validation_scores_[-1] > fitted.validation_scores_[0]


def test_whole_weights_are_samples_repeated(waves: Any) -> None:
    x, y = waves
    times = np.arange(80) % 4
    weighted = regressor(batch_size=200, epochs=5).fit(x, y, sample_weight=times)
    rows = np.repeat(np.arange(80), times)
    repeated = regressor(batch_size=200, epochs=5).fit(x[rows], y[rows])
    assert_allclose(weighted.predict(x), repeated.predict(x), rtol=1e-7)
    scaled = regressor(batch_size=32, epochs=5).fit(x, y, sample_weight=8.0 * (1 + times))
    plain = regressor(batch_size=32, epochs=5).fit(x, y, sample_weight=1 + times)
    assert np.array_equal(scaled.predict(x), plain.predict(x))


def test_balanced_classes_are_those_weighted_by_hand(digits: Any) -> None:
    images, labels = digits[0][:150], digits[1][:150]  # 70, 70 and 10
    by_hand = {label: 150 / (3 * count) for label, count in enumerate((70, 70, 10))}
    balanced = classifier(class_weight="balanced").fit(images, labels)
    told = classifier(class_weight=by_hand).fit(images, labels)
    weighed = classifier().fit(images, labels, sample_weight=[by_hand[each] for each in labels])
    for other in (told, weighed):
        assert np.array_equal(balanced.predict_proba(images), other.predict_proba(images))
    one = classifier(epochs=8, class_weight={0: 1.0, 1: 0.0, 2: 0.0}).fit(images, labels)
    assert (one.predict(images) == 0).all()


def test_each_epoch_is_told_if_asked(digits: Any, capsys: pytest.CaptureFixture[str]) -> None:
    classifier(epochs=1).fit(*digits)
    assert capsys.readouterr().out == ""
    classifier(epochs=2, verbose=True, early_stopping=True).fit(*digits).early_stopping = False
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/2  loss ")
    assert "  validation " in lines[1]


def test_a_network_that_cannot_take_the_samples_says_why(digits: Any) -> None:
    images, labels = digits
    with pytest.raises(GraphError, match="in_shape must be"):
        classifier(network="lenet").fit(images.reshape(-1, 196)[:, :100:3], labels)
    with pytest.raises(GraphError, match="no such network"):
        classifier(network="lenett").fit(images, labels)
    with pytest.raises(DatasetError, match="no class has two images"):
        classifier(early_stopping=True).fit(images[[0, 100]], labels[[0, 100]])
