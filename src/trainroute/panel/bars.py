"""Read raw bars (open, high, low, close, volume, vwap) as they are stored."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from trainroute.config.schema import DataConfig
from trainroute.errors import DataError, bounded
from trainroute.panel.sources import Source, find_sources, require_known, symbol_column
from trainroute.panel.timeline import time_columns, to_microseconds

TIME = "ts"
SYMBOL = "symbol"
TIME_TYPE = pl.Datetime("us", "UTC")


def load_bars(data_dir: Path, config: DataConfig, symbol: str) -> pl.DataFrame:
    """Read the raw bars of one symbol of a data directory.

    Returns
    -------
    DataFrame
        ``ts`` (UTC), ascending, and those of ``config.raw_columns`` that the files have, as Float32 or Float64 as
        stored.

    Raises
    ------
    DataError
        If the files hold none of them, or cannot be read.
    UnknownNameError
        If the symbol is not in the data.
    """
    return read_bar_columns(data_dir, config.raw_columns, [symbol]).drop(SYMBOL)


def read_bar_columns(data: Path, names: Sequence[str], symbols: Sequence[str] | None = None) -> pl.DataFrame:
    """Read the columns ``names``, whatever their case, of those that all files have.

    Parameters
    ----------
    data : Path
        A data directory, or one file.
    names : sequence of str
        In lower case.
    symbols : sequence of str, optional
        Only these.

    Returns
    -------
    DataFrame
        ``symbol``, ``ts`` (UTC) and the columns found, in the order of ``names``, sorted by symbol and time.

    Raises
    ------
    DataError
        If no such column is in all files, a time is missing or stands twice, or a value is no number.
    UnknownNameError
        If an asked-for symbol is not in the data.
    """
    sources = [(source, source.schema) for source in find_sources(data, symbols)]
    held = [{column.casefold() for column in schema} for _, schema in sources]
    found = [name for name in names if all(name in columns for columns in held)]
    if not found:
        raise DataError(
            f"{sources[0][0].path}: no column that all files have among {bounded(names, limit=8)}; "
            f"got {bounded(sources[0][1], limit=6)}"
        )
    pieces = [_read(source, schema, found, symbols) for source, schema in sources]
    frame = pl.concat(pieces, how="vertical_relaxed").sort(SYMBOL, TIME)
    require_known(sorted(symbols or ()), set(frame[SYMBOL].unique()))
    twice = frame.filter(pl.struct(SYMBOL, TIME).is_duplicated()).head(1)
    if len(twice):
        raise DataError(
            f"{data}: symbol {twice[SYMBOL][0]!r} has two rows at {twice[TIME][0]:%Y-%m-%d %H:%M:%S} UTC; "
            "expected one row per (symbol, time)"
        )
    return frame


def _read(source: Source, schema: pl.Schema, names: Sequence[str], symbols: Sequence[str] | None) -> pl.DataFrame:
    original = {column.casefold(): column for column in schema}
    time = time_columns(schema, source.path)[0]
    column = symbol_column(schema)
    symbol = pl.col(column or "").cast(pl.String) if source.symbol is None else pl.lit(source.symbol)
    scan = source.scan()
    if symbols is not None and source.symbol is None:
        scan = scan.filter(symbol.is_in(sorted(set(symbols))))
    numbers = [
        pl.col(original[name]).cast(pl.Float32 if schema[original[name]] == pl.Float32 else pl.Float64).alias(name)
        for name in names
    ]
    frame = source.reading(scan.select(symbol.alias(SYMBOL), pl.col(time).alias(TIME), *numbers).collect)
    moments = to_microseconds(frame[TIME].alias(time), source.path).cast(TIME_TYPE)
    return frame.with_columns(moments.alias(TIME))
