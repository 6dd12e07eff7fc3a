"""Stability: agreement corrected for chance, and change only on evidence."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import kendalltau

from trainroute.config.schema import StabilityClassification
from trainroute.evaluate.linear import Mask
from trainroute.evaluate.stability import Snapshot, Stability, changed, classify, selection
from trainroute.evaluate.statistics import Moments
from trainroute.records.vocabulary import StabilityCategory as Category

RULES = StabilityClassification()
N_FEATURES = 20
ALLOWED = np.ones(N_FEATURES, bool)


def snapshot(importance: np.ndarray, index: int, windows: float = 400.0) -> Snapshot:
    return Snapshot(start=index * 100, end=index * 100 + 100, importance=importance, windows=windows)


def classified(snapshots: list[Snapshot], rules: StabilityClassification = RULES, *, change: bool) -> Stability:
    (found,) = classify([snapshots], ALLOWED, change=np.array([change]), rules=rules)
    return found


def importances(**strong: float) -> np.ndarray:
    values = np.zeros(N_FEATURES)
    for name, value in strong.items():
        values[int(name[1:])] = value
    return values


BASE = importances(f0=0.5, f1=-0.4, f2=0.3, f3=0.25)


def test_equal_snapshots_are_stable() -> None:
    found = classified([snapshot(BASE, i) for i in range(4)], change=False)
    assert found.category is Category.STABLE
    assert found.mean_overlap == pytest.approx(1.0)
    assert found.mean_tau == pytest.approx(1.0)
    assert found.n_snapshots == 4


def test_too_few_snapshots_are_unknown() -> None:
    assert classified([snapshot(BASE, 0)], change=True).category is Category.UNKNOWN


def test_snapshots_that_share_time_are_never_compared() -> None:
    overlapping = [
        Snapshot(start=0, end=100, importance=BASE, windows=400.0),
        Snapshot(start=50, end=150, importance=BASE, windows=400.0),
    ]
    found = classified(overlapping, change=False)
    assert found.category is Category.UNKNOWN
    assert np.isnan(found.mean_overlap)


def test_other_features_each_time_diverge_only_with_evidence_of_change() -> None:
    moving = [snapshot(np.roll(BASE, 4 * i), i) for i in range(4)]
    assert classified(moving, change=True).category is Category.DIVERGED
    assert classified(moving, change=False).category is Category.UNKNOWN


def test_a_reversed_sign_is_no_agreement() -> None:
    flipped = [snapshot(BASE if i % 2 else -BASE, i) for i in range(4)]
    assert classified(flipped, change=True).category is Category.DIVERGED


def test_half_the_features_drift() -> None:
    other = importances(f0=0.5, f1=-0.4, f2=0.3, f9=0.25)
    snapshots = [snapshot(BASE if i % 2 else other, i) for i in range(4)]
    found = classified(snapshots, StabilityClassification(max_std_overlap=0.5, max_std_tau=1), change=True)
    assert 0.5 <= found.mean_overlap < 0.9
    assert found.category in {Category.DRIFTING, Category.STABLE}


def test_noise_selects_nothing_and_is_unknown() -> None:
    rng = np.random.default_rng(0)
    noise = [snapshot(rng.normal(size=N_FEATURES) / 20, i) for i in range(5)]
    found = classified(noise, change=False)
    assert found.category is Category.UNKNOWN


def test_selection_takes_at_most_top_k_beyond_noise_with_their_signs() -> None:
    many, few = np.array([400.0, 4.0])
    signs = selection(BASE, many, ALLOWED, 2)
    assert signs.nonzero()[0].tolist() == [0, 1]
    assert signs[[0, 1]].tolist() == [1.0, -1.0]
    assert not selection(BASE, few, ALLOWED, 2).any()
    assert not selection(BASE, many, ~ALLOWED, 2).any()


def test_histories_of_any_length_are_classified_as_each_alone_with_tau_of_scipy() -> None:
    rng = np.random.default_rng(3)
    histories = [
        [snapshot(BASE * rng.uniform(0.2, 1.8, N_FEATURES), i, 60.0 * (1 + i)) for i in range(length)]
        for length in (5, 0, 3, 1, 6, 2)
    ]
    change = np.arange(6) % 2 == 0
    together = classify(histories, ALLOWED, change=change, rules=RULES)
    for history, found, own_change in zip(histories, together, change, strict=True):
        alone = classified(history, change=bool(own_change))
        assert alone.category is found.category
        np.testing.assert_allclose(
            [alone.mean_overlap, alone.std_overlap, alone.mean_tau, alone.std_tau],
            [found.mean_overlap, found.std_overlap, found.mean_tau, found.std_tau],
            rtol=1e-12,
        )
        taus = []
        for a, b in combinations(history, 2):
            union = np.any([selection(s.importance, np.array(s.windows), ALLOWED, RULES.top_k) for s in (a, b)], axis=0)
            if union.sum() >= 3 and all(selection(s.importance, np.array(s.windows), ALLOWED, 9).any() for s in (a, b)):
                taus.append(kendalltau(a.importance[union], b.importance[union]).statistic)
        assert found.mean_tau == pytest.approx(np.mean(taus) if taus else np.nan, nan_ok=True)
    assert np.isfinite([found.mean_tau for found in together]).sum() >= 3


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
        alarms += bool(changed(spans, np.full((5, 1), 500.0), (mask,))[0, 0])
    assert alarms <= 5


def test_a_reversing_relation_shows_change() -> None:
    rng = np.random.default_rng(1)
    beta = np.r_[0.4, -0.4, 0.0, 0.0]
    spans = [moments(rng, beta if i != 3 else -beta) for i in range(5)]
    mask = Mask(features=np.arange(4), columns=np.arange(1))
    assert changed(spans, np.full((5, 1), 200.0), (mask,))[0, 0]


def test_two_selections_among_empty_ones_are_no_evidence_of_stability() -> None:
    weak = importances(f0=0.01)
    mostly_empty = [snapshot(BASE if i < 2 else weak, i) for i in range(5)]
    assert classified(mostly_empty, change=False).category is Category.UNKNOWN
    mostly_full = [snapshot(weak if i < 2 else BASE, i) for i in range(5)]
    assert classified(mostly_full, change=False).category is Category.STABLE


def test_nothing_is_stable_against_evidence_of_change() -> None:
    assert classified([snapshot(BASE, i) for i in range(4)], change=True).category is Category.DRIFTING
