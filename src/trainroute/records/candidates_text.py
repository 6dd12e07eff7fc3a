"""Candidates tables as text: CSV and JSON rows to typed columns, and lists to CSV cells.

Text says less than a typed file: a number may be no number, an empty cell may be a name. What does not fit is noted
as a fault of its row, never guessed.
"""

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import polars as pl

from trainroute.records.candidates import COLUMNS
from trainroute.records.candidates_checks import Faults, faults_where
from trainroute.records.frames import list_column
from trainroute.records.vocabulary import Mode

_KINDS: dict[pl.DataType, tuple[frozenset[type], str]] = {
    pl.String(): (frozenset({str, type(None)}), "text"),
    pl.Float64(): (frozenset({float, int, type(None)}), "a number"),
    pl.Int64(): (frozenset({float, int, type(None)}), "a whole number"),
    pl.List(pl.String()): (frozenset({list, type(None)}), "a list of names"),
}
"""What JSON must hold for a column: types as the decoder makes them, so that a boolean is no number."""


def columns_of_csv(data: bytes) -> tuple[pl.DataFrame, list[Faults]]:
    """Parse a CSV by the types of the contract: symbols keep their leading zeros, whatever they look like.

    Raises
    ------
    PolarsError
        If it is not a CSV.
    """
    frame = pl.read_csv(data, infer_schema=False, truncate_ragged_lines=True)
    faults = [Faults(name, "stands there twice", 1) for name in _repeated(frame)]
    faults += _ragged(data, frame.columns)
    if "symbol" in frame.columns:
        # A quoted empty cell is a name only where the row says that it is a symbol's.
        mode = pl.col("mode").str.strip_chars().str.to_uppercase() if "mode" in frame.columns else pl.lit(None)
        named = (pl.col("symbol") != "") | mode.eq_missing(pl.lit(Mode.SYMBOL.value))
        frame = frame.with_columns(symbol=pl.when(named).then("symbol"))
    return pl.DataFrame([_parsed(column, faults) for column in frame.iter_columns()]), faults


def columns_of_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, list[Faults]]:
    """Turn row objects into columns; a key that a row does not have is null there."""
    faults: list[Faults] = []
    columns: list[pl.Series] = []
    for name in dict.fromkeys(chain.from_iterable(dict.fromkeys(map(tuple, rows)))):
        values = [row.get(name) for row in rows]
        dtype = COLUMNS.get(name)
        if dtype is None:
            columns.append(pl.Series(name, [None] * len(rows), dtype=pl.String))
            continue
        kinds, expected = _KINDS[dtype]
        found = {*map(type, values)}
        if not found <= kinds or (found & {int, list} and not all(map(_fits, values))):
            fits = [type(value) in kinds and _fits(value) for value in values]
            cells = pl.Series(name, [repr(value) for value in values])
            faults.append(faults_where(cells, ~pl.Series(fits), f"is not {expected}"))
            values = [value if fit else None for value, fit in zip(values, fits, strict=True)]
        if isinstance(dtype, pl.List):
            columns.append(list_column(name, values))
        else:
            columns.append(pl.Series(name, values, dtype=pl.Float64() if dtype == pl.Int64 else dtype, strict=False))
    return pl.DataFrame(columns), faults


def _fits(value: object) -> bool:
    """Whether a list holds names alone, and a whole number is no larger than a float can be."""
    if type(value) is list:
        return all(type(name) is str for name in value)
    return type(value) is not int or abs(value) <= sys.float_info.max


def flattened(frame: pl.DataFrame) -> pl.DataFrame:
    """Write lists as JSON arrays, so that an empty list and no list differ in a CSV."""
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    return frame.with_columns(
        pl.when(pl.col(name).is_not_null())
        .then(pl.struct(pl.col(name).alias("l")).struct.json_encode().str.slice(5).str.head(-1))
        .alias(name)
        for name in lists
    )


def _repeated(frame: pl.DataFrame) -> list[str]:
    """Return columns that the header names twice; Polars renames the second."""
    names = (name.rsplit("_duplicated_", maxsplit=1)[0] for name in frame.columns if name not in COLUMNS)
    return sorted(set(names) & COLUMNS.keys())


def _ragged(data: bytes, header: Sequence[str]) -> list[Faults]:
    """Find rows with another number of cells than the header; Polars would fill them up or cut them off."""
    try:
        lengths = [len(row) for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))]
    except csv.Error as error:
        return [Faults(header[0], f"cannot be read as CSV: {error}", 1)]
    odd = [(number, length) for number, length in enumerate(lengths) if length not in (0, len(header))]
    if not odd:
        return []
    number, length = odd[0]
    text = f"cells in this row, expected {len(header)}"
    return [Faults(header[min(length, len(header) - 1)], text, len(odd), ((number, length),))]


def _parsed(text: pl.Series, faults: list[Faults]) -> pl.Series:
    dtype = COLUMNS.get(text.name, pl.String())
    if dtype == pl.String:
        return text
    if isinstance(dtype, pl.List):
        named = [_names(cell) for cell in text]
        bad = pl.Series([cell is not None and names is None for cell, names in zip(text, named, strict=True)])
        faults.append(faults_where(text, bad, 'is not a list of names, such as ["A", "B"] or A;B'))
        return list_column(text.name, named)
    trimmed = text.str.strip_chars()
    numbers = trimmed.cast(pl.Float64, strict=False)
    bad = numbers.is_null() & trimmed.is_not_null() & (trimmed != "")
    faults.append(faults_where(text, bad, "is not a number"))
    return numbers


def _names(cell: str | None) -> list[str] | None:
    """Read a list of names from a CSV cell: a JSON array, or names between semicolons; None where it is neither."""
    if cell is None:
        return None
    try:
        return msgspec.json.decode(cell, type=list[str])
    except (msgspec.DecodeError, msgspec.ValidationError):
        json = cell.strip().startswith(("[", "{", '"'))
        return None if json else [name.strip() for name in cell.split(";") if name.strip()]
