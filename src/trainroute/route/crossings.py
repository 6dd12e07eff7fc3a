"""Rules that answer otherwise in another plan, and what did it: the metric, the threshold, or what is held on to.

A side loses or gains a state only where a rule of the gates, or of the better of the two states, answers otherwise.
Each such rule is asked in every mixture of the two plans (`trainroute.route.factors`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.records.vocabulary import Mode, SignalState
from trainroute.route.between import choice_checks, serving_checks
from trainroute.route.checks import Check, Level
from trainroute.route.factors import Factor, Factors
from trainroute.route.facts import Facts
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
    **{f"by_{factor}": pl.Boolean() for factor in Factor},
    "value_before": pl.String(),
    "value_after": pl.String(),
    "threshold_before": pl.String(),
    "threshold_after": pl.String(),
    "numeric": pl.Boolean(),
}


@dataclass(frozen=True)
class Seen:
    """Rows of facts under some settings: what the rules of one plan, or of a mixture of two, see."""

    frame: pl.DataFrame
    provided: frozenset[str]
    config: RoutingConfig


class Rows:
    """The same rows as both plans see them, and every mixture of the two.

    Parameters
    ----------
    factors : Factors
    rows : callable
        What to look at of some facts; one row for each pair, in one order.
    """

    def __init__(self, factors: Factors, rows: Callable[[Facts], pl.DataFrame]) -> None:
        self.factors = factors
        self._mixtures = {
            mixture: _seen(rows, factors.facts(mixture), factors.config(mixture)) for mixture in factors.mixtures()
        }
        self.before, self.after = (_seen(rows, *plan) for plan in (factors.before, factors.after))

    def all(self) -> list[Seen]:
        """Return the mixtures that `Factors.blamed` asks for, and both plans last."""
        return [*self._mixtures.values(), self.before, self.after]

    def blamed(self, answers: Sequence[pl.Series]) -> pl.DataFrame:
        """Say which factors give the new answer; ``answers`` as of `all`."""
        by_mixture = dict(zip(self._mixtures, answers[:-2], strict=True))
        return self.factors.blamed(by_mixture.__getitem__)


def _seen(rows: Callable[[Facts], pl.DataFrame], facts: Facts, config: RoutingConfig) -> Seen:
    return Seen(frame=rows(facts), provided=facts.provided, config=config)


def state_crossings(side: Side, rows: Rows, *, coarse: pl.Series) -> pl.DataFrame:
    """Return the rules that changed the state of one side.

    Parameters
    ----------
    side : {"pooled", "local"}
    rows : Rows
    coarse : polars.Series
        Boolean, per row: STRONG and WEAK_BUT_OK are one, as for the route.

    Returns
    -------
    polars.DataFrame
        One row per crossed rule, columns of `CROSSING_SCHEMA`; ``row`` is the row of the frames, ``by_<factor>`` says
        what moved the rule.
    """
    mode = Mode.CROSS_SECTIONAL if side == "pooled" else Mode.SYMBOL
    rules = [checks_of(mode, seen.config, seen.provided) for seen in rows.all()]
    old, new = (
        _ranks(seen.frame, checks, coarse) for seen, checks in zip((rows.before, rows.after), rules[-2:], strict=True)
    )
    better = pl.select(pl.max_horizontal(old, new)).to_series()
    moved = old != new
    relevant = {level: moved & (better == rank) for rank, level in _STATE_LEVEL.items()} | {Level.GATE: moved}
    return _crossed(side, rows, rules, relevant)


def between_crossings(rows: Rows, *, served: pl.Series, both_good: pl.Series) -> pl.DataFrame:
    """Return the rules between the two sides that answer otherwise, where they matter.

    Parameters
    ----------
    rows : Rows
    served : polars.Series
        Boolean, per row: the state that the pool has for the symbol changed.
    both_good : polars.Series
        Boolean, per row: both sides are STRONG or WEAK_BUT_OK in both plans.
    """
    rules = [
        [*serving_checks(seen.config, seen.provided), *choice_checks(seen.config, seen.provided)] for seen in rows.all()
    ]
    return _crossed("between", rows, rules, {Level.POOL: served, Level.CHOICE: both_good})


def good(states: pl.Series) -> pl.Series:
    """Whether states are STRONG or WEAK_BUT_OK."""
    return states.is_in(OK)


def _ranks(frame: pl.DataFrame, checks: Sequence[Check], coarse: pl.Series) -> pl.Series:
    ranks = {state.value: rank for state, rank in _RANKS.items()}
    exact = frame.select(state_of(checks).replace_strict(ranks, return_dtype=pl.Int64)).to_series()
    return pl.select(pl.when(coarse).then(exact.clip(0, 2)).otherwise(exact)).to_series()


def _crossed(
    side: Side, rows: Rows, rules: Sequence[Sequence[Check]], relevant: dict[Level, pl.Series]
) -> pl.DataFrame:
    by_name = [{(check.level, check.key, check.label): check for check in checks} for checks in rules]
    found = []
    for name in by_name[-1] | by_name[-2]:
        if name[0] not in relevant:
            continue
        checks = [named.get(name) for named in by_name]
        answers = [
            _column(seen.frame, _ALWAYS if check is None else check.passes)
            for seen, check in zip(rows.all(), checks, strict=True)
        ]
        crossed = (answers[-2] != answers[-1]) & relevant[name[0]]
        if crossed.any():
            described = _described(side, rows, checks[-2], checks[-1]).hstack(rows.blamed(answers))
            found.append(described.select(*CROSSING_SCHEMA).filter(crossed))
    return pl.concat(found) if found else pl.DataFrame(schema=CROSSING_SCHEMA)


def _described(side: Side, rows: Rows, old: Check | None, new: Check | None) -> pl.DataFrame:
    check, nothing = new or old, pl.lit(None, pl.String)
    if check is None:
        raise TypeError("a rule of neither plan")
    parts = {
        f"{part}_{when}": _column(seen.frame, nothing if rule is None else getattr(rule, part).cast(pl.String))
        for when, seen, rule in (("before", rows.before, old), ("after", rows.after, new))
        for part in ("value", "threshold")
    }
    return (
        pl.DataFrame(parts)
        .with_row_index("row")
        .with_columns(
            side=pl.lit("pooled" if side == "pooled" else "local"),
            rule=pl.lit(check.label),
            metric=pl.lit(check.column, pl.String),
            key=pl.lit(check.key, pl.String),
            numeric=pl.lit(check.margin is not None),
        )
    )


def _column(frame: pl.DataFrame, expression: pl.Expr) -> pl.Series:
    """Return an expression as a series of the frame's height, constants too."""
    return frame.with_columns(expression.alias("column")).get_column("column")
