"""Read the rows of each symbol: times, numbers and recorded label ends, checked and ascending in time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainroute.errors import DataError, bounded
from trainroute.panel.columns import Columns
from trainroute.panel.repairs import Repairs
from trainroute.panel.sources import Source, require_known, symbol_column
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
    features : ndarray of shape (n_rows, n_features), float32, C order
        NaN where missing, never infinite.
    sources : dict of str to ndarray of shape (n_rows,), float32
        The columns that targets are made of; NaN where missing, never infinite.
    label_ends : dict of str to ndarray of shape (n_rows,), int64
        ``Columns.label_ends`` in µs; -1 where unknown.
    """

    symbol: str
    time: NDArray[np.int64]
    features: NDArray[np.float32]
    sources: dict[str, NDArray[np.float32]]
    label_ends: dict[str, NDArray[np.int64]]


class SymbolReader:
    """Reads the symbols one after the other, sorted by name; long files are read first, as a whole.

    Raises
    ------
    DataError
        If a file cannot be read, a symbol has no rows, a time is missing or stands twice, or a value is no number or
        infinite.
    UnknownNameError
        If an asked-for symbol is in no file.
    """

    def __init__(
        self,
        sources: Sequence[tuple[Source, pl.Schema]],
        columns: Columns,
        symbols: Sequence[str] | None,
        repairs: Repairs,
    ) -> None:
        self._columns = columns
        self._repairs = repairs
        self._pieces: dict[str, list[pl.DataFrame]] = defaultdict(list)
        self._files: dict[str, list[tuple[Source, pl.Schema]]] = defaultdict(list)
        for source, schema in sources:
            if source.symbol is not None:
                self._files[source.symbol].append((source, schema))
                continue
            for symbol, piece in _read_long(source, schema, columns, symbols, repairs).items():
                self._pieces[symbol].append(piece)
                self._files[symbol].append((source, schema))
        require_known(sorted(symbols or ()), set(self._files))
        if not self._files:
            raise DataError(
                f"{bounded([str(source.path) for source, _ in sources])}: no rows; expected some of any symbol"
            )

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[SymbolFrame]:
        for symbol in sorted(self._files):
            whence = self._files[symbol]
            own = [
                _read(source, schema, self._columns, self._repairs)
                for source, schema in whence
                if source.symbol is not None
            ]
            pieces = [*self._pieces.pop(symbol, []), *own]
            yield _assemble(symbol, pieces, self._columns, [source for source, _ in whence], self._repairs)


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
    numbers = pl.col(columns.values).cast(pl.Float32)
    ends = pl.col(columns.label_ends).cast(pl.Datetime("us")).to_physical().fill_null(-1)
    selected = scan.select(pl.col(time).alias(_TIME), *([] if symbol is None else [symbol]), numbers, ends)
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
    return SymbolFrame(
        symbol=symbol,
        time=time,
        features=_finite(_matrix(frame, columns.features), columns.features, symbol, where),
        sources=_source_values(frame, columns, symbol, where),
        label_ends={name: frame[name].to_numpy() for name in columns.label_ends},
    )


def _source_values(frame: pl.DataFrame, columns: Columns, symbol: str, where: str) -> dict[str, NDArray[np.float32]]:
    names = list(dict.fromkeys(target.source for target in columns.targets))
    values = _finite(_matrix(frame, names), names, symbol, where)
    return {name: values[:, k] for k, name in enumerate(names)}


def _matrix(frame: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    if not names:
        return np.empty((len(frame), 0), dtype=np.float32)
    return np.ascontiguousarray(frame.select(names).to_numpy(order="c"), dtype=np.float32)


def _finite(values: NDArray[np.float32], names: Sequence[str], symbol: str, where: str) -> NDArray[np.float32]:
    infinite = np.flatnonzero(np.isinf(values).any(axis=0))
    if len(infinite):
        raise DataError(
            f"{where}: column {names[int(infinite[0])]!r} of symbol {symbol!r} is infinite or beyond float32; "
            "expected finite numbers or null"
        )
    return values
