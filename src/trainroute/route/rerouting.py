"""A pair decided again, with another value of a metric or of a setting.

Other symbols reach a pair in one way only: they stand in the same queue for the experimental lane. So a pair is decided
alone first (`Rerouting.alone`); where that leaves it in the queue

1. a metric of its own, and the size of the lane, change its place among others that stay where they are (`_ranked`);
2. anything else moves others too: the pair is decided once more among all symbols of its target (`_among`).

Many trials are decided at once, each in a copy of the facts of its own: with the value of a metric put in its place, or
with that of a setting in a column named by its key (`trainroute.route.checks.setting`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import polars as pl
from pydantic import ValidationError

from trainroute.config.keys import put
from trainroute.config.routing import RoutingConfig
from trainroute.parallel import in_threads
from trainroute.records.patterns import matching
from trainroute.records.vocabulary import RouteState
from trainroute.route.decide import before_cap
from trainroute.route.experimental import LANE_KEY, beyond_cap, places, queue, standing, stands_ahead
from trainroute.route.facts import Facts, with_target, without_target
from trainroute.route.trials import Side, Trial, Value

ROWS_AT_ONCE = 25_000
"""Rows of copies that are decided at once, by each thread: some ten megabytes."""
_COMPARED_AT_ONCE = 500_000
"""Rows that are only compared by their scores."""
_DTYPES: dict[type, pl.DataType] = {bool: pl.Boolean(), int: pl.Int64(), float: pl.Float64(), str: pl.String()}


class Alone(NamedTuple):
    """A pair decided as if nobody else asked for the lane, and whether it asks for a place there, by which score."""

    route: str
    asks: bool
    lane_score: float | None


class Rerouting:
    """Routes a pair again, each time with one other value of a metric or of a setting.

    Parameters
    ----------
    facts : Facts
        Of one target, with all its symbols.
    config : RoutingConfig
    pairs : polars.DataFrame
        Its symbols, decided.
    symbol : str
    """

    def __init__(self, facts: Facts, config: RoutingConfig, pairs: pl.DataFrame, symbol: str) -> None:
        self.facts, self.config, self.symbol = facts, config, symbol
        self.by_itself = replace(facts, pairs=facts.pairs.filter(pl.col("symbol") == symbol))
        self.queue = queue(pairs, config, facts.provided)

    def alone(self, trials: Iterable[Trial]) -> dict[Trial, Alone]:
        """Decide the pair by itself; what nobody can set alone is left out."""
        found: dict[Trial, Alone] = {}
        for config, group in self._groups(trials):
            decided, known = self._decided(self.by_itself, config, group)
            rows = decided.select("route", *standing(config, known)).rows()
            found |= {trial: Alone(*row) for trial, row in zip(group, rows, strict=True)}
        return found

    def routes(
        self,
        trials: Sequence[Trial],
        *,
        alone: Mapping[Trial, Alone] | None = None,
        moves: Sequence[Trial] = (),
    ) -> dict[Trial, str]:
        """Return the route that each trial gives; what nobody can set alone is left out.

        Parameters
        ----------
        trials : sequence of Trial
        alone : mapping of Trial to Alone, optional
            The pair by itself, where that is known already.
        moves : sequence of Trial
            More trials: settings that leave the pair in the queue and move others.
        """
        numbers = [trial for trial in trials if not trial.is_switch]
        by_itself = self.alone(numbers) if alone is None else alone
        found = {trial: by_itself[trial].route for trial in numbers if trial in by_itself}
        asking = {trial: by_itself[trial] for trial in found if by_itself[trial].asks}
        own = {trial: pair for trial, pair in asking.items() if trial.side == "local" or trial.name == LANE_KEY}
        others = [*(trial for trial in trials if trial.is_switch or (trial in asking and trial not in own)), *moves]
        at_once = max(1, ROWS_AT_ONCE // max(1, self.facts.pairs.height))
        batches = [
            (config, group[start : start + at_once])
            for config, group in self._groups(others)
            for start in range(0, len(group), at_once)
        ]
        for routes in (self._ranked(own), *in_threads(lambda batch: self._among(*batch), batches)):
            found |= routes
        return found

    def _groups(self, trials: Iterable[Trial]) -> list[tuple[RoutingConfig, list[Trial]]]:
        """Put together what differs in values alone; a switch changes which rules there are."""
        numbers, groups = [], []
        for trial in trials:
            other = self.config if trial.side is not None else self._with(trial)
            if other is not None and trial.is_switch:
                groups.append((other, [trial]))
            elif other is not None:
                numbers.append(trial)
        return [(self.config, numbers), *groups] if numbers else groups

    def _among(self, config: RoutingConfig, trials: Sequence[Trial]) -> dict[Trial, str]:
        """Decide the pair among all symbols of its target."""
        decided, known = self._decided(self.facts, config, trials)
        own = pl.col("symbol") == self.symbol
        routes = dict(zip(trials, decided.filter(own)["route"], strict=True))
        full = beyond_cap(decided, config, known).filter(own)["target"].cast(pl.Int64)
        return routes | {trials[number]: RouteState.ROUTE_BLOCKED.value for number in full}

    def _ranked(self, asking: Mapping[Trial, Alone]) -> dict[Trial, str]:
        """Rank the pair among others that stay where they are."""
        if not asking:
            return {}
        share = self.config.experimental.max_fraction_symbols_per_target
        own = pl.DataFrame(
            {
                "number": range(len(asking)),
                "own_score": [alone.lane_score for alone in asking.values()],
                "share": [trial.after if trial.name == LANE_KEY else share for trial in asking],
            },
            schema={"number": pl.Int64(), "own_score": pl.Float64(), "share": pl.Float64()},
        )
        others = self.queue.filter("asks", pl.col("symbol") != self.symbol)
        ahead = pl.concat(
            part.join(others, how="cross").filter(stands_ahead(self.symbol)).group_by("number").len("ahead")
            for part in own.iter_slices(max(1, _COMPARED_AT_ONCE // max(1, others.height)))
        )
        keep = places(pl.lit(self.facts.pairs.height), pl.col("share"))
        placed = own.join(ahead, on="number", how="left", maintain_order="left").select(
            pl.when(pl.col("ahead").fill_null(0) < keep)
            .then(pl.lit(RouteState.ROUTE_EXPERIMENTAL_ONLY.value))
            .otherwise(pl.lit(RouteState.ROUTE_BLOCKED.value))
        )
        return dict(zip(asking, placed.to_series(), strict=True))

    def _decided(
        self, facts: Facts, config: RoutingConfig, trials: Sequence[Trial]
    ) -> tuple[pl.DataFrame, frozenset[str]]:
        """Decide one copy of the facts for each trial, all at once, and say what is known of them.

        ``target`` is the number of the copy.
        """
        numbered = dict(enumerate(trials))
        known = facts.provided | {trial.name for trial in trials if trial.side is None}
        pooled = _copies(facts.pooled, numbered, "pooled", pl.lit(value=True))
        pairs = _copies(without_target(facts.pairs), numbered, "local", pl.col("symbol") == self.symbol)
        copied = Facts(pooled=pooled, pairs=with_target(pairs, pooled), provided=known)
        return before_cap(copied, of_any_target(config, facts.pooled["target"].item()))[1], known

    def _with(self, trial: Trial) -> RoutingConfig | None:
        document = self.config.model_dump(mode="json")
        put(document, trial.name.removeprefix("routing."), trial.after)
        try:
            return RoutingConfig.model_validate(document)
        except ValidationError:  # out of order with its neighbours
            return None


def of_any_target(config: RoutingConfig, target: str) -> RoutingConfig:
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
            dtype = _DTYPES[type(before[name])]
            tried.append(copy.replace_strict(values, default=before[name], return_dtype=dtype).alias(name))
        elif of == side:
            put_in = copy.replace_strict(values, default=None, return_dtype=frame.schema[name])
            tried.append(pl.when(where & put_in.is_not_null()).then(put_in).otherwise(name).alias(name))
    numbers = pl.DataFrame({"copy": list(trials)}, schema={"copy": pl.Int64})
    copies = numbers.join(frame, how="cross", maintain_order="left_right")
    return copies.with_columns(*tried, target=copy.cast(pl.String)).drop("copy")
