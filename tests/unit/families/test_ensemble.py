from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.families.ensemble import EnsembleModel, member_weights
from trainroute.families.shared.linear import fit_linear, load_linear
from trainroute.records.vocabulary import Task

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]
ENSEMBLE = FAMILIES.get("Ensemble")


def _weights(members: np.ndarray, labels: np.ndarray, context: FitContext) -> np.ndarray:
    return member_weights(members, labels.astype(np.float32), context)


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_weights_are_those_of_a_search_over_the_whole_simplex(task: Task, make_context: MakeContext) -> None:
    rng = np.random.default_rng(0)
    outcome = (rng.random(400) > 0.5).astype(float)
    members = np.stack([outcome * share + rng.normal(size=400) * noise for share, noise in [(1, 1), (1, 0.6), (0, 2)]])
    found = _weights(members, outcome, make_context(ENSEMBLE, task, equal_weight_share=0.0))
    grid = [(a, b, 1 - a - b) for a in np.linspace(0, 1, 101) for b in np.linspace(0, 1 - a, 101)]
    best = min(grid, key=lambda w: float(((np.array(w) @ members - outcome) ** 2).sum()))
    np.testing.assert_allclose(found, best, atol=0.02)
    assert found.sum() == pytest.approx(1.0)
    assert (found >= 0).all()


def test_multiclass_weights_favour_the_member_that_is_right(make_context: MakeContext) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, size=300)
    right, wrong = np.eye(3)[labels], rng.dirichlet(np.ones(3), size=300)
    members = np.stack([wrong, right, rng.dirichlet(np.ones(3), size=300)])
    found = _weights(members, labels, make_context(ENSEMBLE, Task.MULTICLASS, equal_weight_share=0.0))
    np.testing.assert_allclose(found, [0, 1, 0], atol=1e-3)


def test_weights_are_shrunk_towards_equal_ones(make_context: MakeContext) -> None:
    outcome = np.random.default_rng(0).normal(size=300)
    members = np.stack([outcome, -outcome, np.zeros(300)])
    found = _weights(members, outcome, make_context(ENSEMBLE, Task.REGRESSION, equal_weight_share=0.6))
    np.testing.assert_allclose(found, [0.6, 0.2, 0.2], atol=1e-3)
    same = _weights(np.stack([outcome] * 3), outcome, make_context(ENSEMBLE, Task.REGRESSION))
    np.testing.assert_allclose(same, 1 / 3)


def test_the_ensemble_predicts_the_weighted_mean_of_its_members(make_rows: MakeRows, make_context: MakeContext) -> None:
    model = ENSEMBLE().fit(
        make_rows(Task.BINARY, 700, seed=1),
        make_rows(Task.BINARY, 150, seed=2),
        context=make_context(ENSEMBLE, Task.BINARY),
    )
    assert isinstance(model, EnsembleModel)
    rows = make_rows(Task.BINARY, 50, seed=3)
    members = model.members.predict(rows)
    weights = [model.details[f"weight_{name}"] for name in ("boosted_trees", "random_trees", "linear")]
    np.testing.assert_allclose(model.predict(rows), sum(w * m for w, m in zip(weights, members, strict=True)))


@pytest.mark.parametrize("task", list(Task))
def test_the_linear_member_is_scikit_learns(task: Task, make_rows: MakeRows, make_context: MakeContext) -> None:
    rows = make_rows(task, 600, seed=1)
    X = rows.features.astype(float)
    X = np.clip((X - X.mean(axis=0)) / X.std(axis=0), -5, 5)
    found = fit_linear(rows, context=make_context(ENSEMBLE, task), penalty=0.02).predict(rows.features)
    if task is Task.REGRESSION:
        expected = Ridge(alpha=0.02 * 600).fit(X, rows.labels).predict(X)
    else:
        expected = LogisticRegression(C=1 / (0.02 * 600), max_iter=1000).fit(X, rows.labels).predict_proba(X)
        expected = expected[:, 1] if task is Task.BINARY else expected
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_missing_value_stands_at_the_mean_and_an_outlier_is_clipped(
    make_rows: MakeRows, make_context: MakeContext
) -> None:
    rows = make_rows(Task.REGRESSION, 600, seed=1, missing=0.1)
    model = fit_linear(rows, context=make_context(ENSEMBLE, Task.REGRESSION), penalty=0.01)
    at_mean = np.tile(np.nanmean(rows.features, axis=0, dtype=np.float64), (1, 1)).astype(np.float32)
    missing = np.full((1, 5), np.nan, dtype=np.float32)
    np.testing.assert_allclose(model.predict(missing), model.predict(at_mean), atol=1e-6)
    far, farther = np.full((1, 5), 1e3, dtype=np.float32), np.full((1, 5), 1e9, dtype=np.float32)
    np.testing.assert_array_equal(model.predict(far), model.predict(farther))


def test_linear_arrays_come_back_from_disk(make_rows: MakeRows, make_context: MakeContext, tmp_path: Path) -> None:
    rows = make_rows(Task.MULTICLASS, 600, seed=1)
    rows.labels[rows.labels == 1.0] = 2.0
    model = fit_linear(rows, context=make_context(ENSEMBLE, Task.MULTICLASS), penalty=0.01)
    model.save(tmp_path / "linear.npz")
    loaded = load_linear(tmp_path / "linear.npz", Task.MULTICLASS)
    np.testing.assert_array_equal(loaded.predict(rows.features), model.predict(rows.features))
    assert model.predict(rows.features)[:, 1].max() < 1e-6, "a class that was never seen"
