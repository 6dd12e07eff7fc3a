"""What differs between two routing plans, as values: counts of all pairs, single pairs with their causes on request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from trainroute.records.routing import RoutingPlan
from trainroute.records.vocabulary import RouteState
from trainroute.route.checks import Cause as RuleCause
from trainroute.route.crossings import CROSSING_SCHEMA

LANE_FULL = RuleCause.LANE_FULL.value
_WANTED = {"metric": ("metric", "both"), "data": ("metric", "both"), "config": ("config", "both")}


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One thing that changed and gave a pair another route.

    Attributes
    ----------
    by : {"metric", "config", "both"}
        What crossed: the metric, the threshold, or only the two together.
    side : {"pooled", "local"} or None
        Whose metric.
    rule, metric, key : str or None
        The rule, the column that it compares, and the config key of its threshold.
    value_before, value_after, threshold_before, threshold_after : float, str or None
    """

    by: str
    side: str | None
    rule: str
    metric: str | None
    key: str | None
    value_before: float | str | None
    value_after: float | str | None
    threshold_before: float | str | None
    threshold_after: float | str | None

    @property
    def name(self) -> str:
        """What is counted: ``local score_shrunk``, ``routing.symbol.min_score``, or both."""
        metric = self.rule if self.metric is None else self.metric
        named = metric if self.side is None else f"{self.side} {metric}"
        if self.by == "config":
            return self.key or named
        return named if self.by == "metric" or self.key is None else f"{named} and {self.key}"

    def line(self) -> str:
        """Write the cause as one line."""
        key = self.key or self.rule
        moved = f"{key} {_shown(self.threshold_before)} → {_shown(self.threshold_after)}"
        still = f"{key} {_shown(self.threshold_after)}"
        if self.metric is None:
            return moved
        metric = self.metric if self.side is None else f"{self.side} {self.metric}"
        if self.by == "config":
            return f"{moved} crossed {metric} {_shown(self.value_after)}"
        threshold = still if self.by == "metric" else moved
        crossed = key if self.threshold_after is None else threshold
        return f"{metric} {_shown(self.value_before)} → {_shown(self.value_after)} crossed {crossed}"


@dataclass(frozen=True, kw_only=True)
class RouteChange:
    """One pair that is routed otherwise; ``before`` or ``after`` is None where only the other plan has the pair.

    ``kind`` is the cause in one word: ``metric`` (its evidence changed), ``data`` (so did its rows), ``config``,
    ``metric and config``, ``data and config``, ``code``, ``new pair`` or ``gone``.
    """

    target: str
    symbol: str
    before: RouteState | None
    after: RouteState | None
    kind: str
    causes: tuple[Cause, ...] = ()
    rows_before: int | None = None
    rows_after: int | None = None

    def why(self) -> str:
        """Write kind and causes as one line."""
        rows = ""
        if self.kind.startswith("data") and self.rows_before != self.rows_after:
            rows = f" ({_shown(self.rows_before)} → {_shown(self.rows_after)} rows)"
        said = "; ".join(cause.line() for cause in self.causes)
        return f"{self.kind}{rows}" + (f": {said}" if said else "")

    def line(self) -> str:
        """Write the change as one line."""
        routes = " → ".join("none" if route is None else route.value for route in (self.before, self.after))
        return f"{self.target} · {self.symbol}: {routes}; {self.why()}"


@dataclass(frozen=True, kw_only=True, eq=False)
class RouteChanges:
    """All that two routing plans decide differently; see `trainroute.route.compare_routes`.

    Attributes
    ----------
    before, after : RoutingPlan
    settings : dict of str to tuple
        The config keys that differ, with both values.
    pairs : polars.DataFrame
        One row per pair of both plans of which the route or a state changed.
    added, removed : polars.DataFrame
        ``target, symbol, route`` of the pairs that only one plan has.
    crossings : polars.DataFrame
        The rules that answer otherwise, by the row of ``pairs``.
    """

    before: RoutingPlan
    after: RoutingPlan
    settings: Mapping[str, tuple[Any, Any]]
    pairs: pl.DataFrame
    added: pl.DataFrame
    removed: pl.DataFrame
    crossings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CROSSING_SCHEMA))

    @property
    def same(self) -> bool:
        """Whether every pair has the same route in both plans."""
        return not (self.rerouted.height or self.added.height or self.removed.height)

    @cached_property
    def rerouted(self) -> pl.DataFrame:
        """The rows of ``pairs`` whose route changed."""
        return self.pairs.filter(pl.col("route_before") != pl.col("route_after"))

    def transitions(self) -> dict[tuple[str, str], int]:
        """Return how many pairs went from one route to another, most first."""
        counted = self.rerouted.group_by("route_before", "route_after").len()
        ordered = counted.sort(["len", "route_before", "route_after"], descending=[True, False, False])
        return {(a, b): int(n) for a, b, n in ordered.select("route_before", "route_after", "len").iter_rows()}

    def kinds(self) -> dict[str, int]:
        """Return how many pairs changed their route for which kind of cause, most first."""
        return _counted(self.rerouted, "kind") if self.rerouted.height else {}

    def causes(self, target: str | None = None) -> dict[str, int]:
        """Return how many pairs (of a target) changed their route by which metric or config key, most first."""
        of_target = self.rerouted if target is None else self.rerouted.filter(pl.col("target") == target)
        if not of_target.height:
            return {}
        found = (
            self._relevant()
            .join(of_target.select("row"), on="row", how="semi")
            .with_columns(metric=pl.concat_str(pl.col("side"), pl.lit(" "), pl.coalesce("metric", "rule")))
        )
        metrics = found.filter(pl.col("by") != "config").select("row", name="metric")
        keys = found.filter(pl.col("by") != "metric").select("row", name=pl.coalesce("key", "metric"))
        alone = of_target.select("row", name="keys").explode("name").drop_nulls()
        return _counted(pl.concat([metrics, keys, alone]).unique(), "name")

    def changes(self, limit: int | None = None) -> list[RouteChange]:
        """Return the pairs whose route changed, then those that only one plan has; at most ``limit`` of each."""
        shown = self.rerouted.sort("target", "symbol")
        shown = shown if limit is None else shown.head(limit)
        found = [*self._typed(shown)]
        for frame, kind in ((self.added, "new pair"), (self.removed, "gone")):
            for target, symbol, name in (frame if limit is None else frame.head(limit)).iter_rows():
                route = RouteState(name)
                before, after = (None, route) if kind == "new pair" else (route, None)
                found.append(RouteChange(target=target, symbol=symbol, before=before, after=after, kind=kind))
        return found

    def of(self, pairs: pl.DataFrame) -> dict[tuple[str, str], RouteChange]:
        """Return what changed of some pairs (``target, symbol``): their routes or, with the same route, a state."""
        shown = self.pairs.join(pairs, on=["target", "symbol"], how="semi") if self.pairs.height else self.pairs
        return {(change.target, change.symbol): change for change in self._typed(shown)}

    def _relevant(self) -> pl.DataFrame:
        """Return the crossings that the kind of their pair is about."""
        kinds = self.crossings.join(self.pairs.select("row", "kind"), on="row", how="left", maintain_order="left")
        kept = [(pl.col("kind") == kind) & pl.col("by").is_in(by) for kind, by in _WANTED.items()]
        return kinds.filter(pl.any_horizontal(*kept, ~pl.col("kind").is_in(list(_WANTED)))).drop("kind")

    def _typed(self, shown: pl.DataFrame) -> list[RouteChange]:
        if not shown.height:
            return []
        by_row: dict[int, list[Cause]] = {}
        for row in self._relevant().join(shown.select("row"), on="row", how="semi").iter_rows(named=True):
            by_row.setdefault(row["row"], []).append(_cause(row))
        return [
            RouteChange(
                target=row["target"],
                symbol=row["symbol"],
                before=RouteState(row["route_before"]),
                after=RouteState(row["route_after"]),
                kind=row["kind"],
                causes=(
                    *by_row.get(row["row"], ()),
                    *(self._setting(key) for key in row["keys"] or ()),
                    *_lane(row),
                ),
                rows_before=row["rows_before"],
                rows_after=row["rows_after"],
            )
            for row in shown.iter_rows(named=True)
        ]

    def _setting(self, key: str) -> Cause:
        before, after = self.settings[key]
        return Cause(
            by="config",
            side=None,
            rule=key,
            metric=None,
            key=key,
            value_before=None,
            value_after=None,
            threshold_before=_plain(before),
            threshold_after=_plain(after),
        )


def _lane(row: Mapping[str, Any]) -> list[Cause]:
    """Say that a pair won or lost its place in the experimental lane to others, by their evidence and its own."""
    routes = {row["route_before"], row["route_after"]}
    full = [row[f"blocked_by_{when}"] == LANE_FULL for when in ("before", "after")]
    if row["kind"] == "config" or not any(full) or RouteState.ROUTE_EXPERIMENTAL_ONLY not in routes:
        return []
    before, after = ("full" if out else "kept" for out in full)
    return [
        Cause(
            by="metric",
            side=None,
            rule="experimental lane",
            metric="place in the experimental lane",
            key="routing.experimental.max_fraction_symbols_per_target",
            value_before=before,
            value_after=after,
            threshold_before=None,
            threshold_after=None,
        )
    ]


def _cause(row: Mapping[str, Any]) -> Cause:
    def typed(name: str) -> float | str | None:
        text = row[name]
        return float(text) if row["numeric"] and text is not None else text

    return Cause(
        by=row["by"],
        side=row["side"],
        rule=row["rule"],
        metric=row["metric"],
        key=row["key"],
        value_before=typed("value_before"),
        value_after=typed("value_after"),
        threshold_before=typed("threshold_before"),
        threshold_after=typed("threshold_after"),
    )


def _counted(frame: pl.DataFrame, column: str) -> dict[str, int]:
    counted = frame.group_by(column).len().sort(["len", column], descending=[True, False])
    return {name: int(count) for name, count in counted.iter_rows()}


def _plain(value: object) -> float | str | None:
    return value if isinstance(value, float | int | str | None) and not isinstance(value, bool) else str(value)


def _shown(value: float | str | None) -> str:
    if value is None:
        return "none"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
