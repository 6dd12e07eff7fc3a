"""Out-of-sample predictions and scores against slow, obvious computations."""

import os
from dataclasses import replace

import numpy as np
import pytest
from planted import Recipe, panel_of, planted_panel, symbol_rows
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from trainroute.evaluate.design import feature_scale, label_columns
from trainroute.evaluate.scoring import TargetScores, score_target
from trainroute.evaluate.statistics import accumulate, target_groups
from trainroute.evaluate.walk import Predictions, TestRows, fit_folds, predict, test_rows
from trainroute.panel import Panel, WalkForward

# pytest must not collect what these names import
TestRows.__test__ = False  # type: ignore[attr-defined]
test_rows.__test__ = False  # type: ignore[attr-defined]

HORIZON = 5


@pytest.fixture(scope="module")
def panel() -> Panel:
    return planted_panel(Recipe(n_symbols=5, n_rows=900, n_features=6, horizon=HORIZON, strength=0.5, seed=1))[0]


def split_of(panel: Panel) -> WalkForward:
    return WalkForward.build(panel.timestamps, n_blocks=8, initial_train_blocks=4, holdout_fraction=0.1, embargo_us=0)


def walk(panel: Panel, allowed: np.ndarray | None = None) -> tuple[TestRows, Predictions]:
    split = split_of(panel)
    (group,) = target_groups(panel)
    before = int(split.boundaries[split.first_test])
    scale, columns = feature_scale(panel, before), label_columns(panel, before)
    n_targets, n_features = len(panel.targets), len(panel.features)
    sums = accumulate(panel, group, split, scale, columns, np.arange(n_targets))
    if allowed is None:
        allowed = np.ones((n_targets, n_features), bool)
    fits = fit_folds(sums, split, np.arange(n_targets), allowed, n_features, HORIZON)
    rows = test_rows(panel, group, split)
    return rows, predict(panel, rows, scale, fits)


def scores_of(panel: Panel, target: int) -> tuple[TargetScores, TestRows, Predictions, np.ndarray]:
    rows, predictions = walk(panel)
    outcome = np.array(
        [panel.rows[s].targets[p, target] for s, p in zip(rows.symbol, rows.position, strict=True)], np.float64
    )
    scores = score_target(
        panel.targets[target],
        outcome,
        rows,
        predictions.pooled[:, [target]],
        predictions.local[:, [target]],
        predictions.local_trained,
        HORIZON,
    )
    return scores, rows, predictions, outcome


def test_test_rows_are_labelled_rows_of_test_blocks_that_end_before_the_holdout(panel: Panel) -> None:
    split = split_of(panel)
    rows = walk(panel)[0]
    time = panel.timestamps[rows.time]
    assert time.min() >= split.boundaries[split.first_test]
    assert (time + HORIZON * panel.bar_interval_us).max() < split.boundaries[-1]
    assert (np.diff(rows.cell) >= 0).all()
    assert set(rows.fold) == {0, 1, 2, 3}


def test_predictions_of_a_fold_do_not_change_when_everything_from_its_start_on_changes(panel: Panel) -> None:
    split = split_of(panel)
    fold = 1
    cut = split.boundaries[split.first_test + fold]
    rng = np.random.default_rng(0)
    changed_rows = []
    for rows in panel.rows:
        open_label = rows.label_end[:, 0] >= cut
        targets = np.where(open_label[:, None], rng.integers(0, 2, rows.targets.shape), rows.targets)
        changed_rows.append(replace(rows, targets=targets.astype(np.float32)))
    rows, before = walk(panel)
    _, after = walk(replace(panel, rows=tuple(changed_rows)))
    up_to = rows.fold <= fold
    np.testing.assert_allclose(after.pooled[up_to], before.pooled[up_to], atol=1e-6)
    np.testing.assert_allclose(after.local[up_to], before.local[up_to], atol=1e-6)
    assert np.abs(after.pooled[~up_to] - before.pooled[~up_to]).max() > 1e-3


def test_scores_are_weighted_within_symbol_and_fold_auc(panel: Panel) -> None:
    scores, rows, predictions, outcome = scores_of(panel, 0)
    symbol_scores, symbol_weights = [], []
    for s in range(len(panel.rows)):
        total, weight = 0.0, 0.0
        for fold in range(rows.n_folds):
            cell = (rows.symbol == s) & (rows.fold == fold)
            positives = outcome[cell].sum()
            pairs = positives * (cell.sum() - positives)
            total += pairs / cell.sum() * roc_auc_score(outcome[cell], predictions.pooled[cell, 0])
            weight += pairs / cell.sum()
        symbol_scores.append(total / weight)
        symbol_weights.append(weight)
    np.testing.assert_allclose(scores.pooled.value, symbol_scores, atol=1e-9)
    assert scores.score == pytest.approx(np.average(symbol_scores, weights=symbol_weights))
    np.testing.assert_allclose(scores.difference.value, scores.local.value - scores.pooled.value, atol=1e-12)


def test_planted_signals_are_found_where_they_are(panel: Panel) -> None:
    pooled = scores_of(panel, 0)[0]
    local = scores_of(panel, 1)[0]
    noise = scores_of(panel, 3)[0]
    assert pooled.score > 0.6
    assert local.local.value.mean() > 0.58
    assert local.score < local.local.value.mean()
    assert abs(noise.score - 0.5) < 4 * noise.score_interval.se


def test_a_prediction_that_only_knows_the_symbol_or_the_fold_scores_one_half(panel: Panel) -> None:
    rows, predictions = walk(panel)
    rng = np.random.default_rng(0)
    level = rng.random(rows.n_symbols * rows.n_folds)
    outcome = (rng.random(len(rows.symbol)) < level[rows.cell]).astype(np.float64)
    knows = level[rows.cell].astype(np.float32)[:, None]
    scores = score_target(panel.targets[0], outcome, rows, knows, knows, predictions.local_trained, HORIZON)
    assert scores.score == 0.5
    np.testing.assert_array_equal(scores.local.value, 0.5)


def test_a_symbol_without_own_history_has_no_local_score_and_a_pooled_one() -> None:
    whole = planted_panel(Recipe(n_symbols=3, n_rows=900, n_features=6, horizon=HORIZON, strength=0.5, seed=1))[0]
    late = whole.rows[2]
    start = 760
    newcomer = symbol_rows("S002", late.features[start:], late.targets[start:], HORIZON, start)
    panel = panel_of([*whole.rows[:2], newcomer], [t.name for t in whole.targets], HORIZON)
    scores = scores_of(panel, 0)[0]
    assert np.isfinite(scores.pooled.value[2])
    assert np.isnan(scores.local.value[2])
    assert np.isnan(scores.difference.value[2])


def test_excluded_features_do_not_reach_the_predictions(panel: Panel) -> None:
    allowed = np.ones((len(panel.targets), 6), bool)
    allowed[0, 2] = False
    noisy = [replace(r, features=np.where(np.arange(6) == 2, 7.0, r.features).astype(np.float32)) for r in panel.rows]
    before = walk(panel, allowed)[1].pooled[:, 0]
    after = walk(replace(panel, rows=tuple(noisy)), allowed)[1].pooled[:, 0]
    np.testing.assert_allclose(after, before, atol=1e-5)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are not ours to choose here")
def test_any_number_of_threads_gives_the_same_bits() -> None:
    many = planted_panel(Recipe(n_symbols=19, n_rows=500, n_features=6, horizon=HORIZON, strength=0.5, seed=1))[0]
    cores = os.sched_getaffinity(0)
    found = []
    with threadpool_limits(limits=1):
        for used in (cores, {min(cores)}):
            os.sched_setaffinity(0, used)
            try:
                found.append(walk(many)[1])
            finally:
                os.sched_setaffinity(0, cores)
    np.testing.assert_array_equal(found[0].pooled, found[1].pooled)
    np.testing.assert_array_equal(found[0].local, found[1].local)
    assert found[0].local_trained.any()
