"""Raw bars made fit for features: positive prices, no gaps in a row, one interval."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from trainroute.errors import DataError, UsageError
from trainroute.panel.bars import SYMBOL, TIME, read_bar_columns
from trainroute.panel.durations import format_duration, parse_duration
from trainroute.panel.prepare.group import BarFacts
from trainroute.panel.repairs import Repairs
from trainroute.panel.timeline import bar_interval

BAR_COLUMNS = ("open", "high", "low", "close", "volume", "vwap")


def read_bars(source: Path, symbols: Sequence[str] | None, repairs: Repairs) -> pl.DataFrame:
    """Read bars of a directory or a file and clean them.

    Returns
    -------
    DataFrame
        ``symbol``, ``ts`` and those of the bar columns that all files have, sorted by symbol and time.

    Raises
    ------
    DataError
        If there is no close, or anything that ``read_bar_columns`` refuses.
    """
    return clean_bars(read_bar_columns(source, BAR_COLUMNS, symbols), source, repairs)


def clean_bars(bars: pl.DataFrame, source: Path, repairs: Repairs) -> pl.DataFrame:
    """Leave out bars without a positive close; take other impossible values for missing."""
    if "close" not in bars.columns:
        raise DataError(f"{source}: no column 'close' that all files have; expected bars with at least ts and close")
    columns = [name for name in BAR_COLUMNS if name in bars.columns]
    prices = [name for name in columns if name != "volume"]
    valid = [pl.when(pl.col(name).is_finite() & (pl.col(name) > 0)).then(pl.col(name)).alias(name) for name in prices]
    if "volume" in columns:
        volume = pl.col("volume")
        valid.append(pl.when(volume.is_finite() & (volume >= 0)).then(volume))
    cleaned = bars.with_columns(valid)
    missing = cleaned.null_count().row(0, named=True)
    empty = [name for name in columns if missing[name] == len(cleaned)]
    if "close" in empty:
        raise DataError(f"{source}: no bar has a positive close; expected prices")
    repairs.note("empty columns left out", empty)
    odd = [f"{name} ({missing[name]})" for name in columns if missing[name] and name not in {"close", *empty}]
    repairs.note("impossible or missing values taken for missing, in", odd)
    without = cleaned.filter(pl.col("close").is_null())[SYMBOL].unique().sort()
    repairs.note("bars without a positive close left out, of", without)
    return cleaned.filter(pl.col("close").is_not_null()).drop(empty)


def resample_bars(bars: pl.DataFrame, every: str) -> tuple[pl.DataFrame, int]:
    """Gather bars to longer ones; a bar's time is that of its beginning, ``[ts, ts + every)``.

    Returns
    -------
    DataFrame
    int
        The new interval (µs).

    Raises
    ------
    UsageError
        If ``every`` is no multiple of the bars' interval.
    """
    interval_us = bar_facts(bars).interval_us
    try:
        every_us = parse_duration(every)
    except ValueError as error:
        raise UsageError(f"resample: {error}") from None
    if every_us % interval_us:
        raise UsageError(f"resample {every}: expected a multiple of the bar interval {format_duration(interval_us)}")
    column = {name: pl.col(name) for name in BAR_COLUMNS if name in bars.columns}
    gathered = {
        "open": pl.col("open").drop_nulls().first(),
        "high": pl.col("high").max(),
        "low": pl.col("low").min(),
        "close": pl.col("close").last(),
        "volume": pl.col("volume").sum(),
        "vwap": _weighted_vwap("volume" in column),
    }
    grouped = bars.group_by_dynamic(TIME, every=f"{every_us}us", group_by=SYMBOL)
    return grouped.agg(**{name: gathered[name] for name in column}), every_us


def bar_facts(bars: pl.DataFrame, interval_us: int | None = None) -> BarFacts:
    """Return what is known of the bars; an interval that is not given is inferred and checked."""
    times = {str(part[SYMBOL][0]): part[TIME].to_physical().to_numpy() for part in bars.partition_by(SYMBOL)}
    return BarFacts(
        columns=frozenset(BAR_COLUMNS).intersection(bars.columns),
        interval_us=bar_interval(times, None) if interval_us is None else interval_us,
        n_symbols=len(times),
    )


def _weighted_vwap(has_volume: bool) -> pl.Expr:  # noqa: FBT001 - one private caller
    vwap = pl.col("vwap")
    if not has_volume:
        return vwap.mean()
    weight = pl.col("volume") + 1e-9
    return (vwap * weight).sum() / (weight * vwap.is_not_null()).sum()
