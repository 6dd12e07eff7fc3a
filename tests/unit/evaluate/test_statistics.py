"""The sums of one pass must equal what an obvious computation over the rows gives."""

import numpy as np
import pytest
from planted import Recipe, panel_of, planted_panel, symbol_rows
from sklearn.linear_model import Ridge

from trainroute.evaluate.design import feature_scale, label_columns, standardised
from trainroute.evaluate.linear import PENALTIES, Mask, PenaltyChoice, masks, merit, path_correlation, ridge_path
from trainroute.evaluate.selection import select
from trainroute.evaluate.statistics import Sums, accumulate, labelled, target_groups
from trainroute.panel import Panel, WalkForward
from trainroute.records.vocabulary import Task


@pytest.fixture(scope="module")
def panel() -> Panel:
    return planted_panel(Recipe(n_symbols=4, n_rows=400, n_features=6, horizon=5, seed=3))[0]


@pytest.fixture(scope="module")
def split(panel: Panel) -> WalkForward:
    return WalkForward.build(panel.timestamps, n_blocks=6, initial_train_blocks=3, holdout_fraction=0.1, embargo_us=0)


@pytest.fixture(scope="module")
def sums(panel: Panel, split: WalkForward) -> Sums:
    before = int(split.boundaries[split.first_test])
    scale, columns = feature_scale(panel, before), label_columns(panel, before)
    (group,) = target_groups(panel)
    return accumulate(panel, group, split, scale, columns, np.arange(len(panel.targets)))


def training_rows(panel: Panel, split: WalkForward, symbol: int, fold: int) -> np.ndarray:
    rows = panel.rows[symbol]
    return np.array([end < split.boundaries[fold] for end in rows.label_end[:, 0]])


@pytest.mark.parametrize("fold", [1, 3, 6])
def test_moments_are_those_of_the_purged_training_rows(panel: Panel, split: WalkForward, sums: Sums, fold: int) -> None:
    scale = feature_scale(panel, int(split.boundaries[split.first_test]))
    moments = sums.moments(0, fold)
    for s, rows in enumerate(panel.rows):
        train = training_rows(panel, split, s, fold)
        x = standardised(rows, scale)[train].astype(np.float64)
        y = rows.targets[train].astype(np.float64)
        x, y = x - x.mean(0), y - y.mean(0)
        assert moments.n[s] == train.sum()
        np.testing.assert_allclose(moments.xx[s], x.T @ x, atol=1e-2)
        np.testing.assert_allclose(moments.xy[s], x.T @ y, atol=1e-2)
        np.testing.assert_allclose(moments.yy[s], (y * y).sum(0), atol=1e-2)


def test_no_row_whose_label_reaches_the_holdout_is_ever_summed(panel: Panel, split: WalkForward, sums: Sums) -> None:
    expected = [training_rows(panel, split, s, len(split.boundaries) - 1).sum() for s in range(len(panel.rows))]
    np.testing.assert_array_equal(sums.moments(0, len(split.boundaries) - 1).n, expected)


def test_missing_labels_split_targets_into_groups() -> None:
    features = np.zeros((30, 1), np.float32)
    labels = np.zeros((30, 3), np.float32)
    labels[4, 1] = np.nan
    panel = panel_of([symbol_rows("A", features, labels, 2)], ["y_a_2d", "y_b_2d", "y_c_2d"], 2)
    groups = target_groups(panel)
    assert [g.targets for g in groups] == [(0, 2), (1,)]
    assert labelled(panel.rows[0], groups[1]).sum() == 29


def test_ridge_path_equals_scikit_learn_on_centred_scaled_rows(panel: Panel, split: WalkForward, sums: Sums) -> None:
    scale = feature_scale(panel, int(split.boundaries[split.first_test]))
    fold = 4
    moments = sums.moments(0, fold)
    everything = (Mask(features=np.arange(6), columns=np.arange(4)),)
    path = ridge_path(moments, everything)
    rows = panel.rows[1]
    train = training_rows(panel, split, 1, fold)
    x, y = standardised(rows, scale)[train].astype(np.float64), rows.targets[train].astype(np.float64)
    spread = x.std(0)
    for i, penalty in enumerate(PENALTIES):
        model = Ridge(alpha=penalty * len(x)).fit(x / spread, y)
        np.testing.assert_allclose(path[i, 1], (model.coef_ / spread).T, atol=2e-3)


def test_features_outside_the_mask_have_no_coefficient(sums: Sums) -> None:
    allowed = np.ones((4, 6), bool)
    allowed[2, [0, 5]] = False
    path = ridge_path(sums.moments(0, 4), masks(allowed))
    assert not path[:, :, [0, 5], 2].any()
    assert path[:, :, 0, 0].all()


def test_path_correlation_is_the_correlation_of_predictions_and_labels(
    panel: Panel, split: WalkForward, sums: Sums
) -> None:
    scale = feature_scale(panel, int(split.boundaries[split.first_test]))
    path = ridge_path(sums.moments(0, 4), masks(np.ones((4, 6), bool)))
    found = path_correlation(path, sums.moments(4, 5))
    rows = panel.rows[2]
    ahead = training_rows(panel, split, 2, 5) & ~training_rows(panel, split, 2, 4)
    prediction = standardised(rows, scale)[ahead] @ path[3, 2]
    for column in range(4):
        expected = np.corrcoef(prediction[:, column], rows.targets[ahead, column])[0, 1]
        assert found[3, 2, column] == pytest.approx(expected, abs=1e-3)


def test_penalty_choice_takes_what_predicted_best(sums: Sums) -> None:
    everything = masks(np.ones((4, 6), bool))
    path = ridge_path(sums.moments(0, 4).pooled(), everything)
    ahead = sums.moments(4, 5).pooled()
    choice = PenaltyChoice(np.arange(4))
    np.testing.assert_array_equal(choice.pick(path), path[len(PENALTIES) // 2])
    choice.observe(merit(path, ahead))
    best = path_correlation(path, ahead)[:, 0].round(6).argmax(0)
    for column in range(4):
        np.testing.assert_array_equal(choice.pick(path)[:, :, column], path[best[column], :, :, column])


def test_selection_keeps_the_strongest_allowed(sums: Sums) -> None:
    pooled = sums.moments(0, 5).pooled()
    owner = np.arange(4)
    correlation = np.abs(pooled.correlation()[0])
    allowed = np.ones((4, 6), bool)
    allowed[0, correlation[:, 0].argmax()] = False
    chosen = select(pooled, owner, allowed, 2)
    assert chosen.sum(1).tolist() == [2, 2, 2, 2]
    assert not chosen[0, correlation[:, 0].argmax()]
    assert chosen[1, correlation[:, 1].argmax()]


def test_labels_become_columns_by_task() -> None:
    features = np.zeros((60, 1), np.float32)
    values = np.tile(np.array([1.0, 2.0, 5.0], np.float32), 20)[:, None]
    panel = panel_of([symbol_rows("A", features, values, 1)], ["y_c_1d"], 1, Task.REGRESSION)
    regression = label_columns(panel, 10**15)
    assert regression.encode(values).std() > 0
    (target,) = panel.targets
    object.__setattr__(target, "task", Task.MULTICLASS)
    object.__setattr__(target, "classes", (1.0, 2.0, 5.0))
    columns = label_columns(panel, 10**15)
    assert columns.of(0).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(columns.encode(values[:3]), np.eye(3))


def test_scale_uses_no_row_from_the_first_test_block_on(panel: Panel, split: WalkForward) -> None:
    before = int(split.boundaries[split.first_test])
    scale = feature_scale(panel, before)
    later = panel.timestamps[panel.rows[0].time_index] >= before
    changed = [
        symbol_rows(r.symbol, np.where(later[:, None], r.features + 100, r.features), r.targets, 5) for r in panel.rows
    ]
    again = feature_scale(panel_of(changed, [t.name for t in panel.targets], 5), before)
    np.testing.assert_array_equal(again.centre, scale.centre)
    np.testing.assert_array_equal(again.spread, scale.spread)


def test_a_constant_feature_has_no_moments_and_no_coefficient() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 3)).astype(np.float32)
    features[:, 1] = 7.7
    features[200:, 1] = 9.0
    labels = (features[:, :1] > 0).astype(np.float32)
    panel = panel_of([symbol_rows("A", features, labels, 2)], ["y_a_2d"], 2)
    split = WalkForward.build(panel.timestamps, n_blocks=6, initial_train_blocks=3, holdout_fraction=0.1, embargo_us=0)
    (group,) = target_groups(panel)
    before = int(split.boundaries[1])
    scale, columns = feature_scale(panel, before), label_columns(panel, before)
    moments = accumulate(panel, group, split, scale, columns, np.arange(1)).moments(0, 3)
    assert not moments.xx[0, 1].any()
    assert not moments.xy[0, 1].any()
    path = ridge_path(moments, masks(np.ones((1, 3), bool)))
    assert not path[:, :, 1].any()
    assert np.isfinite(path).all()
