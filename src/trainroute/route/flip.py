"""The nearest flip: the smallest single change of a metric or of a threshold that gives a pair another route.

1. `trials_of`: what is worth trying.
2. `_metric_flips`: each value in a copy of the target, one decision over all copies.
3. `_threshold_flips`: each setting in a config of its own.
4. Of each metric and key the smallest change that works is kept; the nearest comes first.

Every trial is decided by the rules that made the plan (`routed`), so that nothing is concluded from margins alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf
from typing import Literal

import polars as pl
from pydantic import ValidationError

from trainroute.config.override import put
from trainroute.config.schema import RoutingConfig
from trainroute.records.vocabulary import RouteState
from trainroute.route.decide import routed
from trainroute.route.facts import Facts, with_target
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

    def line(self) -> str:
        """Write the flip as one line."""
        size = ""
        if self.change is not None:
            size = f" ({self.change:+.6g}" + ("" if self.relative is None else f", {self.relative:+.2%}") + ")"
        name = self.name if self.side is None else f"{self.side} {self.name}"
        return f"{self.kind} {name} {_shown(self.before)} → {_shown(self.after)}{size}: {self.route.value}"


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
    metrics, thresholds = trials_of(facts, config, pairs, symbol)
    tried = [
        *_metric_flips(facts, config, symbol, metrics, route),
        *_threshold_flips(facts, config, symbol, thresholds, route),
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


def _shown(value: Value) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


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


def _threshold_flips(
    facts: Facts, config: RoutingConfig, symbol: str, trials: Sequence[Trial], route: str
) -> Iterator[Flip]:
    for trial in trials:
        document = config.model_dump(mode="json")
        put(document, trial.name.removeprefix("routing."), trial.after)
        try:
            other = RoutingConfig.model_validate(document)
        except ValidationError:  # out of order with its neighbours, so nobody can set it alone
            continue
        found = routed(facts, other)[1].filter(pl.col("symbol") == symbol)["route"].item()
        if found != route:
            yield _flip(trial, found)
