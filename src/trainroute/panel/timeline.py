"""The time of each row as int64 µs UTC, and the interval between bars."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainroute.errors import DataError, bounded
from trainroute.panel.durations import format_duration

TIME_COLUMNS = ("ts", "timestamp", "datetime", "date")
_EPOCH_UNITS: tuple[tuple[float, str, float], ...] = (
    (1e8, "s", 1e6),
    (1e11, "ms", 1e3),
    (1e14, "us", 1.0),
    (1e17, "ns", 1e-3),
)
_ISO_DATE = r"^\d{4}-\d{2}-\d{2}([T ]|$)"
_MIN_SHARE = 0.05
_MIN_DIFFERENCES = 20


def time_columns(schema: pl.Schema, path: Path) -> list[str]:
    """Return the columns that may hold the time, the one to use first.

    Raises
    ------
    DataError
        If there is none.
    """
    found = {name.casefold(): name for name in reversed(schema.names())}
    columns = [found[name] for name in TIME_COLUMNS if name in found]
    if not columns:
        raise DataError(
            f"{path}: no time column; expected one of {', '.join(TIME_COLUMNS)}, got {bounded(schema, limit=6)}"
        )
    return columns


def to_microseconds(time: pl.Series, path: Path) -> pl.Series:
    """Turn a time column into int64 µs since 1970, UTC.

    A time without zone is UTC. Text must be ISO 8601. Integers count s, ms, µs or ns since 1970, told apart by their
    size (unambiguous for the years 1974 to 5138).

    Raises
    ------
    DataError
        If a value is missing or is no time.
    """
    if time.null_count():
        raise DataError(
            f"{path}: column {time.name!r} has {time.null_count()} missing times; expected a time in each row"
        )
    if time.dtype == pl.String:
        time = _parse_text(time, path)
    elif time.dtype.is_integer():
        return _parse_epoch(time, path)
    if isinstance(time.dtype, pl.Datetime) or time.dtype == pl.Date:
        # The physical value of a zoned time counts from 1970 UTC already.
        return time.cast(pl.Datetime("us", getattr(time.dtype, "time_zone", None))).to_physical()
    raise DataError(f"{path}: column {time.name!r} has type {time.dtype}; expected a date, a time, or ISO 8601 text")


def _parse_text(time: pl.Series, path: Path) -> pl.Series:
    odd = time.filter(~time.str.contains(_ISO_DATE))
    if odd.is_empty():
        try:
            return time.str.to_datetime(time_unit="us", time_zone="UTC")
        except pl.exceptions.PolarsError:
            odd = time.filter(time.str.to_datetime(time_unit="us", time_zone="UTC", strict=False).is_null())
    example = repr(odd[0]) if len(odd) else "a mixture of formats"
    raise DataError(
        f"{path}: column {time.name!r} holds {example}; expected ISO 8601 such as 2024-01-31 or 2024-01-31T15:30:00Z"
    )


def _parse_epoch(time: pl.Series, path: Path) -> pl.Series:
    size = float(time.cast(pl.Float64).abs().median() or 0.0)  # type: ignore[arg-type]
    for lowest, unit, factor in reversed(_EPOCH_UNITS):
        if lowest <= size < lowest * 1e3:
            values = time.cast(pl.Int64)
            return values // 1000 if unit == "ns" else values * int(factor)
    raise DataError(
        f"{path}: column {time.name!r} holds integers around {size:.0f}, which are not s, ms, µs or ns since 1970; "
        "expected a date or a time"
    )


def bar_interval(times: Mapping[str, NDArray[np.int64]], configured_us: int | None) -> int:
    """Infer the interval between bars and check that all symbols share it.

    A symbol's own interval is the most frequent difference of its timestamps. The panel's is the smallest of them.
    Gaps are normal, so a symbol agrees if at least one difference in twenty is the panel's interval: a sparse
    1-minute symbol does, a 5-minute one does not. Symbols with fewer than 20 differences have no say, unless all
    are so short.

    Parameters
    ----------
    times : mapping of str to ndarray of shape (n_rows,), int64
        Strictly ascending timestamps (µs) of each symbol.
    configured_us : int or None
        The interval that config states.

    Raises
    ------
    DataError
        If no symbol has two rows and config states no interval, or symbols disagree with it or with each other.
    """
    differences = {symbol: np.diff(time) for symbol, time in times.items() if len(time) > 1}
    telling = {symbol: d for symbol, d in differences.items() if len(d) >= _MIN_DIFFERENCES} or differences
    own = {symbol: _most_frequent(difference) for symbol, difference in telling.items()}
    if configured_us is None and not own:
        raise DataError("no symbol has two rows, so the bar interval is unknown; set data.bar_interval")
    interval = min(own.values()) if configured_us is None else configured_us
    odd = [symbol for symbol in sorted(own) if not _agrees(telling[symbol], own[symbol], interval)]
    if odd:
        expected = "data.bar_interval " if configured_us else ""
        named = bounded([f"{symbol} {format_duration(own[symbol])}" for symbol in odd])
        raise DataError(
            f"mixed bar intervals: expected {expected}{format_duration(interval)}, got {named}; "
            "resample, or choose symbols that agree"
        )
    return interval


def _most_frequent(differences: NDArray[np.int64]) -> int:
    values, counts = np.unique(differences, return_counts=True)
    return int(values[np.argmax(counts)])


def _agrees(differences: NDArray[np.int64], own: int, interval: int) -> bool:
    return own == interval or (own > interval and bool(np.mean(differences == interval) >= _MIN_SHARE))
