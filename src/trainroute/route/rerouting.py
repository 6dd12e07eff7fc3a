"""A pair decided again, with another value of a metric or of a setting.

Other symbols reach a pair in one way only: they stand in the same queue for the experimental lane. So a pair is decided
alone first, and once more among all symbols of its target only where that leaves it in the queue; or among all at once,
where they are few.

Many trials are decided at once, each in a copy of the facts of its own: with the value of a metric put in its place, or
with that of a setting in a column named by its key (`trainroute.route.checks.setting`).
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl
from pydantic import ValidationError

from trainroute.config.keys import put
from trainroute.config.routing import RoutingConfig
from trainroute.parallel import in_threads
from trainroute.records.patterns import matching
from trainroute.records.vocabulary import RouteState
from trainroute.route.decide import before_cap
from trainroute.route.experimental import beyond_cap
from trainroute.route.facts import Facts, with_target
from trainroute.route.trials import Crowd, Side, Trial, Value

ROWS_AT_ONCE = 25_000
"""Rows of copies that are decided at once, by each thread: some ten megabytes."""


@dataclass(frozen=True)
class _Group:
    """Trials that are decided under the same settings, by their numbers."""

    config: RoutingConfig
    trials: dict[int, Trial]


class Rerouting:
    """Routes a pair again, each time with one other value of a metric or of a setting.

    Parameters
    ----------
    facts : Facts
        Of one target, with all its symbols.
    config : RoutingConfig
    symbol : str
    """

    def __init__(self, facts: Facts, config: RoutingConfig, symbol: str) -> None:
        self.facts, self.alone, self.config, self.symbol = facts, _alone(facts, symbol), config, symbol

    @property
    def at_once(self) -> int:
        """How many copies of the target, with all its symbols, are decided at once."""
        return max(1, ROWS_AT_ONCE // max(1, self.facts.pairs.height))

    def possible(self, crowd: Crowd, values: Sequence[float]) -> Sequence[float]:
        """Return the values, the nearest first, that can be set alone; beyond one that cannot none can."""
        return values[: bisect_left(values, True, key=lambda value: self._with(crowd.trial(value)) is None)]  # noqa: FBT003 - what is looked for

    def routes(self, trials: Sequence[Trial], *, in_queue: bool = False) -> list[str | None]:
        """Return the route that each trial gives; None where nobody can set it alone.

        ``in_queue``: they are known to leave the pair in the queue, so that it need not be decided alone.
        """
        groups = self._groups(trials)
        found = in_threads(lambda group: self._routes(group, in_queue=in_queue), groups)
        by_number = {number: route for routes in found for number, route in routes.items()}
        return [by_number.get(number) for number in range(len(trials))]

    def _groups(self, trials: Sequence[Trial]) -> list[_Group]:
        """Put together what differs in numbers alone; a switch changes the rules themselves."""
        values, groups = {}, []
        for number, trial in enumerate(trials):
            other = self.config if trial.side is not None else self._with(trial)
            if other is not None and trial.is_switch:
                groups.append(_Group(other, {number: trial}))
            elif other is not None:
                values[number] = trial
        return [_Group(self.config, values), *groups] if values else groups

    def _routes(self, group: _Group, *, in_queue: bool) -> dict[int, str]:
        numbers, found = list(group.trials), {}
        if not in_queue and len(numbers) * self.facts.pairs.height > ROWS_AT_ONCE:
            found = self._decided(self.alone, group, numbers)
            numbers = [number for number in numbers if found[number] == RouteState.ROUTE_EXPERIMENTAL_ONLY]
        chunks = [numbers[start : start + self.at_once] for start in range(0, len(numbers), self.at_once)]
        for decided in in_threads(lambda chunk: self._decided(self.facts, group, chunk), chunks):
            found |= decided
        return found

    def _decided(self, facts: Facts, group: _Group, numbers: Sequence[int]) -> dict[int, str]:
        """Decide one copy of the facts for each of these trials, all at once; ``target`` is the number of the copy."""
        trials = {number: group.trials[number] for number in numbers}
        config = _of_any_target(group.config, facts.pooled["target"].item())
        known = facts.provided | {trial.name for trial in trials.values() if trial.side is None}
        pooled = _copies(facts.pooled, trials, "pooled", pl.lit(value=True))
        local = facts.pairs.drop("task_type", "target_leakage", "measured")
        pairs = with_target(_copies(local, trials, "local", pl.col("symbol") == self.symbol), pooled)
        _, decided = before_cap(Facts(pooled=pooled, pairs=pairs, provided=known), config)
        full = beyond_cap(decided, config, known).filter(pl.col("symbol") == self.symbol)["target"]
        routes = decided.filter(pl.col("symbol") == self.symbol).select(pl.col("target").cast(pl.Int64), "route").rows()
        return dict(routes) | dict.fromkeys(full.cast(pl.Int64), RouteState.ROUTE_BLOCKED.value)

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


def _copies(frame: pl.DataFrame, trials: Mapping[int, Trial], side: Side, where: pl.Expr) -> pl.DataFrame:
    """Return a copy of a side for each trial, with its value; the number of the copy is in place of the target's name.

    A metric has its value ``where`` the pair is; a setting is a column of its own, beside the config in other copies.
    """
    by_name: dict[tuple[Side | None, str], dict[int, Value]] = {}
    for number, trial in trials.items():
        if not trial.is_switch:
            by_name.setdefault((trial.side, trial.name), {})[number] = trial.after
    before = {trial.name: trial.before for trial in trials.values() if trial.side is None}
    copy, tried = pl.col("copy"), []
    for (of, name), values in by_name.items():
        if of is None:
            dtype = pl.Int64() if isinstance(before[name], int) else pl.Float64()
            tried.append(copy.replace_strict(values, default=before[name], return_dtype=dtype).alias(name))
        elif of == side:
            put_in = copy.replace_strict(values, default=None, return_dtype=frame.schema[name])
            tried.append(pl.when(where & put_in.is_not_null()).then(put_in).otherwise(name).alias(name))
    numbers = pl.DataFrame({"copy": list(trials)}, schema={"copy": pl.Int64})
    copies = numbers.join(frame, how="cross", maintain_order="left_right")
    return copies.with_columns(*tried, target=copy.cast(pl.String)).drop("copy")
