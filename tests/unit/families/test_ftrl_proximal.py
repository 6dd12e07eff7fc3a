from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from river.optim import FTRLProximal

from trainroute.errors import ConfigError
from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.families.ftrl_proximal import FTRLModel, Learner, Rates, _logistic
from trainroute.records.vocabulary import Task

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]
FAMILY = FAMILIES.get("FTRLProximal")


def _rivers_weights(optimizer: FTRLProximal, names: list[int]) -> np.ndarray:
    """The weights that river's sums stand for; its `step` works them out before it adds the gradient, here 0.

    Its own linear models take the gradient at the weights of the row before, and keep a weight that ought to become 0.
    """
    weights = optimizer.step({}, dict.fromkeys(names, 0.0))
    return np.array([weights.get(name, 0.0) for name in names], dtype=np.float64)


@pytest.mark.parametrize("l1", [0.0, 2.0])
@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_weights_equal_rivers_after_the_same_stream(task: Task, l1: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6)) * (rng.random((400, 6)) > 0.3)
    y = X[:, 0] - 0.5 * X[:, 1] + rng.normal(size=400)
    y = (y > 0).astype(float) if task is Task.BINARY else y
    mean = _logistic if task is Task.BINARY else (lambda output: output)
    names = list(range(6))
    optimizer = FTRLProximal(alpha=0.1, beta=1.5, l1=l1, l2=0.3)
    learner = Learner(1, 6, Rates(alpha=0.1, beta=1.5, l1=l1, l2=0.3))
    for row, label in zip(X, y, strict=True):
        weights = _rivers_weights(optimizer, names)
        gradient = (float(mean(np.array([weights @ row]))[0]) - label) * row
        optimizer.step({}, dict(zip(names, gradient, strict=True)))
    learner.learn(X, y[:, None], mean)
    found = learner.weights()[0]
    np.testing.assert_allclose(found, _rivers_weights(optimizer, names), atol=1e-9)
    assert np.abs(found[:2]).min() > 0.1
    assert (found == 0).any() == (l1 > 0)


def test_outputs_side_by_side_learn_as_they_would_alone() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(200, 4)), rng.integers(0, 2, size=(200, 3)).astype(float)
    rates = Rates(alpha=0.05, beta=1.0, l1=1.0, l2=1.0)
    together = Learner(3, 4, rates)
    together.learn(X, y, _logistic)
    for number in range(3):
        alone = Learner(1, 4, rates)
        alone.learn(X, y[:, [number]], _logistic)
        np.testing.assert_allclose(together.weights()[number], alone.weights()[0], atol=1e-12)


def _fit(rows: TrainingRows, later: TrainingRows, context: FitContext) -> FTRLModel:
    model = FAMILY().fit(rows, later, context=context)
    assert isinstance(model, FTRLModel)
    return model


def test_rows_are_learnt_by_time_across_symbols(make_rows: MakeRows, make_context: MakeContext) -> None:
    """Rows by symbol and the same rows by time teach the same; their times turned round teach something else."""
    rows, nothing = make_rows(Task.REGRESSION, 400, seed=1), make_rows(Task.REGRESSION, 0, seed=2)
    context = make_context(FAMILY, Task.REGRESSION, l1=0.0)
    model = _fit(rows, nothing, context)
    by_time = np.lexsort((rows.symbol, rows.time))
    mean, scale = rows.features.mean(axis=0, dtype=float), rows.features.std(axis=0, dtype=float)
    X = np.clip((rows.features[by_time] - mean) / scale, -5, 5)
    y = (rows.labels[by_time] - rows.labels.mean(dtype=float)) / rows.labels.std(dtype=float)
    learner = Learner(1, 6, Rates(alpha=0.05, beta=1.0, l1=0.0, l2=1.0))
    learner.learn(np.column_stack([X, np.ones(400)]), y[:, None], lambda output: output)
    np.testing.assert_allclose(model.scores.weights, learner.weights(), atol=1e-6)
    turned = _fit(replace(rows, time=rows.time[::-1].copy()), nothing, context)
    assert np.abs(turned.scores.weights - model.scores.weights).max() > 1e-4


def test_the_stream_goes_on_through_the_validation_rows(make_rows: MakeRows, make_context: MakeContext) -> None:
    rows, later = make_rows(Task.BINARY, 400, seed=1), make_rows(Task.BINARY, 100, seed=2)
    context = make_context(FAMILY, Task.BINARY)
    later = replace(later, time=later.time + np.int32(200))
    model = _fit(rows, later, context)
    assert not np.array_equal(model.scores.weights, _fit(rows, later_without(later), context).scores.weights)
    shifted = replace(later, features=later.features + np.float32(7.0))
    found, expected = _fit(rows, shifted, context).scores.mean, model.scores.mean
    np.testing.assert_array_equal(found, expected, err_msg="statistics of training rows")


def later_without(rows: TrainingRows) -> TrainingRows:
    return replace(
        rows,
        features=rows.features[:0],
        labels=rows.labels[:0],
        symbol=rows.symbol[:0],
        time=rows.time[:0],
        usable_from=None,
    )


def test_a_strong_l1_leaves_the_features_that_matter(make_rows: MakeRows, make_context: MakeContext) -> None:
    model = _fit(
        make_rows(Task.REGRESSION, 3000, seed=1),
        make_rows(Task.REGRESSION, 0, seed=2),
        make_context(FAMILY, Task.REGRESSION, l1=200.0),
    )
    np.testing.assert_array_equal(model.scores.weights[0, :5] != 0, [True, True, False, False, False])
    assert model.details == {"weights_not_zero": 2}


def test_a_value_comes_back_in_its_own_units(make_rows: MakeRows, make_context: MakeContext, tmp_path: Path) -> None:
    rows = make_rows(Task.REGRESSION, 3000, seed=1)
    rows = replace(rows, labels=(50.0 + 0.01 * rows.labels).astype(np.float32))
    model = _fit(rows, make_rows(Task.REGRESSION, 0, seed=2), make_context(FAMILY, Task.REGRESSION))
    prediction = model.predict(rows)
    assert prediction.mean() == pytest.approx(50.0, abs=0.001)
    assert np.polyfit(prediction, rows.labels, 1)[0] == pytest.approx(1.0, abs=0.15)
    model.save(tmp_path)
    np.testing.assert_array_equal(FAMILY().load(tmp_path).predict(rows), prediction)


@pytest.mark.parametrize(("name", "value"), [("alpha", 0.0), ("alpha", -1.0), ("l1", -0.1), ("beta", float("nan"))])
def test_numbers_that_cannot_be_used_are_refused_in_the_config(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"FTRLProximal\.hyperparameters\.{name}: expected a number .* 0, got"):
        FAMILY.resolve({name: value})
