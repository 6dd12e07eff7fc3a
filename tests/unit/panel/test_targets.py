from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trainroute.config.schema import DataConfig, TargetConfig
from trainroute.errors import ConfigError, DataError
from trainroute.panel import Panel, Target, load_panel
from trainroute.records.vocabulary import Task

Frame = Callable[..., pl.DataFrame]
Hive = Callable[..., Path]
DAY = 86_400_000_000


def settings(**targets: TargetConfig) -> DataConfig:
    return DataConfig(targets=targets)


def only_target(panel: Panel, name: str) -> tuple[Target, np.ndarray, np.ndarray]:
    k = next(k for k, target in enumerate(panel.targets) if target.name == name)
    rows = panel.rows[0]
    ends = rows.label_end[:, panel.targets[k].horizon_index] - panel.timestamps[rows.time_index]
    return panel.targets[k], rows.targets[:, k], ends


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        ([0, 1], Task.BINARY, (0.0, 1.0)),
        ([-1, 1], Task.BINARY, (-1.0, 1.0)),
        ([0.5, 0.25], Task.BINARY, (0.25, 0.5)),
        ([0, 1, 2], Task.MULTICLASS, (0.0, 1.0, 2.0)),
        (list(range(10)), Task.MULTICLASS, tuple(float(k) for k in range(10))),
        (list(range(11)), Task.REGRESSION, ()),
        ([0.5, 1, 2], Task.REGRESSION, ()),
    ],
)
def test_the_task_is_inferred_from_values(
    hive: Hive, frame: Frame, values: list[float], task: Task, classes: tuple[float, ...]
) -> None:
    panel = load_panel(hive(A=frame(110, y_x_5d=np.resize(np.array(values, dtype=float), 110))), DataConfig())
    target, _, _ = only_target(panel, "y_x_5d")
    assert (target.task, target.classes) == (task, classes)


def test_the_task_is_inferred_over_all_symbols(hive: Hive, frame: Frame) -> None:
    a, b = frame(y_x_5d=[0, 1] * 20), frame(y_x_5d=[1, 2] * 20)
    target, _, _ = only_target(load_panel(hive(A=a, B=b), DataConfig()), "y_x_5d")
    assert (target.task, target.classes) == (Task.MULTICLASS, (0.0, 1.0, 2.0))


def test_config_overrides_the_task(hive: Hive, frame: Frame) -> None:
    data_dir = hive(A=frame(y_x_5d=np.arange(40) % 20, y_z_5d=[0, 1] * 20))
    config = settings(y_x_5d=TargetConfig(task="multiclass"), y_z_5d=TargetConfig(task="regression"))
    panel = load_panel(data_dir, config)
    assert len(only_target(panel, "y_x_5d")[0].classes) == 20
    assert only_target(panel, "y_z_5d")[0].task is Task.REGRESSION


@pytest.mark.parametrize(
    ("task", "values", "said"),
    [
        ("binary", np.arange(40) % 3, "binary does not fit its 3 distinct integers"),
        ("binary", np.arange(40) / 7, "binary does not fit its 40 distinct values"),
        ("multiclass", np.arange(40) % 2, "multiclass does not fit its 2 distinct integers"),
        ("multiclass", np.arange(40) / 7, "multiclass does not fit its 40 distinct values"),
        ("multiclass", np.arange(200), "multiclass does not fit its more than 100 distinct integers"),
    ],
)
def test_a_wrong_override_is_an_error(hive: Hive, frame: Frame, task: str, values: np.ndarray, said: str) -> None:
    data_dir = hive(A=frame(len(values), y_x_5d=values))
    with pytest.raises(ConfigError, match=f"data.targets.y_x_5d.task: {said}"):
        load_panel(data_dir, DataConfig.model_validate({"targets": {"y_x_5d": {"task": task}}}))


def test_the_horizon_comes_from_the_name_or_from_config(hive: Hive, frame: Frame) -> None:
    data_dir = hive(A=frame(y_x=pl.int_range(40)))
    panel = load_panel(data_dir, settings(y_x=TargetConfig(horizon="36h"), y_up_5d=TargetConfig(horizon="3d")))
    found = {target.name: (target.horizon_us, target.horizon_bars) for target in panel.targets}
    assert found == {"fwd_ret_5d": (5 * DAY, 5), "y_up_5d": (3 * DAY, 3), "y_x": (3 * DAY // 2, 2)}
    assert panel.targets[0].horizon_minutes == 5 * 24 * 60


def test_a_horizon_shorter_than_a_bar_is_refused(hive: Hive, frame: Frame) -> None:
    with pytest.raises(DataError, match=r"'y_x_30s': its horizon of 0\.5 minutes is shorter than a bar of 1440"):
        load_panel(hive(A=frame(y_x_30s=pl.int_range(40))), DataConfig())


def test_five_trading_days_span_a_week(hive: Hive, frame: Frame) -> None:
    table = frame(70).filter(pl.col("ts").dt.weekday() <= 5)
    panel = load_panel(hive(A=table), DataConfig())
    target, _, ends = only_target(panel, "fwd_ret_5d")
    assert target.horizon_bars == 5
    time = table["ts"].to_physical().to_numpy()
    slow = [max(5 * DAY, (time[i + 5] if i + 5 < len(time) else 0) - time[i]) for i in range(len(time))]
    np.testing.assert_array_equal(ends[:-5], slow[:-5])
    assert set(ends[:-5].tolist()) == {7 * DAY}
    assert (ends[-5:] >= 5 * DAY).all()


def test_the_end_is_never_before_the_horizon(hive: Hive, frame: Frame) -> None:
    half_days = pl.when(pl.int_range(40) % 8 == 1).then(pl.duration(hours=-20)).otherwise(pl.duration())
    panel = load_panel(hive(A=frame().with_columns(ts=pl.col("ts") + half_days)), DataConfig())
    _, _, ends = only_target(panel, "fwd_ret_5d")
    time = panel.timestamps
    ahead = time[5:] - time[:-5]
    assert (ahead < 5 * DAY).any()
    np.testing.assert_array_equal(ends[:-5], np.maximum(ahead, 5 * DAY))


def test_equal_horizons_share_their_ends(hive: Hive, frame: Frame) -> None:
    panel = load_panel(hive(A=frame(y_a_10d=pl.int_range(40), y_b_120h=pl.int_range(40))), DataConfig())
    assert {target.name: target.horizon_index for target in panel.targets} == {
        "fwd_ret_5d": 0,
        "y_a_10d": 1,
        "y_b_120h": 0,
        "y_up_5d": 0,
    }
    assert panel.rows[0].label_end.shape == (40, 2)


def test_a_target_from_measurements_ahead(hive: Hive, frame: Frame) -> None:
    table = frame(rain=np.arange(40.0)).filter(pl.int_range(40) != 20)
    panel = load_panel(hive(A=table), settings(rain_ahead=TargetConfig(source="rain", shift_bars=3)))
    target, labels, ends = only_target(panel, "rain_ahead")
    assert (target.horizon_us, target.horizon_bars, target.task) == (3 * DAY, 3, Task.REGRESSION)
    rain = table["rain"].to_numpy()
    np.testing.assert_array_equal(labels, [*rain[3:], np.nan, np.nan, np.nan])
    assert ends.tolist() == [3 * DAY] * 17 + [4 * DAY] * 3 + [3 * DAY] * 19
    assert "rain" in panel.features


def test_a_column_that_is_shifted_under_its_own_name_is_no_feature(hive: Hive, frame: Frame) -> None:
    panel = load_panel(hive(A=frame()), settings(mom=TargetConfig(shift_bars=2)))
    assert panel.features == ("vol",)
    assert only_target(panel, "mom")[0].horizon_bars == 2


def test_a_target_that_is_not_moved_takes_its_source_from_the_features(hive: Hive, frame: Frame) -> None:
    panel = load_panel(hive(A=frame()), settings(big_5d=TargetConfig(source="mom", above_quantile=0.5)))
    assert panel.features == ("vol",)


def test_the_threshold_comes_from_the_first_rows_only(hive: Hive, frame: Frame) -> None:
    early, late = [float(k) for k in range(12)], [100.0] * 28
    config = settings(high=TargetConfig(source="rain", shift_bars=1, above_quantile=0.5))
    a, b = frame(rain=early + late), frame(rain=[10 * x for x in early] + [54.0, 56.0] * 14)
    panel = load_panel(hive(A=a, B=b), config)
    k = [target.name for target in panel.targets].index("high")
    assert panel.targets[k].classes == (0.0, 1.0)
    # The median of 0 … 11 is 5.5, that of B ten times as much: every symbol has its own.
    np.testing.assert_array_equal(panel.rows[0].targets[:, k], [*([0] * 5), *([1] * 34), np.nan])
    np.testing.assert_array_equal(panel.rows[1].targets[:, k], [*([0] * 5), *([1] * 6), *([0, 1] * 14), np.nan])


def test_a_symbol_without_early_values_has_no_labels(hive: Hive, frame: Frame) -> None:
    a, b = frame(rain=np.arange(40.0)), frame(rain=[None] * 20 + list(np.arange(20.0)))
    config = settings(high=TargetConfig(source="rain", shift_bars=1, above_quantile=0.5))
    panel = load_panel(hive(A=a, B=b), config)
    k = [target.name for target in panel.targets].index("high")
    assert np.isnan(panel.rows[1].targets[:, k]).all()
    assert panel.repairs == ("target 'high' has no labels, for want of values in the first 30 % of rows, in: B",)


def test_more_bars_ahead_than_rows(hive: Hive, frame: Frame) -> None:
    config = settings(far=TargetConfig(source="vol", shift_bars=35))
    panel = load_panel(hive(A=frame(40), B=frame(10)), config)
    k = [target.name for target in panel.targets].index("far")
    rows = panel.rows[1]
    assert np.isnan(rows.targets[:, k]).all()
    ends = rows.label_end[:, panel.targets[k].horizon_index] - panel.timestamps[rows.time_index]
    assert set(ends.tolist()) == {35 * DAY}
