import numpy as np
import pytest
from scipy.stats import t

from trainroute.train.calibration import Expectation, route_skill


def _models(n_targets: int = 30, per_target: int = 3, seed: int = 0, shared: float = 0.01) -> list[Expectation]:
    """True line: realised − 0.5 = 0.01 + 0.8 × (expected − 0.5), plus an error that models of a target share."""
    rng = np.random.default_rng(seed)
    models = []
    for target in range(n_targets):
        error = rng.normal(scale=shared)
        expected = rng.uniform(0.5, 0.7)
        for _ in range(per_target):
            realised = 0.5 + 0.01 + 0.8 * (expected - 0.5) + error + rng.normal(scale=0.002)
            models.append(Expectation(expected, realised, int(rng.integers(100, 1000)), f"y_{target}"))
    return models


def test_the_line_is_that_of_weighted_least_squares_with_a_slow_sandwich() -> None:
    models = _models()
    x = np.array([[1.0, m.expected - 0.5] for m in models])
    y = np.array([m.realised - 0.5 for m in models])
    w = np.diag([float(m.rows) for m in models])
    beta = np.linalg.solve(x.T @ w @ x, x.T @ w @ y)
    meat = np.zeros((2, 2))
    for target in {m.target for m in models}:
        own = [place for place, m in enumerate(models) if m.target == target]
        score = sum(x[place] * w[place, place] * (y[place] - x[place] @ beta) for place in own)
        meat += np.outer(score, score)
    bread = np.linalg.inv(x.T @ w @ x)
    n, g = len(models), 30
    error = np.sqrt(np.diag(g / (g - 1) * (n - 1) / (n - 2) * bread @ meat @ bread))
    found = route_skill(models)
    assert found.intercept is not None
    assert found.slope is not None
    assert [found.intercept.estimate, found.slope.estimate] == pytest.approx(list(beta))
    assert found.slope.high == pytest.approx(beta[1] + t.ppf(0.975, g - 1) * error[1])
    assert found.intercept.low == pytest.approx(beta[0] - t.ppf(0.975, g - 1) * error[0])


def test_intervals_cover_the_truth_where_models_of_a_target_share_their_error() -> None:
    covered, narrow = 0, 0
    for seed in range(200):
        slope = route_skill(_models(seed=seed)).slope
        assert slope is not None
        assert slope.low is not None
        assert slope.high is not None
        covered += slope.low <= 0.8 <= slope.high
        narrow += slope.high < 1.0
    assert 180 <= covered <= 200
    assert narrow > 150, "and they can tell 0.8 from 1"


def test_means_are_weighted_by_rows() -> None:
    found = route_skill([Expectation(0.5, 0.6, 100, "a"), Expectation(0.7, 0.6, 300, "b")])
    assert (found.models, found.targets) == (2, 2)
    assert found.expected_score == pytest.approx(0.65)
    assert found.realised_score == pytest.approx(0.6)
    assert found.difference.estimate == pytest.approx(-0.05)
    assert found.difference.low is not None
    assert found.slope is not None
    assert found.slope.low is None, "two models lie on any line"


def test_one_target_has_no_interval_and_one_expected_score_no_line() -> None:
    found = route_skill([Expectation(0.6, 0.55, 100, "a"), Expectation(0.6, 0.57, 100, "a")])
    assert found.difference.estimate == pytest.approx(-0.04)
    assert (found.difference.low, found.difference.high, found.slope, found.intercept) == (None, None, None, None)


def test_models_scored_on_no_known_rows_still_count() -> None:
    assert route_skill([Expectation(0.6, 0.5, 0, "a")]).realised_score == 0.5
