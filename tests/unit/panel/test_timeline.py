from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trainroute.errors import DataError
from trainroute.panel.timeline import bar_interval, time_columns, to_microseconds

HERE = Path("a.parquet")
NOON = datetime(2024, 3, 1, 12, tzinfo=timezone.utc)  # noqa: UP017 - the fixed zone of the oracle
NOON_US = int(NOON.timestamp()) * 1_000_000
MINUTE, DAY = 60_000_000, 86_400_000_000


@pytest.mark.parametrize(
    "series",
    [
        pl.Series("ts", [NOON.replace(tzinfo=None)], dtype=pl.Datetime("us")),
        pl.Series("ts", [NOON.replace(tzinfo=None)], dtype=pl.Datetime("ms")),
        pl.Series("ts", [NOON.replace(tzinfo=None)], dtype=pl.Datetime("ns")),
        pl.Series("ts", [NOON]).dt.convert_time_zone("America/New_York"),
        pl.Series("ts", [NOON]).dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ns"),
        pl.Series("ts", ["2024-03-01T12:00:00Z"]),
        pl.Series("ts", ["2024-03-01 12:00:00"]),
        pl.Series("ts", ["2024-03-01T21:00:00+09:00"]),
        pl.Series("ts", [NOON_US // 1_000_000]),
        pl.Series("ts", [NOON_US // 1000]),
        pl.Series("ts", [NOON_US]),
        pl.Series("ts", [NOON_US * 1000]),
    ],
    ids=lambda series: f"{series.dtype} {series[0]}",
)
def test_every_time_becomes_microseconds_utc(series: pl.Series) -> None:
    converted = to_microseconds(series, HERE)
    assert converted.dtype == pl.Int64
    assert converted.to_list() == [NOON_US]


def test_a_date_is_its_midnight() -> None:
    assert to_microseconds(pl.Series("date", [date(1970, 1, 3)]), HERE).to_list() == [2 * DAY]


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (pl.Series("ts", [NOON, None]), "a.parquet: column 'ts' has 1 missing times"),
        (pl.Series("ts", ["01/02/2024"]), "column 'ts' holds '01/02/2024'; expected ISO 8601"),
        (pl.Series("ts", ["2024-01-02", "2024-13-02"]), "holds '2024-13-02'; expected ISO 8601"),
        (pl.Series("ts", [20240102]), "integers around 20240102, which are not s, ms, µs or ns since 1970"),
        (pl.Series("ts", [1.5]), "column 'ts' has type Float64; expected a date"),
    ],
    ids=["missing", "ambiguous", "impossible", "digits", "float"],
)
def test_what_is_no_time_is_refused(series: pl.Series, message: str) -> None:
    with pytest.raises(DataError, match=message):
        to_microseconds(series, HERE)


def test_ts_comes_before_other_time_columns_whatever_the_case() -> None:
    schema = pl.Schema({"Date": pl.Date(), "x": pl.Int8(), "TS": pl.Datetime()})
    assert time_columns(schema, HERE) == ["TS", "Date"]
    with pytest.raises(DataError, match="no time column; expected one of ts, timestamp, datetime, date, got x"):
        time_columns(pl.Schema({"x": pl.Int8()}), HERE)


def steps(*differences: int) -> np.ndarray:
    return np.cumsum([0, *differences])


def weekdays(n: int) -> np.ndarray:
    days = [datetime(2024, 1, 1) + timedelta(days=k) for k in range(n * 2)]  # noqa: DTZ001 - only differences matter
    return np.array([DAY * (day - days[0]).days for day in days if day.weekday() < 5][:n])


def test_weekends_and_sparse_minutes_do_not_hide_the_interval() -> None:
    assert bar_interval({"A": weekdays(60), "B": weekdays(25)}, None) == DAY
    rng = np.random.default_rng(0)
    sparse = steps(*(MINUTE * rng.choice([1, 2, 3, 9], p=[0.2, 0.5, 0.2, 0.1], size=500)))
    dense = steps(*[MINUTE] * 500)
    assert bar_interval({"A": sparse, "B": dense}, None) == MINUTE


def test_a_short_symbol_across_a_weekend_has_no_say() -> None:
    assert bar_interval({"A": weekdays(60), "NEW": steps(3 * DAY)}, None) == DAY
    assert bar_interval({"A": steps(3 * DAY), "B": steps(3 * DAY, 3 * DAY)}, None) == 3 * DAY


def test_symbols_of_different_intervals_are_refused() -> None:
    five = steps(*[5 * MINUTE] * 50)
    one = steps(*[MINUTE] * 50)
    with pytest.raises(DataError, match="mixed bar intervals: expected 1m, got FIVE 5m; resample"):
        bar_interval({"FIVE": five, "ONE": one}, None)
    with pytest.raises(DataError, match=r"expected data.bar_interval 5m, got ONE 1m"):
        bar_interval({"FIVE": five, "ONE": one}, 5 * MINUTE)
    mostly_one = steps(*([MINUTE] * 45 + [5 * MINUTE] * 5))
    with pytest.raises(DataError, match=r"expected data.bar_interval 5m, got ONE 1m"):
        bar_interval({"FIVE": five, "ONE": mostly_one}, 5 * MINUTE)
    with pytest.raises(DataError, match=r"expected data.bar_interval 1h, got FIVE 5m"):
        bar_interval({"FIVE": five}, 60 * MINUTE)


def test_one_row_each_needs_a_stated_interval() -> None:
    with pytest.raises(DataError, match=r"no symbol has two rows.*set data.bar_interval"):
        bar_interval({"A": steps()}, None)
    assert bar_interval({"A": steps()}, DAY) == DAY
