"""A pair decided again, with another value of a metric or of a setting.

Other symbols reach a pair in one way only: they stand in the same queue for the experimental lane. So a pair is decided
alone first, and once more among all symbols of its target only where that leaves it in the queue.
"""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl
from pydantic import ValidationError

from trainroute.config.keys import put
from trainroute.config.routing import RoutingConfig
from trainroute.records.patterns import matching
from trainroute.records.vocabulary import RouteState
from trainroute.route.decide import before_cap, routed
from trainroute.route.experimental import beyond_cap
from trainroute.route.facts import Facts, with_target
from trainroute.route.trials import Side, Trial, Value, pair_in_queue

ROWS_AT_ONCE = 200_000
"""Rows of copies of a target that are decided at once: some hundred megabytes."""


class MetricTrials:
    """Decides a pair again, each time with one other value of a metric.

    Parameters
    ----------
    facts : Facts
        Of one target, with all its symbols.
    config : RoutingConfig
    symbol : str
    """

    def __init__(self, facts: Facts, config: RoutingConfig, symbol: str) -> None:
        self.facts, self.alone, self.symbol = facts, _alone(facts, symbol), symbol
        self.config = _of_any_target(config, facts.pooled["target"].item())

    def routes(self, trials: Sequence[Trial]) -> list[str]:
        """Return the route that each trial gives."""
        found = self._decided(self.alone, trials)
        queued = [number for number, waits in enumerate(found["waits"]) if waits]
        routes: list[str] = found["route"].to_list()
        at_once = max(1, ROWS_AT_ONCE // max(1, self.facts.pairs.height))
        for start in range(0, len(queued), at_once):
            numbers = queued[start : start + at_once]
            among = self._decided(self.facts, [trials[number] for number in numbers])
            for number, route in zip(numbers, among["route"], strict=True):
                routes[number] = route
        return routes

    def _decided(self, facts: Facts, trials: Sequence[Trial]) -> pl.DataFrame:
        """Decide one copy of the facts for each trial, all at once; ``target`` numbers the copies."""
        numbers = pl.DataFrame({"copy": range(len(trials))}, schema={"copy": pl.Int64})
        pooled = _tried(numbers.join(facts.pooled, how="cross"), trials, "pooled", pl.lit(value=True))
        base = facts.pairs.drop("task_type", "target_leakage", "measured")
        pairs = _tried(numbers.join(base, how="cross"), trials, "local", pl.col("symbol") == self.symbol)
        copies = Facts(pooled=pooled, pairs=with_target(pairs, pooled), provided=facts.provided)
        own = routed(copies, self.config)[1].filter(pl.col("symbol") == self.symbol)
        return own.sort(pl.col("target").cast(pl.Int64)).select("route", waits=pair_in_queue())


class SettingTrials:
    """Decides a pair again, each time with one other setting; parameters as of `MetricTrials`."""

    def __init__(self, facts: Facts, config: RoutingConfig, symbol: str) -> None:
        self.facts, self.alone, self.config, self.symbol = facts, _alone(facts, symbol), config, symbol

    def possible(self, trial: Trial) -> bool:
        """Whether the setting can be changed alone."""
        return self._with(trial) is not None

    def route(self, trial: Trial, *, in_queue: bool = False) -> str | None:
        """Return the route that a trial gives; None where nobody can set it alone.

        ``in_queue``: it is known to leave the pair in the queue, so that it need not be decided alone.
        """
        other = self._with(trial)
        if other is None:
            return None
        if not in_queue:
            found = str(before_cap(self.alone, other)[1]["route"].item())
            if found != RouteState.ROUTE_EXPERIMENTAL_ONLY:
                return found
        _, pairs = before_cap(self.facts, other)
        found = str(pairs.filter(pl.col("symbol") == self.symbol)["route"].item())
        full = self.symbol in beyond_cap(pairs, other, self.facts.provided)["symbol"]
        return RouteState.ROUTE_BLOCKED.value if full else found

    def _with(self, trial: Trial) -> RoutingConfig | None:
        document = self.config.model_dump(mode="json")
        put(document, trial.name.removeprefix("routing."), trial.after)
        try:
            return RoutingConfig.model_validate(document)
        except ValidationError:  # out of order with its neighbours
            return None


def _alone(facts: Facts, symbol: str) -> Facts:
    """Return the facts of a pair without the others of its target."""
    return replace(facts, pairs=facts.pairs.filter(pl.col("symbol") == symbol))


def _of_any_target(config: RoutingConfig, target: str) -> RoutingConfig:
    """Return settings whose pins on one target hold for its copies, which go by other names."""
    meant = [pin.model_copy(update={"target": "*"}) for pin in config.pins if target in matching(pin.target, [target])]
    return config.model_copy(update={"pins": type(config.pins)(meant)})


def _tried(copies: pl.DataFrame, trials: Sequence[Trial], side: Side, where: pl.Expr) -> pl.DataFrame:
    """Put the value of each trial into its copy, and the number of the copy in place of the target's name."""
    by_column: dict[str, dict[int, Value]] = {}
    for number, trial in enumerate(trials):
        if trial.side == side:
            by_column.setdefault(trial.name, {})[number] = trial.after
    changed = []
    for column, values in by_column.items():
        put_in = pl.col("copy").replace_strict(values, default=None, return_dtype=copies.schema[column])
        changed.append(pl.when(where & put_in.is_not_null()).then(put_in).otherwise(column).alias(column))
    return copies.with_columns(changed).with_columns(target=pl.col("copy").cast(pl.String)).drop("copy")
