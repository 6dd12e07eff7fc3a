"""The nearest flip: the smallest single change of a metric or of a threshold that gives a pair another route.

1. `trials_of`: what is worth trying.
2. `_metric_flips`: each value in a copy of the target, one decision over all copies.
3. `_Settings`: each setting in a config of its own, `_crowd_flips` those that move other symbols in the lane.
4. Of each metric and key the smallest change that works is kept; the nearest comes first.

Every trial is decided by the rules that made the plan (`routed`), so that nothing is concluded from margins alone.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from math import inf
from typing import Literal

import polars as pl
from pydantic import ValidationError

from trainroute.config.override import put
from trainroute.config.schema import RoutingConfig
from trainroute.records.differences import shown
from trainroute.records.vocabulary import RouteState
from trainroute.route.decide import routed
from trainroute.route.facts import Facts, with_target
from trainroute.route.trials import Side, Trial, Trials, Value, trials_of


@dataclass(frozen=True, kw_only=True)
class Flip:
    """One change that gives a pair another route, all else as it is.

    Attributes
    ----------
    kind : {"metric", "threshold"}
    side : {"pooled", "local"} or None
        Whose metric: of the target's pooled row, or of the pair's own. None for a threshold.
    name : str
        The metric (column of the candidates) or the config key.
    before, after : float, str or bool
        What it is, and the nearest value at which the route is another one.
    change, relative : float or None
        ``after − before`` in units of the metric, and its share of ``|before|``; None where there is nothing to
        subtract or divide by.
    route : RouteState
        The route that the pair would have.
    """

    kind: Literal["metric", "threshold"]
    side: Side | None
    name: str
    before: Value
    after: Value
    change: float | None
    relative: float | None
    route: RouteState

    @property
    def subject(self) -> str:
        """What changes: ``metric local score`` or ``threshold routing.symbol.min_score``."""
        return f"{self.kind} {self.name if self.side is None else f'{self.side} {self.name}'}"

    def line(self) -> str:
        """Write the flip as one line."""
        size = ""
        if self.change is not None:
            size = f" ({self.change:+.6g}" + ("" if self.relative is None else f", {self.relative:+.2%}") + ")"
        return f"{self.subject} {shown(self.before)} → {shown(self.after)}{size}: {self.route.value}"


def flips_of(facts: Facts, config: RoutingConfig, symbol: str) -> tuple[Flip, ...]:
    """Return the single changes that give a pair another route, of each metric and key the smallest.

    Parameters
    ----------
    facts : Facts
        Of one target, with all its symbols: they share the experimental lane.
    config : RoutingConfig
    symbol : str

    Returns
    -------
    tuple of Flip
        The smallest relative change first; switches and words, which have no distance, last.
    """
    _, pairs = routed(facts, config)
    route = str(pairs.filter(pl.col("symbol") == symbol)["route"].item())
    trials = trials_of(facts, config, pairs, symbol)
    settings = _Settings(facts, config, symbol, route)
    thresholds = [flip for flip in map(settings.flip, trials.thresholds) if flip is not None]
    tried = [
        *_metric_flips(facts, config, symbol, trials.metrics, route),
        *thresholds,
        *_crowd_flips(trials, thresholds, settings),
    ]
    named = sorted(tried, key=lambda flip: (flip.kind, flip.side or "", flip.name, *_size(flip)))
    smallest = [next(found) for _, found in groupby(named, key=lambda flip: (flip.kind, flip.side, flip.name))]
    return tuple(sorted(smallest, key=_size))


def _flip(trial: Trial, route: str) -> Flip:
    change = trial.change
    return Flip(
        kind="threshold" if trial.side is None else "metric",
        side=trial.side,
        name=trial.name,
        before=trial.before,
        after=trial.after,
        change=change,
        relative=None if change is None or not trial.before else change / abs(float(trial.before)),
        route=RouteState(route),
    )


def _size(flip: Flip) -> tuple[float, float, str]:
    relative = inf if flip.relative is None else abs(flip.relative)
    return relative, inf if flip.change is None else abs(flip.change), str(flip.after)


def _metric_flips(
    facts: Facts, config: RoutingConfig, symbol: str, trials: Sequence[Trial], route: str
) -> Iterator[Flip]:
    """Decide one copy of the target for each trial, all at once; ``target`` numbers the copies."""
    numbers = pl.DataFrame({"copy": range(len(trials))}, schema={"copy": pl.Int64})
    pooled = _tried(numbers.join(facts.pooled, how="cross"), trials, "pooled", pl.lit(value=True))
    base = facts.pairs.drop("task_type", "target_leakage", "measured")
    pairs = _tried(numbers.join(base, how="cross"), trials, "local", pl.col("symbol") == symbol)
    copies = Facts(pooled=pooled, pairs=with_target(pairs, pooled), provided=facts.provided)
    found = routed(copies, config)[1].filter(pl.col("symbol") == symbol).select("target", "route")
    for number, other in found.iter_rows():
        if other != route:
            yield _flip(trials[int(number)], other)


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


class _Settings:
    """Decides a pair again, each time with one other setting."""

    def __init__(self, facts: Facts, config: RoutingConfig, symbol: str, route: str) -> None:
        self.facts, self.config, self.symbol, self.route = facts, config, symbol, route

    def flip(self, trial: Trial) -> Flip | None:
        """Return the flip that a trial gives; None where the route stays, or where nobody can set it alone."""
        other = self._with(trial)
        if other is None:
            return None
        found = routed(self.facts, other)[1].filter(pl.col("symbol") == self.symbol)["route"].item()
        return None if found == self.route else _flip(trial, found)

    def first_flip(self, trials: Sequence[Trial]) -> Flip | None:
        """Return the first of the trials that flips, of ones that go on flipping once they did; by halving."""
        possible = trials[: bisect_left(trials, True, key=lambda trial: self._with(trial) is None)]  # noqa: FBT003 - what is looked for
        best, low, high = None if not possible else self.flip(possible[-1]), 0, len(possible) - 1
        while best is not None and low < high:
            middle = (low + high) // 2
            found = self.flip(possible[middle])
            if found is None:
                low = middle + 1
            else:
                best, high = found, middle
        return best

    def _with(self, trial: Trial) -> RoutingConfig | None:
        document = self.config.model_dump(mode="json")
        put(document, trial.name.removeprefix("routing."), trial.after)
        try:
            return RoutingConfig.model_validate(document)
        except ValidationError:  # out of order with its neighbours
            return None


def _crowd_flips(trials: Trials, known: Sequence[Flip], settings: _Settings) -> Iterator[Flip]:
    """Find where a threshold moves so many others into the lane, or out of it, that a pair loses or wins its place.

    Between two values at which a rule of the pair itself answers otherwise only the others move, and the farther the
    threshold moves the more of them do; so each stretch is searched by halving, up to the flip that is known.
    """
    for key, crowd in trials.crowd.items():
        for sign in (-1, 1):
            stops = sorted(_ahead([trial.change for trial in trials.thresholds if trial.name == key], sign))
            end = min(_ahead([flip.change for flip in known if flip.name == key], sign), default=inf)
            within = sorted((t for t in crowd if any(d < end for d in _ahead([t.change], sign))), key=_distance)
            found = map(settings.first_flip, _between(stops, within))
            yield from islice((flip for flip in found if flip is not None), 1)


def _between(stops: Sequence[float], trials: Iterable[Trial]) -> Iterator[list[Trial]]:
    """Cut trials, sorted by distance, at the stops."""
    for _, stretch in groupby(trials, key=lambda trial: bisect_left(stops, _distance(trial))):
        yield list(stretch)


def _ahead(changes: Iterable[float | None], sign: int) -> list[float]:
    """Return how far those changes go that go in the direction of ``sign``."""
    return [abs(change) for change in changes if change is not None and change * sign > 0]


def _distance(trial: Trial) -> float:
    return abs(trial.change or 0.0)
