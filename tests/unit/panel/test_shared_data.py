"""Real panels: US stocks by the day and by the minute, and a panel that is not finance."""

from pathlib import Path

import numpy as np
import pytest

from trainroute.config.schema import DataConfig, TargetConfig
from trainroute.panel import WalkForward, load_panel
from trainroute.panel.prepare import prepare
from trainroute.records.vocabulary import Task

pytestmark = pytest.mark.shared_data
MINUTE = 60_000_000


def test_daily_stocks_with_unequal_starts(tmp_path: Path, shared_data: Path) -> None:
    symbols = ["AAPL", "FB", "KO", "MSFT", "OTIS", "XOM"]
    prepare(shared_data / "sp500_daily.parquet", tmp_path / "data", symbols=symbols)
    panel = load_panel(tmp_path / "data", DataConfig())
    assert panel.symbols == tuple(symbols)
    assert panel.bar_interval_us == 24 * 60 * MINUTE
    assert {rows.symbol for rows in panel.rows if rows.time_index[0] > 0} >= {"FB", "OTIS"}
    five = next(target for target in panel.targets if target.name == "fwd_ret_5d")
    for rows in panel.rows:
        labelled = ~np.isnan(rows.targets[:, panel.targets.index(five)])
        ahead = (rows.label_end[:, five.horizon_index] - panel.timestamps[rows.time_index])[labelled]
        # Five trading days are a week, longer over holidays and the days after 11 September 2001.
        assert np.median(ahead) == 7 * 24 * 60 * MINUTE
    folds = WalkForward.build(panel.timestamps, n_blocks=10, initial_train_blocks=4, holdout_fraction=0.1, embargo_us=0)
    assert set(folds.block_of(panel.timestamps)) == set(range(11))


@pytest.mark.parametrize(("resample", "interval"), [(None, 1), ("5m", 5)])
def test_sparse_minutes(tmp_path: Path, shared_data: Path, resample: str | None, interval: int) -> None:
    source = shared_data / "us_1min_2024.parquet"
    prepare(
        source,
        tmp_path / "data",
        symbols=["AZO", "TYL", "NVR"],
        resample=resample,
        targets=["y_will_swing_low_10m_0.20"],
    )
    panel = load_panel(tmp_path / "data", DataConfig())
    assert panel.bar_interval_us == interval * MINUTE
    target = panel.targets[0]
    assert (target.task, target.horizon_bars) == (Task.BINARY, 10 // interval)
    assert not panel.repairs


def test_air_quality_with_targets_by_config(shared_data: Path) -> None:
    config = DataConfig(
        targets={
            "pm25_ahead": TargetConfig(source="PM2.5", shift_bars=6),
            "pm25_high": TargetConfig(source="PM2.5", shift_bars=24, above_quantile=0.8),
        }
    )
    panel = load_panel(shared_data / "beijing_air_hourly.parquet", config)
    assert (len(panel.symbols), panel.n_rows, panel.bar_interval_us) == (12, 420_768, 60 * MINUTE)
    assert panel.repairs == ("columns without numbers left out: wd",)
    assert "PM2.5" in panel.features
    ahead, high = panel.targets
    assert (ahead.task, ahead.horizon_minutes, high.task, high.horizon_bars) == (Task.REGRESSION, 360, Task.BINARY, 24)
    rows = panel.rows[3]
    now = rows.features[:, panel.features.index("PM2.5")]
    np.testing.assert_array_equal(rows.targets[:-6, 0], now[6:])
