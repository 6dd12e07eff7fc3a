"""The rules of the race: no fold decides whose predictions it is scored by, and that keeps noise at one half."""

import numpy as np
import pytest
from planted import DAY_US
from sklearn.metrics import roc_auc_score

from trainroute.evaluate.racing import (
    NOTHING,
    STRONG,
    Record,
    choose,
    clearly_nothing,
    clearly_pooled,
    clearly_strong,
    first_folds,
    record,
    sample_symbols,
)
from trainroute.evaluate.walk import TestRows
from trainroute.panel import Target
from trainroute.records.vocabulary import Task

TestRows.__test__ = False  # type: ignore[attr-defined]  # pytest must not collect it

TARGET = Target(name="y", task=Task.BINARY, classes=(0.0, 1.0), horizon_us=DAY_US, horizon_bars=1, horizon_index=0)
N_FOLDS, N_TIMES = 6, 600


def record_of(scores: list[float] | np.ndarray, error: float = 0.002) -> Record:
    """Return a record whose mean over folds has about the standard error given."""
    noise = np.random.default_rng(0).normal(size=N_TIMES)
    return Record(
        score=np.asarray(scores, float),
        weight=np.ones(len(scores)),
        totals=(noise - noise.mean()) * error / np.sqrt(N_TIMES),
        horizon_steps=1,
    )


def test_a_record_is_the_mean_auc_within_symbol_and_fold_by_effective_pairs() -> None:
    rng = np.random.default_rng(1)
    n, symbols, folds = 240, 2, 3
    rows = TestRows(
        symbol=np.repeat(np.arange(symbols), n // symbols),
        fold=np.tile(np.repeat(np.arange(folds), n // 6), symbols),
        time=np.tile(np.arange(n // symbols), symbols),
        position=np.tile(np.arange(n // symbols), symbols),
        n_symbols=symbols,
        n_folds=folds,
    )
    outcome = rng.integers(0, 2, n).astype(float)
    prediction = (outcome + rng.normal(size=n)).astype(np.float32)
    used = np.array([[True, True, False], [True, False, False]])
    found = record(TARGET, prediction[:, None], outcome, rows, used, 1)
    auc, weight = np.zeros(used.shape), np.zeros(used.shape)
    for s, f in zip(*np.nonzero(used), strict=True):
        here = (rows.symbol == s) & (rows.fold == f)
        ones = outcome[here].sum()
        auc[s, f] = roc_auc_score(outcome[here], prediction[here])
        weight[s, f] = ones * (here.sum() - ones) / here.sum()
    np.testing.assert_allclose(found.weight, weight.sum(0))
    np.testing.assert_allclose(found.score[:2], ((auc * weight).sum(0)[:2] / weight.sum(0)[:2]))
    assert found.score[2] == 0.0
    assert found.without_each()[0][0] == pytest.approx(found.score[1])
    assert found.minus(found).score.tolist() == [0.0, 0.0, 0.0]


def test_what_is_settled_for_a_fold_does_not_depend_on_its_own_score() -> None:
    scores = np.full(N_FOLDS, 0.53)
    changed = scores.copy()
    changed[2] = 0.9
    (one, error), (other, same_error) = record_of(scores).without_each(), record_of(changed).without_each()
    assert one[2] == pytest.approx(other[2])
    assert (np.delete(other, 2) > np.delete(one, 2)).all()
    np.testing.assert_array_equal(error, same_error)


def test_ridge_is_clearly_strong_only_well_above_the_bound() -> None:
    assert clearly_strong(record_of([STRONG + 0.02] * N_FOLDS)).all()
    assert not clearly_strong(record_of([STRONG + 0.002] * N_FOLDS)).any()
    assert not clearly_strong(record_of([STRONG + 0.02] * N_FOLDS, error=0.02)).any()


def test_the_pool_is_clearly_better_only_beyond_the_error_of_the_paired_difference() -> None:
    pooled = record_of([0.60] * N_FOLDS)
    for local, settled in ((0.59, True), (0.5995, False), (0.61, False)):
        beside = record_of([local] * N_FOLDS, error=0.004)
        assert (clearly_pooled(beside, pooled) == settled).all()


def test_trees_are_clearly_nothing_near_one_half_with_a_small_error_or_well_below_ridge() -> None:
    nothing, ridge = record_of([0.5] * N_FOLDS), record_of([0.5] * N_FOLDS)
    assert clearly_nothing(nothing, ridge).all()
    assert not clearly_nothing(record_of([0.5] * N_FOLDS, error=0.03), ridge).any()
    assert not clearly_nothing(record_of([NOTHING + 0.01] * N_FOLDS), ridge).any()
    assert clearly_nothing(record_of([0.53] * N_FOLDS, error=0.003), record_of([0.55] * N_FOLDS)).all()


def test_without_a_known_error_nothing_is_settled() -> None:
    unknown = Record(score=np.full(3, 0.9), weight=np.ones(3), totals=np.zeros(0), horizon_steps=1)
    assert not clearly_strong(unknown).any()
    assert not clearly_nothing(unknown, unknown).any()
    single = Record(score=np.array([0.9]), weight=np.ones(1), totals=np.ones(40), horizon_steps=1)
    assert not clearly_strong(single).any()


def test_the_choice_for_a_fold_looks_at_earlier_folds_only() -> None:
    rng = np.random.default_rng(2)
    trees, ridge = rng.normal(0.5, 0.1, (2, N_FOLDS))
    chosen = choose(record_of(trees), record_of(ridge))
    for k in range(N_FOLDS):
        later = trees.copy()
        later[k:] = rng.normal(0.5, 1.0, N_FOLDS - k)
        assert choose(record_of(later), record_of(ridge))[: k + 1].tolist() == chosen[: k + 1].tolist()
    assert not chosen[0]
    assert choose(record_of([0.6] * 3), record_of([0.5] * 3)).tolist() == [False, True, True]


def test_on_noise_the_chosen_probe_is_unbiased_and_folds_stay_uncorrelated() -> None:
    rng = np.random.default_rng(3)
    n = 4000
    trees, ridge = rng.normal(0.0, 1.0, (2, n, N_FOLDS))
    chosen = np.stack([choose(record_of(a), record_of(b)) for a, b in zip(trees, ridge, strict=True)])
    taken = np.where(chosen, trees, ridge)
    assert 0.35 < chosen[:, 1:].mean() < 0.65
    assert abs(taken.mean()) < 4 / np.sqrt(taken.size)
    correlation = np.corrcoef(taken.T)[np.triu_indices(N_FOLDS, 1)]
    assert np.abs(correlation).max() < 4.5 / np.sqrt(n)
    flattered = np.where((trees.sum(1) > ridge.sum(1))[:, None], trees, ridge)
    assert flattered.mean() > 0.1


def test_the_first_folds_hold_the_last_and_not_the_warm_up_and_the_sample_is_spread() -> None:
    assert first_folds(7).nonzero()[0].tolist() == [2, 4, 6]
    assert first_folds(6).nonzero()[0].tolist() == [1, 3, 5]
    assert first_folds(2).tolist() == [False, True]
    assert sample_symbols(3).all()
    assert sample_symbols(20).sum() == 8
    assert sample_symbols(504).sum() == 31
    assert np.diff(sample_symbols(504).nonzero()[0]).max() <= 17
