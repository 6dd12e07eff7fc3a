"""One definition of a nested record: the msgspec type says what the Polars columns and the JSON look like."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain
from operator import attrgetter
from types import NoneType
from typing import Any, get_args, get_type_hints

import msgspec
import polars as pl

from trainroute.parallel import streamed
from trainroute.records.plan import Record

SLICE_ROWS = 1024
"""Rows that are written as text at once: about a megabyte, which stays in the cache and in memory used again."""

_SCALARS: dict[object, pl.DataType] = {
    str: pl.String(),
    float: pl.Float64(),
    int: pl.Int64(),
    bool: pl.Boolean(),
}


def record_schema(record: type[Record], *, without: Collection[str] = ()) -> dict[str, pl.DataType]:
    """Return the columns of a record, sorted by name at every level as in canonical JSON."""
    hints = get_type_hints(record)
    return {name: _dtype(hints[name]) for name in sorted(record.__struct_fields__) if name not in without}


def table_of(records: Sequence[Record], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Lay out records as a table, one row each.

    Parameters
    ----------
    records : sequence of Record
    schema : mapping of str to polars.DataType
        Their columns, see `record_schema`.

    Raises
    ------
    msgspec.ValidationError
        If a whole number is too large for a column.
    """
    if not records:
        return pl.DataFrame(schema=dict(schema))
    return pl.DataFrame([_column(name, list(map(attrgetter(name), records)), dtype) for name, dtype in schema.items()])


def _column(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    if isinstance(dtype, pl.Struct):
        return table_of(values, dtype.to_schema()).to_struct(name)
    if isinstance(dtype, pl.List):
        return list_column(name, values)
    try:
        return pl.Series(name, values, dtype=dtype)
    except TypeError:
        raise msgspec.ValidationError(f"a number in {name!r} is too large") from None


def list_column(name: str, values: Sequence[Sequence[str] | None]) -> pl.Series:
    """Return a column of lists of text; from one flat column, as Polars takes a list of lists apart one by one."""
    dtype = pl.List(pl.String())
    flat = pl.Series(name, list(chain.from_iterable(value or () for value in values)), dtype=pl.String)
    rows = pl.Series("row", [row for row, value in enumerate(values) for _ in value or ()], dtype=pl.Int64)
    lists = pl.DataFrame([rows, flat]).group_by("row", maintain_order=True).agg(name)
    known = pl.Series("known", [value is not None for value in values], dtype=pl.Boolean)
    every = pl.DataFrame([pl.int_range(len(values), dtype=pl.Int64, eager=True).alias("row"), known])
    found = every.join(lists, on="row", how="left", maintain_order="left")
    filled = pl.col(name).cast(dtype).fill_null(pl.lit([], dtype))
    return found.select(pl.when("known").then(filled).alias(name)).to_series()


def record_columns(record: type[Record]) -> list[pl.Expr]:
    """Return expressions that build the columns of a record from flat columns of the same names as its fields."""
    return [pl.col(name).cast(dtype) for name, dtype in record_schema(record).items()]


def nested(record: type[Record], name: str) -> pl.Expr:
    """Return the struct column of a record, built from flat columns of the same names as its fields."""
    return pl.struct(record_columns(record)).alias(name)


def json_text(columns: Iterable[str]) -> pl.Expr:
    """Return each row's columns as the text of a canonical JSON object."""
    return pl.struct(sorted(columns)).struct.json_encode()


def json_members(columns: Iterable[str]) -> pl.Expr:
    """Return each row's columns as the members of a canonical JSON object, without its braces."""
    return json_text(columns).str.slice(1).str.head(-1)


def json_string(column: str) -> pl.Expr:
    """Return each row's text as a JSON string."""
    return pl.struct(pl.col(column).alias("k")).struct.json_encode().str.slice(len('{"k":')).str.head(-1)


def encoded(frame: pl.DataFrame, line: pl.Expr, *, between: str = ",\n") -> Iterator[bytes]:
    """Write a table as text, one line per row, in slices.

    Parameters
    ----------
    frame : polars.DataFrame
    line : polars.Expr
        The text of one row.
    between : str
        What stands between the lines of a slice.
    """
    text = line.str.join(between).cast(pl.Binary)
    return streamed(lambda part: bytes(part.select(text).item()), frame.iter_slices(SLICE_ROWS))


def _dtype(hint: object) -> pl.DataType:
    options = [option for option in get_args(hint) if option is not NoneType]
    if isinstance(hint, type) and issubclass(hint, Record):
        return pl.Struct(record_schema(hint))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return pl.String()
    if hint in _SCALARS:
        return _SCALARS[hint]
    if getattr(hint, "__origin__", None) is tuple:
        return pl.List(_dtype(options[0]))
    if len(options) == 1:
        return _dtype(options[0])
    raise TypeError(f"no column type for {hint!r}")
