"""Stability: agreement corrected for chance, and change only on evidence."""

import numpy as np
import pytest

from trainroute.config.schema import StabilityClassification
from trainroute.evaluate.linear import Mask
from trainroute.evaluate.stability import Snapshot, changed, classify, selection
from trainroute.evaluate.statistics import Moments
from trainroute.records.vocabulary import StabilityCategory as Category

RULES = StabilityClassification()
N_FEATURES = 20
ALLOWED = np.ones(N_FEATURES, bool)


def snapshot(importance: np.ndarray, index: int, windows: float = 400.0) -> Snapshot:
    return Snapshot(start=index * 100, end=index * 100 + 100, importance=importance, windows=windows)


def importances(**strong: float) -> np.ndarray:
    values = np.zeros(N_FEATURES)
    for name, value in strong.items():
        values[int(name[1:])] = value
    return values


BASE = importances(f0=0.5, f1=-0.4, f2=0.3, f3=0.25)


def test_equal_snapshots_are_stable() -> None:
    found = classify([snapshot(BASE, i) for i in range(4)], ALLOWED, change=False, rules=RULES)
    assert found.category is Category.STABLE
    assert found.mean_overlap == pytest.approx(1.0)
    assert found.mean_tau == pytest.approx(1.0)
    assert found.n_snapshots == 4


def test_too_few_snapshots_are_unknown() -> None:
    assert classify([snapshot(BASE, 0)], ALLOWED, change=True, rules=RULES).category is Category.UNKNOWN


def test_snapshots_that_share_time_are_never_compared() -> None:
    overlapping = [
        Snapshot(start=0, end=100, importance=BASE, windows=400.0),
        Snapshot(start=50, end=150, importance=BASE, windows=400.0),
    ]
    found = classify(overlapping, ALLOWED, change=False, rules=RULES)
    assert found.category is Category.UNKNOWN
    assert np.isnan(found.mean_overlap)


def test_other_features_each_time_diverge_only_with_evidence_of_change() -> None:
    moving = [snapshot(np.roll(BASE, 4 * i), i) for i in range(4)]
    assert classify(moving, ALLOWED, change=True, rules=RULES).category is Category.DIVERGED
    assert classify(moving, ALLOWED, change=False, rules=RULES).category is Category.UNKNOWN


def test_a_reversed_sign_is_no_agreement() -> None:
    flipped = [snapshot(BASE if i % 2 else -BASE, i) for i in range(4)]
    assert classify(flipped, ALLOWED, change=True, rules=RULES).category is Category.DIVERGED


def test_half_the_features_drift() -> None:
    other = importances(f0=0.5, f1=-0.4, f2=0.3, f9=0.25)
    snapshots = [snapshot(BASE if i % 2 else other, i) for i in range(4)]
    found = classify(snapshots, ALLOWED, change=True, rules=StabilityClassification(max_std_overlap=0.5, max_std_tau=1))
    assert 0.5 <= found.mean_overlap < 0.9
    assert found.category in {Category.DRIFTING, Category.STABLE}


def test_noise_selects_nothing_and_is_unknown() -> None:
    rng = np.random.default_rng(0)
    noise = [snapshot(rng.normal(size=N_FEATURES) / 20, i) for i in range(5)]
    found = classify(noise, ALLOWED, change=False, rules=RULES)
    assert found.category is Category.UNKNOWN


def test_selection_takes_at_most_top_k_beyond_noise_with_their_signs() -> None:
    signs = selection(snapshot(BASE, 0), ALLOWED, 2)
    assert signs.nonzero()[0].tolist() == [0, 1]
    assert signs[[0, 1]].tolist() == [1.0, -1.0]
    assert not selection(snapshot(BASE, 0, windows=4.0), ALLOWED, 2).any()
    assert not selection(snapshot(BASE, 0), ~ALLOWED, 2).any()


def moments(rng: np.random.Generator, beta: np.ndarray, n: int = 2000) -> Moments:
    x = rng.normal(size=(n, len(beta)))
    y = x @ beta + rng.normal(size=n)
    x, y = x - x.mean(0), y - y.mean()
    return Moments(n=np.array([float(n)]), xx=(x.T @ x)[None], xy=(x.T @ y)[None, :, None], yy=(y @ y)[None, None])


@pytest.mark.parametrize("signal", [0.0, 0.1, 0.5])
def test_a_stationary_relation_shows_no_change(signal: float) -> None:
    beta = np.r_[signal, -signal, 0.0, 0.0]
    mask = Mask(features=np.arange(4), columns=np.arange(1))
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        spans = [moments(rng, beta, 500) for _ in range(5)]
        alarms += bool(changed(spans, np.full((5, 1), 500.0), mask)[0, 0])
    assert alarms <= 5


def test_a_reversing_relation_shows_change() -> None:
    rng = np.random.default_rng(1)
    beta = np.r_[0.4, -0.4, 0.0, 0.0]
    spans = [moments(rng, beta if i != 3 else -beta) for i in range(5)]
    mask = Mask(features=np.arange(4), columns=np.arange(1))
    assert changed(spans, np.full((5, 1), 200.0), mask)[0, 0]
