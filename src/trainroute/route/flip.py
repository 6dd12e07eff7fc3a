"""The nearest flip: the smallest single change of a metric or of a threshold that gives a pair another route.

1. `trials_of`: what is worth trying.
2. `MetricTrials`: each value in a copy of the pair.
3. `SettingTrials`: each setting in a config of its own, `_crowd_flips` those that move other symbols in the lane.
4. Of each metric and key the smallest change that works is kept; the nearest comes first.

Every trial is decided by the rules that made the plan (`trainroute.route.again`), so that nothing is concluded from
margins alone.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf
from typing import Literal

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.parallel import in_threads
from trainroute.records.differences import shown
from trainroute.records.vocabulary import RouteState
from trainroute.route.again import MetricTrials, SettingTrials
from trainroute.route.decide import routed
from trainroute.route.facts import Facts
from trainroute.route.trials import Crowd, Side, Trial, Trials, Value, trials_of


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
    settings = SettingTrials(facts, config, symbol)
    by_metric = MetricTrials(facts, config, symbol).routes(trials.metrics)
    by_threshold = zip(trials.thresholds, in_threads(settings.route, trials.thresholds), strict=True)
    thresholds = [_flip(trial, found) for trial, found in by_threshold if found not in {None, route}]
    tried = [
        *(_flip(trial, found) for trial, found in zip(trials.metrics, by_metric, strict=True) if found != route),
        *thresholds,
        *_crowd_flips(trials, thresholds, _Search(settings, route)),
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


class _Search:
    """Looks for the first of many trials of a key that gives a pair another route."""

    def __init__(self, settings: SettingTrials, route: str) -> None:
        self.settings, self.route = settings, route

    def first_flip(self, crowd: Crowd, values: Sequence[float]) -> Flip | None:
        """Return the first of the values that flips, of ones that go on flipping once they did; by halving."""
        impossible = bisect_left(values, True, key=lambda value: not self.settings.possible(crowd.trial(value)))  # noqa: FBT003 - what is looked for
        low, high = 0, impossible - 1
        best = None if not impossible else self._flip(crowd.trial(values[high]))
        while best is not None and low < high:
            middle = (low + high) // 2
            found = self._flip(crowd.trial(values[middle]))
            if found is None:
                low = middle + 1
            else:
                best, high = found, middle
        return best

    def _flip(self, trial: Trial) -> Flip | None:
        found = self.settings.route(trial, in_queue=True)
        return None if found is None or found == self.route else _flip(trial, found)


def _crowd_flips(trials: Trials, known: Sequence[Flip], search: _Search) -> list[Flip]:
    """Find where a threshold moves so many others into the lane, or out of it, that a pair loses or wins its place.

    Between two values at which a rule of the pair itself answers otherwise only the others move, and the farther the
    threshold moves the more of them do; so each stretch is searched by halving, up to the flip that is known.
    """

    def nearest(way: tuple[Crowd, int]) -> Flip | None:
        crowd, sign = way
        stops = sorted(_ahead([trial.change for trial in trials.thresholds if trial.name == crowd.key], sign))
        end = min(_ahead([flip.change for flip in known if flip.name == crowd.key], sign), default=inf)
        stretches = _between(stops, crowd.ahead(sign, end), crowd)
        found = (search.first_flip(crowd, stretch) for stretch in stretches)
        return next((flip for flip in found if flip is not None), None)

    ways = [(crowd, sign) for crowd in trials.crowd.values() for sign in (-1, 1)]
    return [flip for flip in in_threads(nearest, ways) if flip is not None]


def _between(stops: Sequence[float], values: Sequence[float], crowd: Crowd) -> Iterator[Sequence[float]]:
    """Cut values, the nearest first, at the stops."""
    start = 0
    for stop in (*stops, inf):
        end = bisect_right(values, stop, key=crowd.distance)
        if end > start:
            yield values[start:end]
        start = max(start, end)


def _ahead(changes: Iterable[float | None], sign: int) -> list[float]:
    """Return how far those changes go that go in the direction of ``sign``."""
    return [abs(change) for change in changes if change is not None and change * sign > 0]
