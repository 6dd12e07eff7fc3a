"""Each bad input ends in its own one-line error that names file, column or symbol and what was expected."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trainroute.config.schema import DataConfig, TargetConfig
from trainroute.errors import ConfigError, DataError, TrainrouteError, UnknownNameError
from trainroute.panel import load_bars, load_panel

Frame = Callable[..., pl.DataFrame]
Hive = Callable[..., Path]


def refused(
    data_dir: Path,
    *parts: str,
    error: type[TrainrouteError] = DataError,
    config: DataConfig | None = None,
    **only: list[str],
) -> None:
    with pytest.raises(error) as caught:
        load_panel(data_dir, config or DataConfig(), **only)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    for part in parts:
        assert part in message


def test_missing_directory(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere: no such directory", "symbol=X/*.parquet")


def test_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("x")
    refused(tmp_path, f"{tmp_path}: no .parquet or .csv file in it", "expected")


@pytest.mark.parametrize("content", [b"", b"no parquet at all, whatever the name says"])
def test_unreadable_file(hive: Hive, frame: Frame, content: bytes) -> None:
    data_dir = hive(A=frame(), B=frame())
    (data_dir / "symbol=B" / "B.parquet").write_bytes(content)
    refused(data_dir, "B.parquet: cannot be read as Parquet", "write it again")


def test_truncated_and_damaged_files(hive: Hive, frame: Frame) -> None:
    data_dir = hive(A=frame(4000))
    path = data_dir / "symbol=A" / "A.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    refused(data_dir, "A.parquet: cannot be read as Parquet")
    path.write_bytes(whole[:4] + b"\xff" * 400 + whole[404:])
    refused(data_dir, "A.parquet: cannot be read as Parquet")


def test_unreadable_csv(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text("")
    refused(tmp_path, "A.csv: cannot be read as CSV")


def test_no_time_column(hive: Hive, frame: Frame) -> None:
    refused(hive(A=frame().drop("ts")), "A.parquet: no time column", "expected one of ts, timestamp, datetime, date")


def test_missing_time(hive: Hive, frame: Frame) -> None:
    table = frame().with_columns(ts=pl.when(pl.int_range(40) != 3).then("ts"))
    refused(hive(A=table), "A.parquet: column 'ts' has 1 missing times")


def test_missing_column(hive: Hive, frame: Frame) -> None:
    data_dir = hive(A=frame(), B=frame().drop("mom"))
    refused(data_dir, "symbol=B/B.parquet: column 'mom' is missing (1 of 2 files)", "symbol=A/A.parquet has", "add it")


def test_missing_target_column(hive: Hive, frame: Frame) -> None:
    refused(hive(A=frame().drop("y_up_5d"), B=frame()), "A.parquet: column 'y_up_5d' is missing")


def test_no_target(hive: Hive, frame: Frame) -> None:
    refused(hive(A=frame().drop("y_up_5d", "fwd_ret_5d")), "no target found", "A.parquet", "y_, target_, fwd_ret_")


def test_no_feature(hive: Hive, frame: Frame) -> None:
    refused(hive(A=frame().drop("mom", "vol")), "no feature is left of 0", "data.use_raw_columns")
    refused(hive(B=frame(mom=pl.lit(1), vol=pl.lit(2))), "no feature is left of 2", symbols=["B"])


def test_duplicate_rows(hive: Hive, frame: Frame) -> None:
    table = frame()
    refused(
        hive(A=table, B=pl.concat([table, table[7:9]])),
        "B.parquet: symbol 'B' has 2 duplicate times, the first 2020-01-08T00:00:00",
        "one row per (symbol, time)",
    )


def test_duplicate_rows_in_two_files_of_one_symbol(hive: Hive, frame: Frame) -> None:
    data_dir = hive(A=frame())
    frame()[:1].write_parquet(data_dir / "symbol=A" / "B.parquet")
    refused(data_dir, "A.parquet", "B.parquet", "1 duplicate times")


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("y_up_5d", pl.lit(1), "target 'y_up_5d' (column 'y_up_5d') is 1 in every row"),
        ("fwd_ret_5d", pl.lit(None, pl.Float64), "target 'fwd_ret_5d' (column 'fwd_ret_5d') has no value in any row"),
    ],
)
def test_constant_or_empty_target(hive: Hive, frame: Frame, column: str, value: pl.Expr, said: str) -> None:
    refused(hive(A=frame(**{column: value}), B=frame(**{column: value})), said, "expected labels that differ")


def test_target_that_is_text(hive: Hive, frame: Frame) -> None:
    refused(hive(A=frame(y_x_5d=pl.lit("up"))), "A.parquet: target column 'y_x_5d' holds no numbers")


def test_text_among_numbers(hive: Hive, frame: Frame) -> None:
    refused(hive(A=frame(), B=frame(mom=pl.lit("n/a"))), "B.parquet: expected numbers, but", "'mom'")


@pytest.mark.parametrize("column", ["mom", "fwd_ret_5d"])
@pytest.mark.parametrize("value", [float("inf"), -float("inf"), 1e300])
def test_infinite_values(hive: Hive, frame: Frame, column: str, value: float) -> None:
    data_dir = hive(A=frame(), B=frame(**{column: [value, *np.arange(39.0)]}))
    refused(data_dir, f"B.parquet: column '{column}' of symbol 'B' is infinite or beyond float32")


def test_unparseable_horizon(hive: Hive, frame: Frame) -> None:
    refused(hive(A=frame(y_up=pl.int_range(40))), "target 'y_up': no horizon in its name", "data.targets.y_up.horizon")


def test_ambiguous_horizon(hive: Hive, frame: Frame) -> None:
    refused(
        hive(A=frame(y_5d_of_10d=pl.int_range(40))),
        "target 'y_5d_of_10d': its name holds several horizons (5d, 10d); set data.targets.y_5d_of_10d.horizon",
    )


def test_impossible_horizon_in_config(hive: Hive, frame: Frame) -> None:
    config = DataConfig(targets={"y_up_5d": TargetConfig(horizon="soon")})
    refused(
        hive(A=frame()),
        "data.targets.y_up_5d.horizon: expected a number and one of s, m, h, d, w",
        error=ConfigError,
        config=config,
    )


def test_impossible_interval_in_config(hive: Hive, frame: Frame) -> None:
    refused(
        hive(A=frame()),
        "data.bar_interval: expected a number",
        error=ConfigError,
        config=DataConfig(bar_interval="daily"),
    )


def test_mixed_intervals(hive: Hive, frame: Frame) -> None:
    weekly = frame(200).gather_every(7)
    refused(hive(A=frame(200), B=weekly), "mixed bar intervals: expected 1d, got B 7d")
    refused(
        hive(C=frame(200)),
        "expected data.bar_interval 1h, got C 1d",
        symbols=["C"],
        config=DataConfig(bar_interval="1h"),
    )


def test_symbol_without_rows(hive: Hive, frame: Frame) -> None:
    refused(hive(A=frame(), B=frame()[:0]), "B.parquet: symbol 'B' has no rows")


def test_long_file_without_rows_or_symbols(tmp_path: Path, frame: Frame) -> None:
    table = frame().with_columns(symbol=pl.lit("A"))
    table[:0].write_parquet(tmp_path / "all.parquet")
    refused(tmp_path, "all.parquet: no rows")
    table.with_columns(symbol=pl.when(pl.int_range(40) > 1).then("symbol")).write_parquet(tmp_path / "all.parquet")
    refused(tmp_path, "all.parquet: column 'symbol' has 2 empty symbols")


@pytest.mark.parametrize("long", [True, False])
def test_absent_symbol(tmp_path: Path, frame: Frame, *, long: bool) -> None:
    table = frame().with_columns(symbol=pl.lit("AAPL"))
    (table if long else table.drop("symbol")).write_parquet(tmp_path / "AAPL.parquet")
    refused(tmp_path, "unknown symbol 'APPL'; did you mean 'AAPL'?", error=UnknownNameError, symbols=["APPL", "AAPL"])
    with pytest.raises(UnknownNameError, match="unknown symbol 'APPL'"):
        load_bars(tmp_path, DataConfig(raw_columns=("mom",)), "APPL")


def test_unknown_target_and_feature(hive: Hive, frame: Frame) -> None:
    data_dir = hive(A=frame())
    refused(data_dir, "unknown target 'y_up_5'; did you mean 'y_up_5d'?", error=UnknownNameError, targets=["y_up_5"])
    refused(data_dir, "unknown feature 'mum'; did you mean 'mom'?", error=UnknownNameError, features=["mum"])


def test_target_in_config_that_does_not_exist(hive: Hive, frame: Frame) -> None:
    data_dir = hive(A=frame())
    refused(
        data_dir,
        "data.targets.y_down_5d: unknown column",
        error=ConfigError,
        config=DataConfig(targets={"y_down_5d": TargetConfig()}),
    )
    refused(
        data_dir,
        "data.targets.ahead.source: unknown column 'mum'; did you mean 'mom'?",
        error=ConfigError,
        config=DataConfig(targets={"ahead": TargetConfig(source="mum", shift_bars=2)}),
    )
    refused(
        data_dir,
        "data.targets.vol: is a column already",
        error=ConfigError,
        config=DataConfig(targets={"vol": TargetConfig(source="mom", shift_bars=2)}),
    )


def test_no_bars(hive: Hive, frame: Frame) -> None:
    with pytest.raises(DataError, match=r"A.parquet: no column that all files have among .*open"):
        load_bars(hive(A=frame()), DataConfig(), "A")


def test_duplicate_bars(hive: Hive, bars: Frame) -> None:
    table = bars(5, ("A",)).drop("symbol")
    with pytest.raises(DataError, match="symbol 'A' has two rows at 2020-01-02 00:00:00 UTC"):
        load_bars(hive(A=pl.concat([table, table[1:2]])), DataConfig(), "A")
