"""Rules that answer otherwise in another plan, and whether the metric or the threshold did it.

A side loses or gains a state only where a rule of the gates, or of the better of the two states, answers otherwise.
Each such rule is asked four times: old and new evidence under old and new settings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.records.vocabulary import Mode, SignalState
from trainroute.route.between import choice_checks, serving_checks
from trainroute.route.checks import Check, Level
from trainroute.route.rules import checks_of
from trainroute.route.states import state_of
from trainroute.route.table import OK

Side = Literal["pooled", "local", "between"]
_RANKS = {SignalState.DISALLOWED: 0, SignalState.EXPERIMENTAL: 1, SignalState.WEAK_BUT_OK: 2, SignalState.STRONG: 3}
_STATE_LEVEL = {1: Level.EXPERIMENTAL, 2: Level.WEAK_BUT_OK, 3: Level.STRONG}
_ALWAYS = pl.lit(value=True)

CROSSING_SCHEMA: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "side": pl.String(),
    "rule": pl.String(),
    "metric": pl.String(),
    "key": pl.String(),
    "by": pl.String(),
    "value_before": pl.String(),
    "value_after": pl.String(),
    "threshold_before": pl.String(),
    "threshold_after": pl.String(),
    "numeric": pl.Boolean(),
}


@dataclass(frozen=True)
class Evidence:
    """Rows of facts under some settings: what one plan's rules see."""

    frame: pl.DataFrame
    provided: frozenset[str]
    config: RoutingConfig


class Four(NamedTuple):
    """The same rows four times: evidence before or after, under settings before or after."""

    before: Evidence
    before_under_new: Evidence
    after_under_old: Evidence
    after: Evidence


def state_crossings(side: Side, four: Four, *, coarse: pl.Series) -> pl.DataFrame:
    """Return the rules that changed the state of one side.

    Parameters
    ----------
    side : {"pooled", "local"}
    four : Four
    coarse : polars.Series
        Boolean, per row: STRONG and WEAK_BUT_OK are one, as for the route.

    Returns
    -------
    polars.DataFrame
        One row per crossed rule, columns of `CROSSING_SCHEMA`; ``row`` is the row of the frames, ``by`` is ``metric``,
        ``config`` or ``both``.
    """
    mode = Mode.CROSS_SECTIONAL if side == "pooled" else Mode.SYMBOL
    rules = [checks_of(mode, seen.config, seen.provided) for seen in four]
    old, new = (
        _ranks(seen.frame, checks, coarse) for seen, checks in ((four.before, rules[0]), (four.after, rules[3]))
    )
    better = pl.select(pl.max_horizontal(old, new)).to_series()
    moved = old != new
    relevant = {level: moved & (better == rank) for rank, level in _STATE_LEVEL.items()} | {Level.GATE: moved}
    return _crossed(side, four, rules, relevant)


def between_crossings(four: Four, *, served: pl.Series, both_good: pl.Series) -> pl.DataFrame:
    """Return the rules between the two sides that answer otherwise, where they matter.

    Parameters
    ----------
    four : Four
    served : polars.Series
        Boolean, per row: the state that the pool has for the symbol changed.
    both_good : polars.Series
        Boolean, per row: both sides are STRONG or WEAK_BUT_OK in both plans.
    """
    rules = [[*serving_checks(seen.config, seen.provided), *choice_checks(seen.config, seen.provided)] for seen in four]
    return _crossed("between", four, rules, {Level.POOL: served, Level.CHOICE: both_good})


def good(states: pl.Series) -> pl.Series:
    """Whether states are STRONG or WEAK_BUT_OK."""
    return states.is_in(OK)


def _ranks(frame: pl.DataFrame, checks: Sequence[Check], coarse: pl.Series) -> pl.Series:
    ranks = {state.value: rank for state, rank in _RANKS.items()}
    exact = frame.select(state_of(checks).replace_strict(ranks, return_dtype=pl.Int64)).to_series()
    return pl.select(pl.when(coarse).then(exact.clip(0, 2)).otherwise(exact)).to_series()


def _crossed(
    side: Side, four: Four, rules: Sequence[Sequence[Check]], relevant: dict[Level, pl.Series]
) -> pl.DataFrame:
    by_name = [{(check.level, check.key, check.label): check for check in checks} for checks in rules]
    found = []
    for name in by_name[3] | by_name[0]:
        if name[0] not in relevant:
            continue
        checks = [named.get(name) for named in by_name]
        old, config_only, metric_only, new = (
            _column(seen.frame, _ALWAYS if check is None else check.passes)
            for seen, check in zip(four, checks, strict=True)
        )
        crossed = (old != new) & relevant[name[0]]
        if crossed.any():
            by = _moved_by(metric_only == new, config_only == new)
            found.append(_described(side, four, checks[0], checks[3], by).filter(crossed))
    return pl.concat(found) if found else pl.DataFrame(schema=CROSSING_SCHEMA)


def _moved_by(metric: pl.Series, config: pl.Series) -> pl.Expr:
    alone = pl.when(metric & ~config).then(pl.lit("metric")).when(config & ~metric).then(pl.lit("config"))
    return alone.otherwise(pl.lit("both"))


def _described(side: Side, four: Four, old: Check | None, new: Check | None, by: pl.Expr) -> pl.DataFrame:
    check, nothing = new or old, pl.lit(None, pl.String)
    if check is None:
        raise TypeError("a rule of neither plan")
    parts = {
        f"{part}_{when}": _column(frame, nothing if rule is None else getattr(rule, part).cast(pl.String))
        for when, frame, rule in (("before", four.before.frame, old), ("after", four.after.frame, new))
        for part in ("value", "threshold")
    }
    return (
        pl.DataFrame(parts)
        .with_row_index("row")
        .select(
            "row",
            side=pl.lit("pooled" if side == "pooled" else "local"),
            rule=pl.lit(check.label),
            metric=pl.lit(check.column, pl.String),
            key=pl.lit(check.key, pl.String),
            by=by,
            value_before="value_before",
            value_after="value_after",
            threshold_before="threshold_before",
            threshold_after="threshold_after",
            numeric=pl.lit(check.margin is not None),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in CROSSING_SCHEMA.items())
    )


def _column(frame: pl.DataFrame, expression: pl.Expr) -> pl.Series:
    """Return an expression as a series of the frame's height, constants too."""
    return frame.with_columns(expression.alias("column")).get_column("column")
