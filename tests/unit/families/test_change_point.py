from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trainroute.families import FAMILIES, FitContext, TrainingRows
from trainroute.families.change_point import current_part
from trainroute.families.shared.boosters import lightgbm_parameters, refit_lightgbm
from trainroute.families.shared.changes import change_times, effect_series, noise, strongest
from trainroute.metrics import concordance
from trainroute.records.vocabulary import Task

pytest.importorskip("ruptures", reason="needs the extra 'cpu'")

MakeRows = Callable[..., TrainingRows]
MakeContext = Callable[..., FitContext]
CHANGE_POINT, LIGHTGBM = FAMILIES.get("ChangePoint"), FAMILIES.get("LightGBM")
SEARCH = {"most_points": 400, "most_features": 4, "penalty": 1.25}


def _rows(
    n_dates: int, *, seed: int, reversed_from: float = 1.0, first: int = 0, task: Task = Task.REGRESSION
) -> TrainingRows:
    """Two symbols side by side; from a share of the dates on, f0 leads the label the other way."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(2 * n_dates, 12)).astype(np.float32)
    date = np.tile(np.arange(n_dates, dtype=np.int32), 2)
    latent = 0.75 * features[:, 0] * np.where(date < reversed_from * n_dates, 1.0, -1.0) + rng.normal(size=2 * n_dates)
    labels = {
        Task.REGRESSION: latent + 3.0 * (np.arange(2 * n_dates) < n_dates),  # the symbols differ in their means
        Task.BINARY: latent > 0,
        Task.MULTICLASS: np.digitize(latent, [-0.5, 0.5]),
    }[task]
    return TrainingRows(
        features=features,
        labels=labels.astype(np.float32),
        symbol=np.repeat(np.array([0, 1], dtype=np.int32), n_dates),
        time=date + np.int32(first),
        feature_names=tuple(f"f{number}" for number in range(12)),
    )


@pytest.mark.parametrize("task", list(Task))
def test_a_reversal_is_found_where_it_is(task: Task) -> None:
    for seed in range(5):
        found = change_times(_rows(1500, seed=seed, reversed_from=0.6, first=70, task=task), **SEARCH)
        assert len(found) == 1
        assert found[0] == pytest.approx(70 + 900, abs=0.03 * 1500)


def test_a_model_of_what_is_current_beats_one_of_everything(make_context: MakeContext) -> None:
    train, validation = _rows(1500, seed=1, reversed_from=0.6), _rows(300, seed=2, reversed_from=0.0, first=1500)
    new = _rows(2000, seed=3, reversed_from=0.0)
    new = replace(new, labels=new.labels - 3.0 * (new.symbol == 0))
    found = CHANGE_POINT().fit(train, validation, context=make_context(CHANGE_POINT, Task.REGRESSION))
    assert found.details["changes"] == 1
    assert found.details["weight_of_earlier_rows"] == 0.0
    assert found.details["current_since"] == pytest.approx(900, abs=45)
    everything = LIGHTGBM().fit(train, validation, context=make_context(LIGHTGBM, Task.REGRESSION))
    assert concordance(found.predict(new), new.labels) > concordance(everything.predict(new), new.labels) + 0.05
    assert concordance(found.predict(new), new.labels) > 0.64


def test_without_a_change_everything_is_used(make_rows: MakeRows, make_context: MakeContext) -> None:
    alarms = sum(len(change_times(_rows(n, seed=seed), **SEARCH)) > 0 for seed in range(40) for n in (250, 1500))
    assert alarms <= 2, f"{alarms} of 80"
    train, validation = _rows(1500, seed=1), _rows(300, seed=2, first=1500)
    model = CHANGE_POINT().fit(train, validation, context=make_context(CHANGE_POINT, Task.REGRESSION))
    assert model.details["changes"] == 0
    assert model.details["current_rows"] == 3600


def test_labels_that_move_slowly_are_not_changes_one_by_one() -> None:
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        wave = np.zeros(3000)
        for row in range(1, 3000):
            wave[row] = 0.95 * wave[row - 1] + rng.normal()
        rows = _rows(1500, seed=seed)
        rows = replace(rows, labels=wave.astype(np.float32))
        alarms += len(change_times(rows, **SEARCH)) > 0
    assert alarms <= 2


def test_a_change_after_validation_began_leaves_the_number_of_rounds_to_the_default(make_context: MakeContext) -> None:
    train, validation = _rows(1000, seed=1), _rows(1000, seed=2, reversed_from=0.3, first=1000)
    context = make_context(CHANGE_POINT, Task.REGRESSION, rounds_without_validation=37)
    model = CHANGE_POINT().fit(train, validation, context=context)
    assert model.details["rounds"] == 37
    assert model.details["current_since"] == pytest.approx(1300, abs=60)
    assert model.details["current_rows"] == 2 * (2000 - int(model.details["current_since"]))


@pytest.mark.parametrize(("change", "least", "weight"), [(60, 40, 0.0), (60, 100, 20 / 120), (60, 500, 1.0)])
def test_earlier_rows_fill_up_what_is_missing(change: int, least: int, weight: float) -> None:
    rows = _rows(100, seed=0)
    part = current_part(rows, (20, change), min_current_rows=least)
    assert (part.since, part.current_rows, part.changes) == (60, 80, 2)
    assert part.earlier_weight == pytest.approx(weight)
    assert part.weights.sum() == pytest.approx(max(80, min(least, 200)))
    assert len(part.rows) == (80 if weight == 0.0 else 200)
    np.testing.assert_array_equal(part.weights == 1.0, (part.rows.time >= 60) | (weight == 1.0))


def test_a_change_since_which_labels_are_equal_is_passed_over() -> None:
    rows = _rows(100, seed=0, task=Task.BINARY)
    rows.labels[rows.time >= 80] = 1.0
    assert current_part(rows, (20, 80), min_current_rows=10).since == 20
    assert current_part(rows, (80,), min_current_rows=10).since == 0


def test_a_series_is_the_mean_over_blocks_of_dates() -> None:
    rows = _rows(35, seed=0, first=5)
    series = effect_series(rows, 10)
    assert series.values.shape == (10, 13)
    label = rows.labels - np.where(rows.symbol == 0, rows.labels[:35].mean(), rows.labels[35:].mean())
    label = np.clip(label / label.std(), -5, 5)
    feature = rows.features[:, 3].astype(float)
    feature = np.clip((feature - feature.mean()) / feature.std(), -5, 5)
    for point, start in enumerate(series.time):
        end = series.time[point + 1] if point < 9 else 99
        block = (rows.time >= start) & (rows.time < end)
        assert block.sum() in (6, 8)
        expected = [label[block].mean(), (feature * label)[block].mean()]
        np.testing.assert_allclose(series.values[point, [0, 4]], expected, atol=1e-5)


def _least_squares_split(values: NDArray[np.float64]) -> tuple[int, float]:
    def spread(part: NDArray[np.float64]) -> float:
        return float(((part - part.mean(axis=0)) ** 2).sum())

    cost = {split: spread(values[:split]) + spread(values[split:]) for split in range(15, len(values) - 14)}
    best = min(cost, key=lambda split: cost[split])
    return best, spread(values) - cost[best]


def test_the_split_is_the_best_of_all_and_the_penalty_is_what_it_must_explain() -> None:
    rows = _rows(750, seed=4, reversed_from=0.6)
    series = effect_series(rows, 300)
    values = series.values / noise(series.values)
    split, gain = _least_squares_split(values[:, strongest(values, 4)])
    unit = 6 * np.log(300)
    search = {"most_points": 300, "most_features": 4}
    assert change_times(rows, **search, penalty=0.99 * gain / unit) == (series.time[split],)
    assert change_times(rows, **search, penalty=1.01 * gain / unit) == ()


def test_noise_is_the_long_run_one_and_no_change_swells_it() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4000, 3))
    values[:, 2] = 0.0
    for row in range(1, 4000):
        values[row, 1] += 0.6 * values[row - 1, 1]
    np.testing.assert_allclose(noise(values), [1.0, 1 / (1 - 0.6), 1.0], rtol=0.1)
    shifted = values + np.where(np.arange(4000) < 2000, 0.0, 5.0)[:, None]
    np.testing.assert_allclose(noise(shifted)[:2], noise(values)[:2], rtol=1e-6)


def test_an_effect_that_cancels_over_the_history_is_among_the_strongest() -> None:
    rows = _rows(1500, seed=2, reversed_from=0.5)
    series = effect_series(rows, 400)
    assert list(strongest(series.values / noise(series.values), 1)) == [0, 1]


def test_too_short_a_history_is_not_searched(make_rows: MakeRows) -> None:
    assert change_times(_rows(90, seed=0, reversed_from=0.5), **SEARCH) == ()


def test_boosters_weigh_rows(make_rows: MakeRows, make_context: MakeContext) -> None:
    rows = make_rows(Task.BINARY, 800, seed=1)
    parameters = lightgbm_parameters(make_context(LIGHTGBM, Task.BINARY))
    wrong = replace(rows, labels=np.where(np.arange(800) < 400, rows.labels, 1.0 - rows.labels))
    new = make_rows(Task.BINARY, 2000, seed=2)
    for weights, lowest, highest in [([1.0, 0.01], 0.6, 0.8), ([0.01, 1.0], 0.2, 0.4)]:
        booster = refit_lightgbm(wrong, parameters, 20, weights=np.repeat(weights, 400))
        assert lowest < concordance(np.asarray(booster.predict(new.features)), new.labels) < highest


def test_what_was_current_comes_back_from_disk(make_rows: MakeRows, make_context: MakeContext, tmp_path: Path) -> None:
    rows = make_rows(Task.BINARY, 400, seed=1)
    context = make_context(CHANGE_POINT, Task.BINARY, rounds_without_validation=3)
    model = CHANGE_POINT().fit(rows, make_rows(Task.BINARY, 0, seed=2), context=context)
    model.save(tmp_path)
    assert CHANGE_POINT().load(tmp_path).details == model.details
