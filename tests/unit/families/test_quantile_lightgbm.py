from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from trainroute.errors import ConfigError
from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.families.quantile_lightgbm import QuantileModel, _mean_weights
from trainroute.records.vocabulary import Task

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]
FAMILY = FAMILIES.get("QuantileLightGBM")
LEVELS = np.array([0.1, 0.25, 0.5, 0.75, 0.9])


def _spread(rows: TrainingRows) -> np.ndarray:
    return np.where(rows.features[:, 1] > 0, 3.0, 0.5)


def _heteroscedastic(make_rows: MakeRows, n_rows: int, seed: int) -> TrainingRows:
    """f0 moves the middle, f1 the spread of the labels: 3 where it is positive, else 0.5."""
    rows = make_rows(Task.REGRESSION, n_rows, seed=seed)
    noise = np.random.default_rng(seed + 100).normal(size=n_rows)
    return replace(rows, labels=(rows.features[:, 0] + _spread(rows) * noise).astype(np.float32))


@pytest.fixture(scope="module")
def model_of() -> dict[str, QuantileModel]:
    return {}


@pytest.fixture
def model(model_of: dict[str, QuantileModel], make_rows: MakeRows, make_context: MakeContext) -> QuantileModel:
    if not model_of:
        train, validation = _heteroscedastic(make_rows, 4000, 1), _heteroscedastic(make_rows, 1000, 2)
        fitted = FAMILY().fit(train, validation, context=make_context(FAMILY, Task.REGRESSION))
        assert isinstance(fitted, QuantileModel)
        model_of["model"] = fitted
    return model_of["model"]


def _pinball(quantile: np.ndarray | float, labels: np.ndarray, level: float) -> float:
    error = labels - quantile
    return float(np.maximum(level * error, (level - 1) * error).mean())


def test_quantiles_do_not_cross_although_the_boosters_do(model: QuantileModel, make_rows: MakeRows) -> None:
    rows = _heteroscedastic(make_rows, 5000, 3)
    unsorted = np.stack([booster.predict(rows) for booster in model.boosters], axis=1)
    assert (np.diff(unsorted, axis=1) < 0).any(), "nothing to rearrange: the test would not see its absence"
    quantiles = model.quantiles(rows)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    np.testing.assert_array_equal(np.sort(unsorted, axis=1), quantiles)


def test_quantiles_cover_what_they_say_where_labels_spread_little_and_much(
    model: QuantileModel, make_rows: MakeRows
) -> None:
    rows = _heteroscedastic(make_rows, 6000, 3)
    below = rows.labels[:, None] <= model.quantiles(rows)
    for wide in (False, True):
        share = below[(_spread(rows) > 1) == wide].mean(axis=0)
        np.testing.assert_allclose(share, LEVELS, atol=0.06)


def test_quantiles_are_near_the_true_ones(model: QuantileModel, make_rows: MakeRows) -> None:
    rows = _heteroscedastic(make_rows, 2000, 3)
    true = rows.features[:, :1] + _spread(rows)[:, None] * norm.ppf(LEVELS)
    assert np.corrcoef(model.quantiles(rows).ravel(), true.ravel())[0, 1] > 0.95


def test_each_quantile_has_a_smaller_pinball_loss_than_a_constant(model: QuantileModel, make_rows: MakeRows) -> None:
    rows = _heteroscedastic(make_rows, 6000, 3)
    for level, quantile in zip(LEVELS, model.quantiles(rows).T, strict=True):
        best_constant = float(np.quantile(rows.labels, level))
        assert _pinball(quantile, rows.labels, level) < 0.95 * _pinball(best_constant, rows.labels, level)


def test_the_prediction_is_the_mean_of_the_quantile_function(model: QuantileModel, make_rows: MakeRows) -> None:
    rows = _heteroscedastic(make_rows, 50, 3)
    fine = np.linspace(0, 1, 20001)
    expected = [np.interp(fine, LEVELS, quantiles).mean() for quantiles in model.quantiles(rows)]
    np.testing.assert_allclose(model.predict(rows), expected, rtol=1e-3, atol=1e-3)
    assert _mean_weights((0.3,)).tolist() == [1.0]


def test_the_quantiles_are_those_asked_for(make_rows: MakeRows, make_context: MakeContext) -> None:
    context = make_context(FAMILY, Task.REGRESSION, quantiles="0.05 0.5", rounds_without_validation=5)
    model = FAMILY().fit(_heteroscedastic(make_rows, 400, 1), make_rows(Task.REGRESSION, 0, seed=2), context=context)
    assert model.details == {"rounds_0.05": 5, "rounds_0.5": 5}


@pytest.mark.parametrize(
    "wrong", ["", "0.5 0.1", "0.1 0.1", "0 0.5", "0.5 1", "-0.1", "nan", "0.1, 0.5", "half", "0.1 0.10000001"]
)
def test_quantiles_that_are_none_are_refused_in_the_config(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"QuantileLightGBM\.hyperparameters\.quantiles: expected ascending numbers"):
        FAMILY.resolve({"quantiles": wrong})
