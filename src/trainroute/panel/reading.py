"""Read the rows of each symbol: times, numbers and recorded label ends, checked and ascending in time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainroute.errors import DataError, UnknownNameError, bounded
from trainroute.panel.columns import Columns
from trainroute.panel.repairs import Repairs
from trainroute.panel.sources import Source, symbol_column
from trainroute.panel.timeline import time_columns, to_microseconds

_TIME = "\0time"
_SYMBOL = "\0symbol"


@dataclass(frozen=True, kw_only=True)
class SymbolFrame:
    """The rows of one symbol as read.

    Attributes
    ----------
    symbol : str
    time : ndarray of shape (n_rows,), int64
        µs, UTC, strictly ascending.
    values : DataFrame
        ``Columns.values`` as Float32; missing values are null, none is NaN or infinite.
    label_ends : DataFrame
        ``Columns.label_ends`` as int64 µs; null where unknown.
    """

    symbol: str
    time: NDArray[np.int64]
    values: pl.DataFrame
    label_ends: pl.DataFrame


def read_symbols(
    sources: Sequence[tuple[Source, pl.Schema]],
    columns: Columns,
    symbols: Sequence[str] | None,
    repairs: Repairs,
) -> Iterator[SymbolFrame]:
    """Read the symbols one after the other, sorted by name; long files are read first, as a whole.

    Raises
    ------
    DataError
        If a file cannot be read, a symbol has no rows, a time is missing or stands twice, or a value is no number or
        infinite.
    UnknownNameError
        If an asked-for symbol is in no file.
    """
    pieces: dict[str, list[pl.DataFrame]] = defaultdict(list)
    files: dict[str, list[tuple[Source, pl.Schema]]] = defaultdict(list)
    for source, schema in sources:
        if source.symbol is not None:
            files[source.symbol].append((source, schema))
            continue
        for symbol, piece in _read_long(source, schema, columns, symbols, repairs).items():
            pieces[symbol].append(piece)
            files[symbol].append((source, schema))
    for symbol in symbols or ():
        if symbol not in files:
            raise UnknownNameError("symbol", symbol, files)
    for symbol in sorted(files):
        own = [_read(source, schema, columns, repairs) for source, schema in files[symbol] if source.symbol is not None]
        whence = [source for source, _ in files[symbol]]
        yield _assemble(symbol, [*pieces.pop(symbol, []), *own], columns, whence, repairs)


def _read_long(
    source: Source, schema: pl.Schema, columns: Columns, symbols: Sequence[str] | None, repairs: Repairs
) -> dict[str, pl.DataFrame]:
    column = symbol_column(schema)
    if column is None:
        raise DataError(f"{source.path}: column 'symbol' is gone; the file changed while it was read")
    name = pl.col(column).cast(pl.String)
    wanted = None if symbols is None else name.is_in(sorted(set(symbols))) | name.is_null()
    frame = _read(source, schema, columns, repairs, symbol=name.alias(_SYMBOL), keep=wanted)
    if frame[_SYMBOL].null_count():
        raise DataError(f"{source.path}: column {column!r} has {frame[_SYMBOL].null_count()} empty symbols")
    parts = frame.partition_by(_SYMBOL, as_dict=True, include_key=False)
    return {str(key[0]): part for key, part in parts.items()}


def _read(
    source: Source,
    schema: pl.Schema,
    columns: Columns,
    repairs: Repairs,
    *,
    symbol: pl.Expr | None = None,
    keep: pl.Expr | None = None,
) -> pl.DataFrame:
    time, *others = time_columns(schema, source.path)
    repairs.note(f"time is read from {time!r}; left out", others)
    scan = source.scan() if keep is None else source.scan().filter(keep)
    numbers = [pl.col(name).cast(pl.Float32).fill_nan(None) for name in columns.values]
    ends = [pl.col(name).cast(pl.Datetime("us")).to_physical() for name in columns.label_ends]
    selected = scan.select(pl.col(time).alias(_TIME), *([] if symbol is None else [symbol]), *numbers, *ends)
    frame = source.reading(selected.collect)
    if schema[time].is_integer():
        repairs.note("integer times are read as a count since 1970, UTC, in", [source.relative])
    return frame.with_columns(to_microseconds(frame[_TIME].alias(time), source.path).alias(_TIME))


def _assemble(
    symbol: str, pieces: Sequence[pl.DataFrame], columns: Columns, sources: Sequence[Source], repairs: Repairs
) -> SymbolFrame:
    frame = pieces[0] if len(pieces) == 1 else pl.concat(pieces)
    where = bounded([str(source.path) for source in sources])
    if frame.is_empty():
        raise DataError(f"{where}: symbol {symbol!r} has no rows; give it rows or leave it out")
    time = frame[_TIME].to_numpy()
    if np.any(np.diff(time) < 0):
        if len(pieces) == 1:
            repairs.note("rows not in time order were sorted", [symbol])
        frame = frame.sort(_TIME, maintain_order=True)
        time = frame[_TIME].to_numpy()
    twice = np.flatnonzero(np.diff(time) == 0)
    if len(twice):
        moment = np.datetime64(int(time[twice[0]]), "us")
        raise DataError(
            f"{where}: symbol {symbol!r} has {len(twice)} duplicate times, the first {moment}; "
            "expected one row per (symbol, time)"
        )
    values = frame.select(columns.values)
    _refuse_infinite(values, symbol, where)
    return SymbolFrame(symbol=symbol, time=time, values=values, label_ends=frame.select(columns.label_ends))


def _refuse_infinite(values: pl.DataFrame, symbol: str, where: str) -> None:
    low, high = values.min(), values.max()
    for column in values.columns:
        if np.inf in (high[column][0], -(low[column][0] or 0.0)):
            raise DataError(
                f"{where}: column {column!r} of symbol {symbol!r} is infinite or beyond float32; "
                "expected finite numbers or null"
            )
