"""The nearest flip: the smallest single change of a metric or of a threshold that gives a pair another route.

1. `trials_of`: what is worth trying.
2. `Rerouting`: what each gives; `_crowd_flips`: those settings that move other symbols in the lane.
3. Of each metric and key the smallest change that works is kept; the nearest comes first.

Every trial is decided by the rules that made the plan (`trainroute.route.rerouting`), so that nothing is concluded from
margins alone.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from math import inf
from typing import Literal, TypeVar

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.records.differences import shown
from trainroute.records.vocabulary import RouteState
from trainroute.route.decide import routed
from trainroute.route.facts import Facts
from trainroute.route.rerouting import Rerouting
from trainroute.route.trials import Crowd, Side, Trial, Trials, Value, trials_of

Found = TypeVar("Found")
_BATCHES = 2
"""So many are spent on where to look closer."""


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
    search = _Search(Rerouting(facts, config, symbol), route)
    flips = _found(search.flips([*trials.metrics, *trials.thresholds]))
    tried = [*flips, *_crowd_flips(trials, flips, search)]
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


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """Values of one key, the nearest first; once one of them flips, those after it are taken to go on flipping."""

    crowd: Crowd
    values: Sequence[float]

    @property
    def end(self) -> Trial:
        """The trial of the farthest value."""
        return self.crowd.trial(self.values[-1])

    def parts(self, count: int) -> list["_Stretch"]:
        """Cut it into so many parts of about one size, or into its values."""
        size, parts = len(self.values), min(count, len(self.values))
        cuts = [size * number // parts for number in range(parts + 1)]
        return [replace(self, values=self.values[low:high]) for low, high in pairwise(cuts)]


class _Search:
    """Looks for trials that give a pair another route."""

    def __init__(self, rerouting: Rerouting, route: str) -> None:
        self.rerouting, self.route = rerouting, route

    def flips(self, trials: Sequence[Trial], *, in_queue: bool = False) -> list[Flip | None]:
        """Return what each trial flips; ``in_queue``: they move other pairs alone."""
        routes = self.rerouting.routes(trials, in_queue=in_queue)
        return [
            None if route is None or route == self.route else _flip(trial, route)
            for trial, route in zip(trials, routes, strict=True)
        ]

    def first_flipping(self, rows: Sequence[Sequence[_Stretch]]) -> list[_Stretch | None]:
        """Return the first stretch of each row whose end flips, None where no end does."""
        flips = iter(self.flips([stretch.end for row in rows for stretch in row], in_queue=True))
        flipping = [[stretch for stretch in row if next(flips) is not None] for row in rows]
        return [row[0] if row else None for row in flipping]

    def first_flips(self, stretches: Sequence[_Stretch]) -> list[Flip]:
        """Return the first flip of each stretch, whose ends do flip; all are narrowed down together."""
        while wide := [stretch for stretch in stretches if len(stretch.values) > 1]:
            count = max(2, self.rerouting.at_once // len(wide))
            rows = [stretch.parts(count) for stretch in wide]
            found = self.first_flipping([row[:-1] for row in rows])
            narrow = [stretch for stretch in stretches if len(stretch.values) == 1]
            stretches = narrow + [first or row[-1] for first, row in zip(found, rows, strict=True)]
        return _found(self.flips([stretch.end for stretch in stretches], in_queue=True))


def _crowd_flips(trials: Trials, known: Sequence[Flip], search: _Search) -> list[Flip]:
    """Find where a threshold moves so many others into the lane, or out of it, that a pair loses or wins its place.

    Between two values at which a rule of the pair itself answers otherwise only the others move, and the farther the
    threshold moves the more of them do; so each stretch is cut down to its first flip, up to the flip that is known.
    A gate can move some into the lane and others out of it, so that a flip ends again before its stretch does: as many
    values of a stretch as two batches hold are looked at first, all of them where symbols are some tens.
    """

    def stretches(crowd: Crowd, sign: int) -> list[_Stretch]:
        stops = sorted(_ahead([trial.change for trial in trials.thresholds if trial.name == crowd.key], sign))
        end = min(_ahead([flip.change for flip in known if flip.name == crowd.key], sign), default=inf)
        ahead = search.rerouting.possible(crowd, crowd.ahead(sign, end))
        return [_Stretch(crowd=crowd, values=values) for values in _between(stops, ahead, crowd)]

    ways = [stretches(crowd, sign) for crowd in trials.crowd.values() for sign in (-1, 1)]
    count = max(1, _BATCHES * search.rerouting.at_once // max(1, sum(map(len, ways))))
    parts = [[part for stretch in way for part in stretch.parts(count)] for way in ways]
    return search.first_flips(_found(search.first_flipping(parts)))


def _found(some: Iterable[Found | None]) -> list[Found]:
    return [found for found in some if found is not None]


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
