from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import check_grad

from trainroute.errors import ConfigError
from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.families.reward_based import Reward, RewardModel, _first_rows, _loss, mean_reward
from trainroute.families.shared.linear import fit_linear
from trainroute.metrics import concordance
from trainroute.records.vocabulary import Task

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]
FAMILY = FAMILIES.get("RewardBased")


def _slow_and_fast(make_rows: MakeRows, n_rows: int, seed: int, task: Task = Task.REGRESSION) -> TrainingRows:
    """f0 changes at every row and leads a little more than f1, which changes once in about a hundred rows."""
    rows = make_rows(task, n_rows, seed=seed)
    rng = np.random.default_rng(seed + 100)
    slow = rng.normal(size=n_rows)[np.cumsum(rng.random(n_rows) < 0.01)]
    features = rows.features.copy()
    features[:, 1] = slow
    outcome = 0.5 * features[:, 0] + 0.45 * features[:, 1] + rng.normal(size=n_rows)
    labels = outcome > 0 if task is Task.BINARY else outcome
    return replace(rows, features=features, labels=labels.astype(np.float32))


def _fit(train: TrainingRows, validation: TrainingRows, context: FitContext) -> RewardModel:
    model = FAMILY().fit(train, validation, context=context)
    assert isinstance(model, RewardModel)
    return model


def test_the_reward_is_what_is_written() -> None:
    positions = np.array([0.5, -0.5, 1.0])
    outcomes = np.array([2.0, 1.0, -1.0])
    symbol = np.array([0, 0, 1], dtype=np.int32)
    expected = np.mean([0.5 * 2 - 0.1 * 0.5 - 0.25, -0.5 * 1 - 0.1 * 1.0 - 0.25, 1.0 * -1 - 0.1 * 1.0 - 1.0])
    found = mean_reward(positions, outcomes, symbol, Reward(cost=0.1, risk_aversion=2.0))
    assert found == pytest.approx(expected)


def test_the_gradient_is_that_of_the_reward() -> None:
    rng = np.random.default_rng(0)
    X, outcomes = rng.normal(size=(60, 4)), rng.normal(size=60)
    symbol = np.repeat(np.array([0, 1, 2], dtype=np.int32), [30, 1, 29])
    reward = Reward(cost=0.3, risk_aversion=0.7)
    rest = (X, outcomes, _first_rows(symbol), reward, 0.2)
    for weights in rng.normal(size=(5, 5)):
        assert check_grad(lambda w: _loss(w, *rest)[0], lambda w: _loss(w, *rest)[1], weights) < 1e-5
        positions = np.tanh(X @ weights[:-1] + weights[-1])
        loss = 0.5 * 0.2 * (weights[:-1] ** 2).sum() - mean_reward(positions, outcomes, symbol, reward)
        assert _loss(weights, *rest)[0] == pytest.approx(loss, abs=1e-3)


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_it_earns_more_than_the_sign_of_a_regression_where_changes_cost(
    task: Task, make_rows: MakeRows, make_context: MakeContext
) -> None:
    train, validation, rows = (_slow_and_fast(make_rows, n, n, task) for n in (6000, 1000, 8000))
    model = _fit(train, validation, make_context(FAMILY, task, cost=0.6))
    outcomes = model.scores.from_labels(rows.labels)
    linear = fit_linear(train, context=make_context(FAMILY, task), penalty=0.01).predict(rows.features)
    sign = np.sign(linear - (0.5 if task is Task.BINARY else model.scores.label_mean))
    for risk_aversion in (1.0, 0.0):
        reward = Reward(cost=0.6, risk_aversion=risk_aversion)
        own = mean_reward(model.positions(rows), outcomes, rows.symbol, reward)
        # A baseline of the same size shows that it is not only the smaller positions that save costs.
        as_large = sign * np.abs(model.positions(rows)).mean()
        others = [mean_reward(baseline, outcomes, rows.symbol, reward) for baseline in (sign, as_large)]
        assert own > max(*others, 0.0) + 0.01, (own, others)


def test_a_cost_moves_weight_from_the_fast_feature_to_the_slow_one(
    make_rows: MakeRows, make_context: MakeContext
) -> None:
    train, nothing = _slow_and_fast(make_rows, 6000, 1), make_rows(Task.REGRESSION, 0, seed=2)
    free, dear = (
        _fit(train, nothing, make_context(FAMILY, Task.REGRESSION, cost=cost)).scores.weights[0] for cost in (0.0, 0.6)
    )
    assert free[0] > free[1] > 0.1
    assert abs(dear[0]) < 0.3 * dear[1]


def test_without_costs_the_position_is_the_expected_outcome(make_rows: MakeRows, make_context: MakeContext) -> None:
    train, nothing = make_rows(Task.BINARY, 8000, seed=1), make_rows(Task.BINARY, 0, seed=2)
    rows = make_rows(Task.BINARY, 8000, seed=3)
    model = _fit(train, nothing, make_context(FAMILY, Task.BINARY, cost=0.0, penalty=1e-4))
    probability = model.predict(rows)
    np.testing.assert_allclose(probability, (1 + model.positions(rows)) / 2)
    group = np.digitize(probability, [0.2, 0.4, 0.6, 0.8])
    for number in range(5):
        inside = group == number
        assert rows.labels[inside].mean() == pytest.approx(probability[inside].mean(), abs=0.04)


def test_a_cost_that_nothing_can_pay_for_still_leaves_an_order(make_rows: MakeRows, make_context: MakeContext) -> None:
    train, rows = make_rows(Task.REGRESSION, 2000, seed=1), make_rows(Task.REGRESSION, 2000, seed=3)
    model = _fit(train, make_rows(Task.REGRESSION, 0, seed=2), make_context(FAMILY, Task.REGRESSION, cost=5.0))
    assert np.abs(model.positions(rows)).max() < 0.01
    assert concordance(model.predict(rows), rows.labels) > 0.6


def test_the_penalty_is_the_one_that_earns_most_on_the_validation_rows(
    make_rows: MakeRows, make_context: MakeContext
) -> None:
    strong = _fit(
        make_rows(Task.REGRESSION, 2000, seed=1),
        make_rows(Task.REGRESSION, 1000, seed=2),
        make_context(FAMILY, Task.REGRESSION),
    )
    noise = _fit(
        make_rows(Task.REGRESSION, 200, seed=1, signal=0.0),
        make_rows(Task.REGRESSION, 1000, seed=2, signal=0.0),
        make_context(FAMILY, Task.REGRESSION),
    )
    assert strong.details["penalty"] == pytest.approx(0.01)
    assert noise.details["penalty"] == pytest.approx(1.0)


def test_the_policy_comes_back_from_disk(make_rows: MakeRows, make_context: MakeContext, tmp_path: Path) -> None:
    rows = make_rows(Task.REGRESSION, 400, seed=1)
    model = _fit(rows, make_rows(Task.REGRESSION, 100, seed=2), make_context(FAMILY, Task.REGRESSION))
    model.save(tmp_path)
    loaded = FAMILY().load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(rows), model.predict(rows))
    assert loaded.details == model.details


@pytest.mark.parametrize(("name", "value"), [("cost", -0.1), ("risk_aversion", 0.0), ("penalty", float("inf"))])
def test_numbers_that_cannot_be_used_are_refused_in_the_config(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"RewardBased\.hyperparameters\.{name}: expected a number .* 0, got"):
        FAMILY.resolve({name: value})
