import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.families.gmm_regime import GMMRegimeModel
from trainroute.families.shared.linear import fit_linear
from trainroute.families.shared.regimes import begins_anew, filtered, find_regimes, log_densities, transition_chances
from trainroute.metrics import concordance
from trainroute.records.vocabulary import Task

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]
GMM = FAMILIES.get("GMMRegime")
STAYS = 0.97


def _path(rng: np.random.Generator, n_rows: int) -> NDArray[np.int64]:
    """Two regimes that last 33 rows on average."""
    return np.cumsum(rng.random(n_rows) > STAYS) % 2


def _flipping(n_rows: int, seed: int) -> tuple[TrainingRows, NDArray[np.int64]]:
    """Rows of two symbols in which f0 leads the label up in one regime and down in the other; f2 and f3 show which."""
    rng = np.random.default_rng(seed)
    half = n_rows // 2
    regime = np.concatenate([_path(rng, half), _path(rng, half)])
    sign = 2.0 * regime - 1.0
    features = rng.normal(size=(n_rows, 5))
    features[:, 2:4] += sign[:, None]
    latent = 0.75 * sign * features[:, 0] + rng.normal(size=n_rows)
    rows = TrainingRows(
        features=features.astype(np.float32),
        labels=(latent > 0).astype(np.float32),
        symbol=np.repeat(np.array([0, 1], dtype=np.int32), half),
        time=np.tile(np.arange(half, dtype=np.int32), 2),
        feature_names=("f0", "f1", "f2", "f3", "f4"),
    )
    return rows, regime


@pytest.fixture(scope="module")
def flipping() -> GMMRegimeModel:
    train, _ = _flipping(3000, 1)
    later, _ = _flipping(600, 2)
    context = FitContext(task=Task.BINARY, n_classes=2, seed=0, threads=1, hyperparameters=GMM.resolve({}))
    model = GMM().fit(train, replace(later, time=later.time + np.int32(5000)), context=context)
    assert isinstance(model, GMMRegimeModel)
    return model


def test_an_effect_that_flips_with_the_regime_is_learnt(flipping: GMMRegimeModel, make_context: MakeContext) -> None:
    rows, regime = _flipping(6000, 3)
    assert flipping.details["regimes"] == 2
    assert flipping.details["stays_0"] == pytest.approx(STAYS, abs=0.02)
    assert flipping.details["stays_1"] == pytest.approx(STAYS, abs=0.02)
    chances = flipping.regimes.chances(rows)
    assert max(np.mean(chances.argmax(axis=1) == regime), np.mean(chances.argmax(axis=1) != regime)) > 0.95
    one = fit_linear(_flipping(3000, 1)[0], context=make_context(GMM, Task.BINARY), penalty=0.01)
    assert concordance(one.predict(rows.features), rows.labels) < 0.54
    assert concordance(flipping.predict(rows), rows.labels) > 0.66


def test_the_rows_before_tell_more_of_the_regime_than_the_row_alone(flipping: GMMRegimeModel) -> None:
    rows, _ = _flipping(6000, 3)
    lone = replace(rows, time=2 * rows.time)  # a gap before every row
    assert concordance(flipping.predict(rows), rows.labels) > concordance(flipping.predict(lone), rows.labels) + 0.01


def test_the_future_changes_nothing(flipping: GMMRegimeModel) -> None:
    rows, _ = _flipping(400, 4)
    before = flipping.predict(rows)
    features = rows.features.copy()
    features[120:200] = 9.0
    after = flipping.predict(replace(rows, features=features))
    np.testing.assert_array_equal(after[:120], before[:120])
    assert (after[120:200] != before[120:200]).all()
    np.testing.assert_array_equal(after[200:], before[200:], err_msg="another symbol")


def test_the_filter_begins_anew_after_a_gap(flipping: GMMRegimeModel) -> None:
    rows, _ = _flipping(400, 4)
    time = rows.time.copy()
    time[80:200] += 1
    gap = replace(rows, time=time)
    later = replace(gap, features=gap.features[80:], labels=gap.labels[80:], symbol=gap.symbol[80:], time=gap.time[80:])
    np.testing.assert_array_equal(flipping.predict(gap)[80:], flipping.predict(later))
    assert (flipping.predict(gap)[80:90] != flipping.predict(rows)[80:90]).any()
    np.testing.assert_array_equal(np.flatnonzero(begins_anew(gap)), [0, 80, 200])


def test_the_filter_is_the_sum_over_all_paths() -> None:
    rng = np.random.default_rng(0)
    density, share = rng.normal(size=(6, 2)) * 2, np.array([0.3, 0.7])
    transition = np.array([[0.9, 0.1], [0.25, 0.75]])
    found = filtered(density, np.array([True, False, False, False, True, False]), transition, share)
    for row, first in [(3, 0), (2, 0), (0, 0), (5, 4)]:
        weight = np.zeros(2)
        for path in itertools.product([0, 1], repeat=row - first + 1):
            chance = share[path[0]] * np.prod([transition[a, b] for a, b in itertools.pairwise(path)])
            weight[path[-1]] += chance * np.exp(density[np.arange(first, row + 1), path].sum())
        np.testing.assert_allclose(found[row], weight / weight.sum(), rtol=1e-12)


def test_densities_are_those_of_the_normal_distribution() -> None:
    rng = np.random.default_rng(0)
    root = np.triu(rng.normal(size=(3, 3))) + 2 * np.eye(3)
    points, centre = rng.normal(size=(20, 3)), rng.normal(size=3)
    expected = multivariate_normal(centre, np.linalg.inv(root @ root.T)).logpdf(points)
    np.testing.assert_allclose(log_densities(points, centre[None], root[None])[:, 0], expected)


def test_transitions_are_found_behind_noise() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([[0.95, 0.05], [0.15, 0.85]])
    path = [0]
    for _ in range(20_000):
        path.append(int(rng.random() < truth[path[-1], 1]))
    points = np.array(path)[:, None] * 2.0 + rng.normal(size=(len(path), 1))
    density = log_densities(points, np.array([[0.0], [2.0]]), np.ones((2, 1, 1)))
    found, share = transition_chances(density[:-1], density[1:], np.array([0.5, 0.5]))
    np.testing.assert_allclose(found, truth, atol=0.03)
    np.testing.assert_allclose(share, [0.75, 0.25], atol=0.03)


def test_rows_without_regimes_have_one(make_rows: MakeRows) -> None:
    settings = {"most_directions": 3, "most_regimes": 3, "min_rows": 150, "most_rows": 20_000}
    found = [len(find_regimes(make_rows(Task.BINARY, 1500, seed=s), **settings, seed=s).share) for s in range(5)]
    assert found == [1] * 5
    rows, _ = _flipping(1000, 1)
    assert len(find_regimes(rows, **{**settings, "min_rows": 600}, seed=0).share) == 1, "both have about 500"


def test_the_fit_reads_unlabelled_rows_as_history_only(make_context: MakeContext, tmp_path: Path) -> None:
    rows, _ = _flipping(1600, 5)
    labels = rows.labels.copy()
    labels[::3] = np.nan
    nothing = replace(rows, **{name: getattr(rows, name)[:0] for name in ("features", "labels", "symbol", "time")})
    model = GMM().fit(replace(rows, labels=labels), nothing, context=make_context(GMM, Task.BINARY))
    new, _ = _flipping(3000, 6)
    assert concordance(model.predict(new), new.labels) > 0.62
    model.save(tmp_path)
    np.testing.assert_array_equal(GMM().load(tmp_path).predict(new), model.predict(new))
    assert GMM().load(tmp_path).details == model.details


@pytest.mark.parametrize("task", list(Task))
def test_a_linear_fit_weighs_its_rows(task: Task, make_rows: MakeRows, make_context: MakeContext) -> None:
    rows, context = make_rows(task, 600, seed=1), make_context(GMM, task)
    weights = np.repeat([1.0, 0.0, 0.3], 200)
    other = replace(rows, labels=np.where(weights == 0.0, rows.labels[::-1], rows.labels))
    new = make_rows(task, 100, seed=2).features

    def predicted(of: TrainingRows, weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
        return fit_linear(of, context=context, penalty=0.01, weights=weights).predict(new)

    found = predicted(rows, weights)
    np.testing.assert_allclose(predicted(other, weights), found, atol=1e-6, err_msg="weight 0")
    np.testing.assert_allclose(predicted(rows, 7 * weights), found, atol=1e-4, err_msg="only ratios count")
    np.testing.assert_allclose(predicted(rows, np.ones(600)), predicted(rows, None), atol=1e-6)
    assert np.abs(predicted(rows, None) - found).max() > 0.01
