"""The single changes worth trying for one pair: each metric across each threshold, each threshold across each value.

A route can change only where a numeric rule answers otherwise, or at the edge of the experimental lane; so the values
just across are all that need be tried. Words and switches have no distance and are tried as they are. A threshold holds
for every symbol, so it can also fill or empty the lane that a pair queues for: `Trials.others`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, Literal

import polars as pl

from trainroute.config.keys import flat_settings
from trainroute.config.routing import RoutingConfig
from trainroute.records.candidates import DECIMALS
from trainroute.records.routing import pooled_score_on_symbol, score_column
from trainroute.records.vocabulary import LeakageStatus, Mode, SignalState, StabilityCategory, Task, TaskGroup
from trainroute.route.between import choice_checks, serving_checks
from trainroute.route.checks import Cause, Check
from trainroute.route.experimental import LANE_KEY, in_queue, lane_full, lane_score
from trainroute.route.facts import Facts
from trainroute.route.rules import checks_of
from trainroute.route.table import OK

Side = Literal["pooled", "local"]
Value = float | str | bool
STEP = 10**-DECIMALS
_SWITCHES: dict[str, tuple[Value, ...]] = {
    "routing.block_on_leakage": (False, True),
    "routing.enable_experimental_lane": (False, True),
    "routing.evidence.use_shrunk_score": (False, True),
}
_WHICH_RULES = frozenset({"routing.block_on_leakage", "routing.evidence.use_shrunk_score"})
_BETWEEN_GOOD: dict[str, tuple[Value, ...]] = {
    "routing.both_strong_behavior": ("ROUTE_BOTH", "PREFER_CS", "PREFER_SYMBOL", "PREFER_BETTER"),
}
_PARTS: tuple[Callable[[Check], pl.Expr], ...] = (lambda c: c.value, lambda c: c.threshold, lambda c: c.passes)
_BETTER = {"stability": StabilityCategory.STABLE.value, "leakage_status": LeakageStatus.SAFE.value}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A value to try: of a metric of one side, or (side None) of a config key."""

    side: Side | None
    name: str
    before: Value
    after: Value

    @property
    def is_switch(self) -> bool:
        """Whether it changes which rules there are, not a value that they look at."""
        return self.side is None and self.name in _WHICH_RULES

    @property
    def change(self) -> float | None:
        """The step from before to after; None between words."""
        if isinstance(self.before, str | bool) or isinstance(self.after, str | bool):
            return None
        return round(self.after - self.before, DECIMALS)


@dataclass(frozen=True, kw_only=True)
class Trials:
    """What to try for one pair.

    Attributes
    ----------
    metrics, thresholds : list of Trial
        At which a rule of this pair, or of its pool, answers otherwise.
    others : polars.DataFrame
        ``key, symbol, value``: at which value of a config key a rule answers otherwise for another symbol. Without rows
        where the pair does not queue for the lane, for then others cannot change its route.
    """

    metrics: list[Trial]
    thresholds: list[Trial]
    others: pl.DataFrame

    @property
    def all(self) -> list[Trial]:
        """Metrics and thresholds."""
        return [*self.metrics, *self.thresholds]

    @property
    def numbers(self) -> list[Trial]:
        """All but switches."""
        return [trial for trial in self.all if not trial.is_switch]


def trials_of(facts: Facts, config: RoutingConfig, pairs: pl.DataFrame, symbol: str) -> Trials:
    """Return what to try: values of metrics, and values of config keys.

    Parameters
    ----------
    facts : Facts
        Of one target.
    config : RoutingConfig
    pairs : polars.DataFrame
        Its symbols, decided.
    symbol : str
    """
    own = pairs.filter(pl.col("symbol") == symbol)
    of_pair = facts.pairs.filter(pl.col("symbol") == symbol)
    compared = [*_compared("pooled", facts.pooled, facts, config), *_compared("local", of_pair, facts, config)]
    score = lane_score(score_column(config, facts.provided), pooled_score_on_symbol(config, facts.provided))
    settings, task = flat_settings(config.model_dump(mode="json"), "routing"), facts.pooled["task_type"].item()
    edges = _lane_edges(pairs, own, score)
    waits = own.select(in_queue()).item()
    others = facts.pairs.filter(pl.col("symbol") != symbol) if waits else facts.pairs.clear()
    return Trials(
        metrics=[
            *_metric_trials(compared, edges),
            *_ranking_trials(own, pooled_score_on_symbol(config, facts.provided), edges),
            *_row_trials(facts.pooled, own),
            *_word_trials(facts, symbol),
        ],
        thresholds=list(_threshold_trials(compared, settings, task, _lane_shares(pairs, own, score), _switches(own))),
        others=_steps(others, _numeric("local", facts, config), settings, task),
    )


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """A numeric rule with the value of this pair (or of its pool) and the threshold that holds for it."""

    side: Side
    check: Check
    value: float | None
    threshold: float
    passed: bool

    def value_across(self) -> float | None:
        """Return the nearest value for which the rule answers otherwise; None where there is no value."""
        if self.value is None:
            return None
        step = 1 if isinstance(self.value, int) else STEP
        strict = self.check.relation == ">"
        if self.passed:
            return self.threshold if strict else self.threshold - step
        return self.threshold + step if strict else self.threshold

    def threshold_across(self, before: float) -> float:
        """Return the nearest setting for which the rule answers otherwise; ``before`` is what is in force.

        That and the threshold differ by the margin of hysteresis.
        """
        if self.value is None:
            return _without_value(before)
        strict = self.check.relation == ">"
        if isinstance(before, int):
            return floor(self.value) + 1 if self.passed else floor(self.value)
        across = self.value + (0 if strict else STEP) if self.passed else self.value - (STEP if strict else 0)
        return before + across - self.threshold


def _compared(side: Side, frame: pl.DataFrame, facts: Facts, config: RoutingConfig) -> list[_Compared]:
    """Return the numeric rules of a side with what they compare in each row."""
    numeric = _numeric(side, facts, config)
    parts = [frame.with_columns(part(c).alias(str(n)) for n, c in enumerate(numeric)) for part in _PARTS]
    found = []
    for number, check in enumerate(numeric):
        rows = zip(*(part[str(number)] for part in parts), strict=True)
        found += [
            _Compared(side=side, check=check, value=value, threshold=threshold, passed=passed)
            for value, threshold, passed in rows
        ]
    return found


def _numeric(side: Side, facts: Facts, config: RoutingConfig) -> list[Check]:
    """Return the rules of a side that compare numbers."""
    known = facts.provided
    if side == "pooled":
        checks = checks_of(Mode.CROSS_SECTIONAL, config, known)
    else:
        between = [*serving_checks(config, known), *choice_checks(config, known)]
        checks = [*checks_of(Mode.SYMBOL, config, known), *between]
    return [check for check in checks if check.margin is not None and not check.skipped]


def _steps(
    others: pl.DataFrame, checks: Sequence[Check], settings: Mapping[str, Any], task: str | None
) -> pl.DataFrame:
    """Return what `_Compared.threshold_across` gives for every row, over whole columns."""
    named: dict[str, str] = {}
    across: list[pl.Expr] = []
    for check in checks:
        keys = _keys(check.key, settings, task)
        for key in keys:
            value = _thresholds_across(check, _in_force(keys, settings))
            across.append(value.cast(pl.Float64).alias(str(len(named))))
            named[str(len(named))] = key
    named_key = pl.col("variable").replace_strict(named, return_dtype=pl.String)
    long = others.select("symbol", *across).unpivot(index="symbol").drop_nulls("value")
    return long.select("symbol", "value", key=named_key)


def _without_value(before: float) -> float:
    """Return where a rule may answer otherwise that has nothing to compare: some ask nothing at zero."""
    first: float = 1 if isinstance(before, int) else STEP
    return first if before == 0 else type(before)(0)


def _thresholds_across(check: Check, before: float) -> pl.Expr:
    known, otherwise = check.value.is_not_null(), _without_value(before)
    if isinstance(before, int):
        across = (check.value.floor() + pl.when(check.passes).then(1).otherwise(0)).cast(pl.Int64)
        return pl.when(known).then(across).otherwise(otherwise)
    strict = check.relation == ">"
    step = pl.when(check.passes).then(0.0 if strict else STEP).otherwise(-STEP if strict else 0.0)
    return pl.when(known).then((before + check.value + step - check.threshold).round(DECIMALS)).otherwise(otherwise)


def _lane_edges(pairs: pl.DataFrame, own: pl.DataFrame, score: pl.Expr) -> list[float]:
    """Return the scores between which the experimental lane ends, if the pair stands in its queue."""
    if not own.select(in_queue()).item():
        return []
    kept = in_queue() & ~lane_full() & pl.col("forced").is_null()
    edges = pairs.select(
        pl.when(kept).then(score).min().alias("last"), pl.when(lane_full()).then(score).max().alias("first")
    )
    return [edge for edge in edges.row(0) if edge is not None]


def _metric_trials(compared: Sequence[_Compared], edges: Sequence[float]) -> Iterator[Trial]:
    for rule in compared:
        across = rule.value_across()
        if across is None or rule.value is None:
            continue
        places = [across]
        if rule.check.cause is Cause.SCORE:
            places += [edge + side * STEP for edge in edges for side in (-1, 0, 1)]
        for place in places:
            after = int(place) if isinstance(rule.value, int) else round(place, DECIMALS)
            if rule.check.column is not None and after != rule.value and _possible(after, rule.check.column):
                yield Trial(side=rule.side, name=rule.check.column, before=rule.value, after=after)


def _ranking_trials(own: pl.DataFrame, column: str, edges: Sequence[float]) -> Iterator[Trial]:
    """Try the pooled model's score on the symbol, which no rule compares, where it is what the lane ranks a pair by."""
    value = own[column].item()
    if value is not None and own["local_state"].item() != SignalState.EXPERIMENTAL:
        for edge in edges:
            for after in (round(edge + side * STEP, DECIMALS) for side in (-1, 0, 1)):
                if after != value and _possible(after, column):
                    yield Trial(side="local", name=column, before=value, after=after)


def _row_trials(pooled: pl.DataFrame, own: pl.DataFrame) -> Iterator[Trial]:
    """Try a first row, or none, where a pin forces a route: it asks for some rows, whatever the minimum."""
    if own["forced"].item() is not None:
        sides: tuple[tuple[Side, pl.DataFrame], ...] = (("pooled", pooled), ("local", own))
        for side, frame in sides:
            rows = frame["sample_size"].item()
            if rows is not None:
                yield Trial(side=side, name="sample_size", before=rows, after=0 if rows else 1)


def _possible(value: float, column: str) -> bool:
    """Whether a metric can have a value: none is negative, scores and probabilities end at 1."""
    return value >= 0 and (value <= 1 or not ("score" in column or column.startswith("p_")))


def _word_trials(facts: Facts, symbol: str) -> Iterator[Trial]:
    """Try the best word where there is another one."""
    own = facts.pairs.filter(pl.col("symbol") == symbol)
    sides: tuple[tuple[Side, pl.DataFrame], ...] = (("pooled", facts.pooled), ("local", own))
    for side, frame in sides:
        for column, best in _BETTER.items():
            now = frame[column].item()
            if now != best:
                yield Trial(side=side, name=column, before=now, after=best)


def _switches(own: pl.DataFrame) -> dict[str, tuple[Value, ...]]:
    """Return the values of the switches; what decides between two good sides counts where both are good."""
    both_good = own.select(pl.all_horizontal(pl.col("cs_state", "local_state").is_in(OK))).item()
    return _SWITCHES | (_BETWEEN_GOOD if both_good else {})


def _threshold_trials(
    compared: Sequence[_Compared],
    settings: Mapping[str, Any],
    task: str | None,
    lane: Sequence[float],
    switches: Mapping[str, Sequence[Value]],
) -> Iterator[Trial]:
    tried: list[tuple[str, Value]] = [(key, after) for key, values in switches.items() for after in values]
    tried += [(LANE_KEY, round(share, DECIMALS)) for share in lane]
    return _at_keys([*tried, *_across(compared, settings, task)], settings)


def _across(
    compared: Sequence[_Compared], settings: Mapping[str, Any], task: str | None
) -> Iterator[tuple[str, Value]]:
    """Yield keys with the nearest value at which each rule answers otherwise."""
    for rule in compared:
        keys = _keys(rule.check.key, settings, task)
        for key in keys:
            across = rule.threshold_across(_in_force(keys, settings))
            yield key, across if isinstance(across, int) else round(across, DECIMALS)


def _at_keys(tried: Iterable[tuple[str, Value]], settings: Mapping[str, Any]) -> Iterator[Trial]:
    """Yield each key and value once; not what is set already."""
    for key, after in dict.fromkeys(tried):
        if after != settings[key]:
            yield Trial(side=None, name=key, before=settings[key], after=after)


def _lane_shares(pairs: pl.DataFrame, own: pl.DataFrame, score: pl.Expr) -> list[float]:
    """Return the fractions of a target's symbols at which the lane just reaches the pair, or just does not, or ends."""
    queue = pairs.filter(in_queue(), pl.col("forced").is_null()).sort(
        [score, "symbol"], descending=[True, False], nulls_last=True
    )
    place = queue["symbol"].index_of(own["symbol"].item())
    if place is None:
        return []
    reaches = ceil(round((place + 1) / pairs.height / STEP, 3)) * STEP if place else STEP
    return [reaches] if own.select(lane_full()).item() else [0.0, *([reaches - STEP] if place else [])]


def _in_force(keys: Sequence[str], settings: Mapping[str, float]) -> float:
    """Return what is set: of two keys, which a target without a task has, the stricter one holds."""
    return max(settings[key] for key in keys)


def _keys(key: str | None, settings: Mapping[str, Any], task: str | None) -> list[str]:
    """Return the key that holds a threshold: of the target's task, where it is given per task."""
    if key is None or key in settings:
        return [] if key is None else [key]
    groups = [TaskGroup.REGRESSION if task == Task.REGRESSION else TaskGroup.CLASSIFICATION]
    return [f"{key}.{group.value}" for group in (groups if task is not None else TaskGroup)]
