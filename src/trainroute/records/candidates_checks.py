"""Check a candidates table that anyone may have written: every fault at once, each with row and column.

1. Every known column is brought to its type (`_typed`); what cannot be is a fault of its row.
2. NaN becomes null (no evidence), enumerations lose their case, a missing mode follows from the symbol.
3. Values that cannot be are faults: infinities, scores outside [0, 1], negative counts, unknown words, two rows for
   one (target, symbol, mode).

A *missing column* is not a fault: it means "not known" (SPEC section 4). Rows are counted from 1, without the header.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import polars as pl

from trainroute.errors import CandidatesError, bounded
from trainroute.records.candidates import COLUMNS, REQUIRED_COLUMNS, Candidates
from trainroute.records.vocabulary import LeakageStatus, Mode, StabilityCategory, Task

logger = logging.getLogger("trainroute")

UNIT_SCORES = (
    "score",
    "score_ci_low",
    "score_ci_high",
    "score_shrunk",
    "p_skill",
    "cs_score",
    "cs_score_shrunk",
    "p_cs_skill",
    "cs_score_within_date",
    "p_local_better",
)
COUNTS = ("sample_size", "n_blocks", "minority_events", "n_snapshots", "n_targets_considered")
NOT_NEGATIVE = ("delta_local_se", "std_overlap", "std_tau", "n_eff", "horizon_minutes")
LARGEST = 1e15
WORDS: dict[str, tuple[str, ...]] = {
    "mode": tuple(Mode),
    "stability": tuple(StabilityCategory),
    "leakage_status": tuple(LeakageStatus),
    "task_type": tuple(Task),
}
_ROW = "__row"
_NAMES = frozenset({"target", "symbol"})
_SHOWN = 5
_EXPECTED: dict[pl.DataType, str] = {
    pl.String(): "text",
    pl.Float64(): "numbers",
    pl.Int64(): "whole numbers",
    pl.List(pl.String()): "lists of text",
}


@dataclass(frozen=True)
class Faults:
    """The rows that break one rule of one column, the first of them with their value; no rows: the whole column."""

    column: str
    text: str
    count: int
    rows: tuple[tuple[int, object], ...] = ()

    def messages(self) -> Iterator[str]:
        """Write one message per row."""
        for row, value in self.rows:
            yield f"row {row}, column {self.column}: {value!r} {self.text}"
        if not self.rows:
            yield f"column {self.column}: {self.text}"


@dataclass(frozen=True)
class _Rule:
    """What is wrong with a cell: of a column that is there, and where ``bad`` holds (null: does not)."""

    column: str
    bad: pl.Expr
    text: str


def faults_where(cells: pl.Series, bad: pl.Series, text: str) -> Faults:
    """Note the rows of a column where ``bad`` holds (null: does not)."""
    rows = bad.fill_null(value=False).arg_true()
    shown = rows.head(_SHOWN).to_list()
    return Faults(cells.name, text, len(rows), tuple((row + 1, cells[row]) for row in shown))


def validate_candidates(
    frame: pl.DataFrame, source: str, *, found: Sequence[Faults] = (), warn: bool = True
) -> Candidates:
    """Check a candidates table and bring it to its form.

    Parameters
    ----------
    frame : polars.DataFrame
        At least ``target, symbol, score, sample_size``; any order of rows and columns. A pooled (CS) row has a null
        symbol.
    source : str
        What the table is called in messages, such as its path.
    found : sequence of Faults
        What the reader of a text file has found already.
    warn : bool
        Warn of columns that are not used; a reader that may still refuse the table does so itself.

    Raises
    ------
    CandidatesError
        One line that names the first faults by row and column, and how many there are.
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in frame.columns]
    if missing:
        raise CandidatesError(
            f"{source}: missing column {bounded(missing)}{_hint(frame.columns, missing)}; expected at least "
            f"{', '.join(REQUIRED_COLUMNS)}"
        )
    if frame.height == 0:
        raise CandidatesError(f"{source}: holds no rows; expected one per target and per (target, symbol)")
    provided = [name for name in COLUMNS if name in frame.columns]
    faults = list(found)
    typed = pl.DataFrame([_typed(frame[name], COLUMNS[name], faults) for name in provided])
    # What is no name makes no two rows the same.
    untyped = {fault.column for fault in faults if fault.count and (not fault.rows or fault.column in _NAMES)}
    typed = _normalised(typed)
    rules = (*_value_rules(typed), *_row_rules(typed))
    faults.extend(_broken(typed, (rule for rule in rules if untyped.isdisjoint(rule.bad.meta.root_names()))))
    _raise_for(faults, source)
    if warn:
        warn_of_unknown(frame, source)
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in COLUMNS.items() if name not in typed.columns]
    complete = typed.with_columns(absent)
    return Candidates(frame=complete, provided=frozenset({*provided, "mode"}))


def _hint(columns: Sequence[str], missing: Sequence[str]) -> str:
    """Say what looks like a missing column, or like another separator."""
    plain = {name.strip().casefold(): name for name in columns}
    near = [f"{plain[name]!r} is there" for name in missing if name in plain]
    separators = [repr(mark) for mark in (";", "\t", "|") if len(columns) == 1 and mark in columns[0]]
    said = near or [f"cells look separated by {mark}, expected commas" for mark in separators]
    return f" ({bounded(said)})" if said else ""


def warn_of_unknown(frame: pl.DataFrame, source: str) -> None:
    """Warn of the columns of a table that routing does not know."""
    unknown = [name for name in frame.columns if name not in COLUMNS]
    if unknown:
        logger.warning("%s: columns that routing does not know are not used: %s", source, bounded(unknown, limit=10))


def _raise_for(faults: Sequence[Faults], source: str) -> None:
    found = [fault for fault in faults if fault.count]
    if not found:
        return
    total = sum(fault.count for fault in found)
    of_each = zip_longest(*(fault.messages() for fault in found))  # the first of each kind, then the second ones
    messages = [message for some in of_each for message in some if message is not None][:_SHOWN]
    more = f"; … {total} faults in all" if total > len(messages) else ""
    raise CandidatesError(f"{source}: {'; '.join(messages)}{more}")


def _typed(column: pl.Series, dtype: pl.DataType, faults: list[Faults]) -> pl.Series:
    """Bring a column to its type; all null where it cannot be, with the fault noted."""
    given = column.dtype
    empty_lists = isinstance(dtype, pl.List) and given == pl.List(pl.Null)
    if empty_lists or (given in (dtype, pl.Null) and dtype not in (pl.Float64, pl.Int64)):
        lists = column.cast(dtype)
        if isinstance(dtype, pl.List):
            faults.append(
                faults_where(lists, lists.list.eval(pl.element().is_null()).list.any(), "holds an empty name")
            )
        return lists
    if dtype == pl.String and _is_text(column):
        return column.cast(pl.String)
    if given == pl.Null or (given.is_numeric() and dtype in (pl.Float64, pl.Int64)):
        numbers = column.cast(pl.Float64).fill_nan(None)
        return numbers if dtype == pl.Float64 else _whole(numbers, faults)
    faults.append(Faults(column.name, f"expected {_EXPECTED[dtype]}, got {given}", 1))
    return pl.Series(column.name, [None], dtype=dtype).new_from_index(0, len(column))


def _is_text(column: pl.Series) -> bool:
    return isinstance(column.dtype, pl.Categorical | pl.Enum) or (
        column.name == "timestamp" and column.dtype.is_temporal()
    )


def _whole(numbers: pl.Series, faults: list[Faults]) -> pl.Series:
    bad = (numbers != numbers.floor()) | (numbers.abs() > LARGEST)
    faults.append(faults_where(numbers, bad, "is not a count; expected a whole number or empty"))
    fit = pl.when(~bad).then(numbers).alias(numbers.name)
    return pl.select(fit).to_series().cast(pl.Int64)


def _normalised(frame: pl.DataFrame) -> pl.DataFrame:
    upper = [name for name in WORDS if name in frame.columns and name != "task_type"]
    frame = frame.with_columns(pl.col(name).str.strip_chars().str.to_uppercase() for name in upper)
    if "task_type" in frame.columns:
        frame = frame.with_columns(pl.col("task_type").str.strip_chars().str.to_lowercase())
    derived = pl.when(pl.col("symbol").is_null()).then(pl.lit(Mode.CROSS_SECTIONAL)).otherwise(pl.lit(Mode.SYMBOL))
    given = [pl.col("mode")] if "mode" in frame.columns else []
    return frame.with_columns(mode=pl.coalesce(*given, derived.cast(pl.String)))


def _broken(frame: pl.DataFrame, rules: Iterable[_Rule]) -> Iterator[Faults]:
    """Apply all rules to the whole table at once; look at the rows only of those that are broken."""
    applied = [rule for rule in rules if rule.column in frame.columns]
    counts = frame.select(rule.bad.fill_null(value=False).sum().alias(str(n)) for n, rule in enumerate(applied)).row(0)
    for rule, count in zip(applied, counts, strict=True):
        if count:
            yield faults_where(frame[rule.column], frame.select(rule.bad.alias(_ROW)).to_series(), rule.text)


def _value_rules(frame: pl.DataFrame) -> Iterator[_Rule]:
    for name, dtype in COLUMNS.items():
        if name in frame.columns and dtype == pl.Float64:
            infinite = "is infinite; expected a finite number or empty"
            yield _Rule(name, pl.col(name).is_infinite() | (pl.col(name).abs() > LARGEST), infinite)
    for name in UNIT_SCORES:
        outside = pl.col(name).is_finite() & ~pl.col(name).is_between(0.0, 1.0)
        yield _Rule(name, outside, "lies outside [0, 1]")
    delta = pl.col("delta_local")
    yield _Rule("delta_local", delta.is_finite() & (delta.abs() > 1.0), "lies outside [-1, 1]")
    for name in (*COUNTS, *NOT_NEGATIVE):
        yield _Rule(name, pl.col(name) < 0, "is negative")
    for name, words in WORDS.items():
        yield _Rule(name, ~pl.col(name).is_in(words), f"is unknown; expected {', '.join(words)}")


def _row_rules(frame: pl.DataFrame) -> Iterator[_Rule]:
    yield _Rule("target", pl.col("target").is_null(), "is no target; expected a name")
    pooled = pl.col("mode") == Mode.CROSS_SECTIONAL
    yield _Rule("symbol", pooled & pl.col("symbol").is_not_null(), f"stands in a {Mode.CROSS_SECTIONAL} row")
    nameless = (pl.col("mode") == Mode.SYMBOL) & pl.col("symbol").is_null()
    yield _Rule("symbol", nameless, f"stands in a {Mode.SYMBOL} row")
    if {"score_ci_low", "score_ci_high"} <= set(frame.columns):
        crossed = pl.col("score_ci_low") > pl.col("score_ci_high")
        yield _Rule("score_ci_low", crossed, "exceeds score_ci_high")
    if "task_type" in frame.columns:
        several = pl.col("task_type").drop_nulls().n_unique().over("target") > 1
        yield _Rule("task_type", several, "is not the only task of this target")
    if "minority_events" in frame.columns:
        more = pl.col("minority_events") > pl.col("sample_size")
        yield _Rule("minority_events", more, "exceeds sample_size")
    key = pl.struct("target", "symbol", "mode")
    repeated = "stands in more than one row with the same symbol and mode"
    yield _Rule("target", key.is_duplicated() & pl.col("target").is_not_null(), repeated)
