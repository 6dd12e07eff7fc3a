"""What no straight line shows is found by trees, where it is; what is settled costs nothing; noise stays noise."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from planted import panel_of, symbol_rows
from worlds import World, plant

from trainroute.config import parse_config
from trainroute.evaluate import evaluate_panel
from trainroute.evaluate.design import feature_scale, label_columns
from trainroute.evaluate.evidence import TreeUse
from trainroute.evaluate.inputs import GroupInput
from trainroute.evaluate.probes import Probed, probe
from trainroute.evaluate.racing import record
from trainroute.evaluate.statistics import accumulate, target_groups
from trainroute.evaluate.tree_walk import TreeWalk
from trainroute.evaluate.trees import MAX_POOLED_ROWS, TreeBins, drawn
from trainroute.evaluate.walk import TestRows, test_rows
from trainroute.panel import Panel, WalkForward
from trainroute.records.vocabulary import Task

# pytest must not collect what these names import
TestRows.__test__ = False  # type: ignore[attr-defined]
test_rows.__test__ = False  # type: ignore[attr-defined]

HORIZON = 3
N_FEATURES = 6
Signal = Callable[[np.ndarray, int], np.ndarray]
SIGNALS: dict[str, Signal] = {
    "linear": lambda x, _: x[:, 0],
    "size": lambda x, _: np.abs(x[:, 1]) - 0.8,
    "product": lambda x, _: x[:, 2] * x[:, 3],
    "own_linear": lambda x, s: x[:, s % N_FEATURES] * (-1) ** (s // N_FEATURES),
    "own_size": lambda x, s: (np.abs(x[:, s % N_FEATURES]) - 0.8) * (-1) ** (s // N_FEATURES),
    "noise": lambda x, _: np.zeros(len(x)),
}


def planted(
    kinds: tuple[str, ...],
    *,
    symbols: int = 10,
    rows: int = 1000,
    seed: int = 0,
    classes: int = 2,
    strength: float = 1.0,
) -> Panel:
    """Plant targets on signals that are fresh on every row; ``classes`` 0 leaves the labels real-valued."""
    rng = np.random.default_rng(seed)
    parts = []
    for s in range(symbols):
        x = rng.normal(size=(rows + HORIZON, N_FEATURES))
        labels = []
        for kind in kinds:
            bar = strength * SIGNALS[kind.rstrip("0123456789")](x, s) + rng.normal(size=len(x))
            ahead = bar[:rows] + 0.5 * rng.normal(size=rows)
            edges = np.quantile(ahead, np.arange(1, classes) / max(classes, 1))
            labels.append(np.searchsorted(edges, ahead) if classes else ahead)
        parts.append(
            symbol_rows(f"S{s:02d}", x[:rows].astype(np.float32), np.stack(labels, 1).astype(np.float32), HORIZON)
        )
    panel = panel_of(parts, [f"y_{kind}_{HORIZON}d" for kind in kinds], HORIZON)
    task = {0: Task.REGRESSION, 2: Task.BINARY}.get(classes, Task.MULTICLASS)
    levels = tuple(float(c) for c in range(classes))
    return replace(panel, targets=tuple(replace(t, task=task, classes=levels) for t in panel.targets))


def group_of(panel: Panel) -> GroupInput:
    split = WalkForward.build(panel.timestamps, n_blocks=8, initial_train_blocks=4, holdout_fraction=0.1, embargo_us=0)
    (group,) = target_groups(panel)
    before = int(split.boundaries[split.first_test])
    scale, columns = feature_scale(panel, before), label_columns(panel, before)
    index = np.concatenate([columns.of(t) for t in group.targets])
    return GroupInput(
        panel=panel,
        group=group,
        split=split,
        scale=scale,
        columns=columns,
        sums=accumulate(panel, group, split, scale, columns, index),
        bins=TreeBins(panel, before),
    )


def all_features(panel: Panel) -> np.ndarray:
    return np.ones((len(panel.targets), len(panel.features)), bool)


def probed(panel: Panel, *, trees: bool = True) -> Probed:
    return probe(group_of(panel), all_features(panel), len(panel.features), trees=trees)


def mean_score(found: Probed, panel: Panel, target: int, *, local: bool = False) -> float:
    predictions = found.predictions.local if local else found.predictions.pooled
    everywhere = np.ones((found.rows.n_symbols, found.rows.n_folds), bool)
    width = predictions.shape[1] // len(panel.targets)
    own = predictions[:, target * width : (target + 1) * width]
    of = record(panel.targets[target], own, found.outcomes[target], found.rows, everywhere, HORIZON)
    return float(of.score @ of.weight / of.weight.sum())


def tree_walk(panel: Panel, allowed: np.ndarray | None = None) -> tuple[TreeWalk, TestRows]:
    data = group_of(panel)
    rows = test_rows(panel, data.group, data.split)
    chosen = all_features(panel) if allowed is None else allowed
    return TreeWalk(data, rows, data.split, chosen, N_FEATURES), rows


KINDS = ("linear", "size", "product", "own_size")


@pytest.fixture(scope="module")
def panel() -> Panel:
    return planted(KINDS)


@pytest.fixture(scope="module")
def with_trees(panel: Panel) -> Probed:
    return probed(panel)


@pytest.fixture(scope="module")
def ridge_only(panel: Panel) -> Probed:
    return probed(panel, trees=False)


@pytest.mark.parametrize("kind", ["size", "product"])
def test_trees_find_what_ridge_cannot(panel: Panel, with_trees: Probed, ridge_only: Probed, kind: str) -> None:
    target = KINDS.index(kind)
    assert abs(mean_score(ridge_only, panel, target) - 0.5) < 0.03
    assert mean_score(with_trees, panel, target) > 0.56
    assert with_trees.trees[target].pooled_folds >= 3


def test_products_are_found_among_thirty_features() -> None:
    """Trees that may each use half of the features seldom hold both factors: these four came to 0.559 by them."""
    panel = plant(World(mechanisms=("interaction",) * 4, n_symbols=12, n_rows=2000, horizon=3)).panel
    found = probed(panel)
    assert np.mean([mean_score(found, panel, target) for target in range(4)]) > 0.58


def test_a_size_that_differs_by_symbol_is_found_by_local_trees(
    panel: Panel, with_trees: Probed, ridge_only: Probed
) -> None:
    target = KINDS.index("own_size")
    assert abs(mean_score(ridge_only, panel, target, local=True) - 0.5) < 0.03
    local = mean_score(with_trees, panel, target, local=True)
    assert local > 0.58
    assert local > mean_score(with_trees, panel, target) + 0.03


def test_a_clearly_strong_linear_target_gets_no_trees(panel: Panel, with_trees: Probed, ridge_only: Probed) -> None:
    linear, *others = with_trees.trees
    assert (linear.models, linear.pooled_folds, linear.local_folds) == (0, 0, 0)
    assert min(trees.models for trees in others) > 0
    assert all(trees == TreeUse() for trees in ridge_only.trees)
    np.testing.assert_array_equal(with_trees.predictions.pooled[:, 0], ridge_only.predictions.pooled[:, 0])
    np.testing.assert_array_equal(with_trees.predictions.local[:, 0], ridge_only.predictions.local[:, 0])


def test_a_strong_linear_target_that_ridge_would_route_to_local_models_is_raced_on_both_sides() -> None:
    panel = planted(("own_linear",))
    found, ridge = probed(panel), probed(panel, trees=False)
    assert mean_score(ridge, panel, 0, local=True) > 0.6
    assert mean_score(ridge, panel, 0) < 0.55
    assert found.trees[0].models > 0
    assert mean_score(found, panel, 0, local=True) >= mean_score(ridge, panel, 0, local=True) - 0.005


def test_the_rows_that_are_scored_do_not_depend_on_who_competes(with_trees: Probed, ridge_only: Probed) -> None:
    for name in ("symbol", "fold", "time", "position"):
        np.testing.assert_array_equal(getattr(with_trees.rows, name), getattr(ridge_only.rows, name))
    assert with_trees.rows.n_folds == ridge_only.rows.n_folds == 4


@pytest.mark.parametrize("classes", [0, 3])
def test_every_task_has_trees(classes: int) -> None:
    shape = planted(("size",), symbols=8, rows=900, classes=classes)
    assert mean_score(probed(shape, trees=False), shape, 0) < 0.53
    assert mean_score(probed(shape), shape, 0) > 0.54


def test_noise_stays_at_one_half_whoever_competes() -> None:
    kinds = tuple(f"noise{i}" for i in range(6))
    pooled, local = [], []
    for seed in range(4):
        noise = planted(kinds, symbols=6, rows=600, seed=seed)
        found = probed(noise)
        assert min(trees.models for trees in found.trees) > 0
        pooled += [mean_score(found, noise, i) for i in range(len(kinds))]
        local += [mean_score(found, noise, i, local=True) for i in range(len(kinds))]
    for scores in (np.array(pooled), np.array(local)):
        assert abs(scores.mean() - 0.5) < 3 * scores.std() / np.sqrt(len(scores))


def test_trees_of_a_fold_do_not_change_when_every_label_open_at_its_start_and_all_later_features_change(
    panel: Panel,
) -> None:
    fold = 1
    data = group_of(panel)
    cut, end = data.split.boundaries[data.split.first_test + fold + np.arange(2)]
    rng = np.random.default_rng(0)
    changed = []
    for rows in panel.rows:
        still_open = rows.label_end >= cut
        later = (panel.timestamps[rows.time_index] >= end)[:, None]
        targets = np.where(still_open, rng.integers(0, 2, rows.targets.shape), rows.targets).astype(np.float32)
        features = np.where(later, rng.normal(size=rows.features.shape), rows.features).astype(np.float32)
        changed.append(replace(rows, targets=targets, features=features))
    (one, rows), (other, _) = tree_walk(panel), tree_walk(replace(panel, rows=tuple(changed)))
    asked = np.ones((len(KINDS), rows.n_folds), bool)
    for walk in (one, other):
        walk.predict_pooled(asked)
        walk.predict_local(np.repeat(asked[:, None], rows.n_symbols, axis=1))
    up_to = rows.fold <= fold
    np.testing.assert_array_equal(one.pooled[up_to], other.pooled[up_to])
    np.testing.assert_array_equal(one.local[up_to], other.local[up_to])
    assert np.abs(one.pooled[~up_to] - other.pooled[~up_to]).max() > 1e-3


def test_a_feature_that_is_not_allowed_reaches_no_tree(panel: Panel) -> None:
    allowed = all_features(panel)
    allowed[1, 1] = False
    rng = np.random.default_rng(0)
    other = [
        replace(r, features=np.c_[r.features[:, :1], rng.normal(size=len(r)), r.features[:, 2:]].astype(np.float32))
        for r in panel.rows
    ]
    asked = np.zeros((len(KINDS), 4), bool)
    asked[:2, 3] = True
    walks = [tree_walk(p, allowed)[0] for p in (panel, replace(panel, rows=tuple(other)))]
    for walk in walks:
        walk.predict_pooled(asked)
    np.testing.assert_array_equal(walks[0].pooled[:, 1], walks[1].pooled[:, 1])
    assert np.abs(walks[0].pooled[:, 0] - walks[1].pooled[:, 0]).max() > 0


def test_the_race_trains_fewer_models_than_all_probes_for_all_targets() -> None:
    wide = planted(("linear", "noise"), symbols=24, rows=1500)
    linear, noise = probed(wide).trees
    assert linear.models == 0
    assert linear.models_without_race == noise.models_without_race == 5 + 24 * 5
    assert 2 + 8 * 2 <= noise.models <= noise.models_without_race - 3


def test_the_pooled_draw_keeps_its_rows_as_the_folds_grow() -> None:
    number = np.random.default_rng(0).random(3 * MAX_POOLED_ROWS)
    early, late = drawn(number, np.arange(2 * MAX_POOLED_ROWS)), drawn(number, np.arange(3 * MAX_POOLED_ROWS))
    assert len(early) == len(late) == MAX_POOLED_ROWS
    assert (np.diff(late) > 0).all()
    assert set(late[late < 2 * MAX_POOLED_ROWS]) <= set(early)
    few = np.arange(10)
    assert drawn(number, few) is few


@pytest.fixture
def one_core() -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


def test_one_core_predicts_the_same(panel: Panel, with_trees: Probed, one_core: None) -> None:
    alone = probed(panel)
    np.testing.assert_array_equal(alone.predictions.pooled, with_trees.predictions.pooled)
    np.testing.assert_array_equal(alone.predictions.local, with_trees.predictions.local)


def test_the_table_tells_what_was_tried_and_blocks_no_nonlinear_target(panel: Panel, tmp_path: Path) -> None:
    def pooled_rows(*, trees: bool) -> dict[str, dict[str, object]]:
        evidence = evaluate_panel(
            panel,
            parse_config(f"validation: {{tree_probes: {str(trees).lower()}}}", "test"),
            data_dir=tmp_path,
            output_dir=tmp_path,
            top_n_targets=None,
            top_m_features=None,
            timestamp="",
            git_commit=None,
        )
        frame = evidence.candidates.frame.filter(pl.col("symbol").is_null())
        return {str(row["target"]): row for row in frame.to_dicts()}

    found, linear_only = pooled_rows(trees=True), pooled_rows(trees=False)
    assert found["y_linear_3d"]["attempted_model_families"] == ["Ridge"]
    for target in ("y_size_3d", "y_product_3d"):
        assert found[target]["attempted_model_families"] == ["Ridge", "Trees"]
        assert found[target]["p_skill"] > 0.99  # type: ignore[operator]
        assert linear_only[target]["p_skill"] < 0.95  # type: ignore[operator]
        assert found[target]["stability"] in ("UNKNOWN", "STABLE")
        assert found[target]["failed_model_families"] == []
