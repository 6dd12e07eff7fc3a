"""The growth of skill from the rows of the folds to all rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainroute.evaluate.learning import TrainingShare, effective_features, growth
from trainroute.metrics import concordance

Floats = NDArray[np.float64]


def share_of(training: list[float], tested: list[float], final: float) -> TrainingShare:
    return TrainingShare.of(np.array([training]), np.array([final]), np.array([tested]))


FOLDS = share_of([200.0, 400.0, 600.0, 800.0], [200.0] * 4, 1000.0)


def test_the_curve_that_it_assumes_is_followed() -> None:
    explained, k, n_test = 0.05, 20, 800.0
    reached = [explained / np.sqrt(explained + k / n) for n in (200.0, 400.0, 600.0, 800.0)]
    at_last = explained / np.sqrt(explained + k / 1000.0)
    # A correlation r is r sqrt(n_test) standard errors.
    found = growth(np.array([np.mean(reached) * np.sqrt(n_test)]), np.ones(1), FOLDS, k)
    assert found[0] == pytest.approx(at_last / np.mean(reached), rel=1e-6)


def test_ridge_on_real_draws_grows_as_much() -> None:
    rng = np.random.default_rng(0)
    k, rows = 20, 500
    ratios = []
    for _ in range(60):
        beta = rng.normal(size=k)
        beta *= 0.35 / np.linalg.norm(beta)
        x, fresh = rng.normal(size=(rows, k)), rng.normal(size=(4000, k))
        y = x @ beta + np.sqrt(1 - 0.35**2) * rng.normal(size=rows)
        outcome = fresh @ beta + np.sqrt(1 - 0.35**2) * rng.normal(size=4000)
        scores = [
            concordance(fresh @ np.linalg.solve(x[:n].T @ x[:n] + 10 * np.eye(k), x[:n].T @ y[:n]), outcome)
            for n in (100, 200, 300, 400, 500)
        ]
        ratios.append((np.mean(scores[:4]) - 0.5, scores[4] - 0.5))
    folds, last = np.mean(ratios, axis=0)
    se = 1 / (3 * np.sqrt(400))  # of a rank correlation in units of concordance
    share = share_of([100.0, 200.0, 300.0, 400.0], [100.0] * 4, 500.0)
    found = growth(np.array([folds]), np.array([se]), share, k)[0]
    assert found == pytest.approx(last / folds, abs=0.06)
    assert last / folds > 1.15


@given(skill=st.floats(-0.4, 0.4), se=st.floats(1e-4, 0.2), k=st.integers(1, 500))
def test_it_stays_within_its_bounds(skill: float, se: float, k: int) -> None:
    factor = growth(np.array([skill]), np.array([se]), FOLDS, k)[0]
    most = np.sqrt(1000.0) / np.mean(np.sqrt([200.0, 400.0, 600.0, 800.0]))
    assert 1 - 1e-6 <= factor <= most + 1e-6
    assert growth(np.array([-skill]), np.array([se]), FOLDS, k)[0] == factor


def test_more_features_and_less_skill_leave_more_to_learn() -> None:
    few, many = (growth(np.array([0.05]), np.array([0.03]), FOLDS, k)[0] for k in (5, 200))
    weak, strong = (growth(np.array([skill]), np.array([0.03]), FOLDS, 30)[0] for skill in (0.01, 0.3))
    assert few < many
    assert strong < weak


@pytest.mark.parametrize(("skill", "se"), [(np.nan, 0.03), (0.05, np.nan), (0.05, 0.0), (0.0, 0.03)])
def test_nothing_grows_without_evidence(skill: float, se: float) -> None:
    assert growth(np.array([skill]), np.array([se]), FOLDS, 30)[0] == 1.0


def test_a_symbol_without_test_rows_does_not_grow() -> None:
    assert growth(np.array([0.05]), np.array([0.03]), share_of([0.0] * 4, [0.0] * 4, 100.0), 30)[0] == 1.0


def test_the_effective_rank_counts_directions_and_not_columns() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(5000, 8))
    copies = np.column_stack([x[:, [0]] * np.arange(1.0, 9.0), np.zeros((5000, 2))])
    both = np.column_stack([x[:, :4], 100.0 * x[:, :4]])
    assert effective_features(x.T @ x) == pytest.approx(8.0, rel=0.01)
    assert effective_features(copies.T @ copies) == pytest.approx(1.0)
    assert effective_features(both.T @ both) == pytest.approx(4.0, rel=0.01)
    assert effective_features(np.zeros((3, 3))) == 0.0
