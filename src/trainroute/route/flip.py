"""The nearest flip: the smallest single change of a metric or of a threshold that gives a pair another route.

1. `trials_of`: what is worth trying.
2. `first_moves`: the settings worth trying because they move other symbols in the lane.
3. `Rerouting`: what each gives.
4. Of each metric and key the smallest change that works is kept; the nearest comes first.

Every trial is decided by the rules that made the plan (`trainroute.route.rerouting`), so that nothing is concluded from
margins alone.
"""

from dataclasses import dataclass
from itertools import groupby
from math import inf
from typing import Literal

import polars as pl

from trainroute.config.routing import RoutingConfig
from trainroute.records.differences import shown
from trainroute.records.vocabulary import RouteState
from trainroute.route.crowd import first_moves
from trainroute.route.decide import routed
from trainroute.route.facts import Facts
from trainroute.route.rerouting import Rerouting
from trainroute.route.trials import Side, Trial, Value, trials_of


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
    trials, rerouting = trials_of(facts, config, pairs, symbol), Rerouting(facts, config, pairs, symbol)
    alone, moving = rerouting.alone(trials.numbers), set(trials.others["key"])
    stops = {trial: found for trial, found in alone.items() if trial.name in moving}
    # Where the pair goes on asking, the stop begins a stretch, and what it gives is found there.
    left = [trial for trial in trials.all if not (trial in stops and stops[trial].asks)]
    moves = first_moves(facts, config, pairs, symbol, trials.others, stops) if moving else []
    found = rerouting.routes(left, alone=alone, moves=moves)
    flips = [_flip(trial, other) for trial, other in found.items() if other != route]
    named = sorted(flips, key=lambda flip: (flip.kind, flip.side or "", flip.name, *_size(flip)))
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
