"""What differs between two routing plans, as values: counts of all pairs, single pairs with their causes on request."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from trainroute.config.changes import PINS
from trainroute.records.differences import ChangeCause, RouteDifference, shown
from trainroute.records.routing import RoutingPlan
from trainroute.records.vocabulary import RouteState
from trainroute.route.checks import Cause
from trainroute.route.crossings import CROSSING_SCHEMA
from trainroute.route.factors import Factor
from trainroute.route.lane_changes import LaneChanges

LANE_FULL = Cause.LANE_FULL.value
_PINS_SHOWN = 3


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
        key = pl.coalesce("key", "metric")
        names = {
            Factor.EVIDENCE: pl.col("metric"),
            Factor.CONFIG: key,
            Factor.MEMORY: pl.concat_str(pl.lit("hysteresis on "), key),
        }
        by_rule = [found.filter(f"by_{factor}").select("row", name=name) for factor, name in names.items()]
        alone = of_target.select("row", name="keys").explode("name").drop_nulls()
        return _counted(pl.concat([*by_rule, alone]).unique(), "name")

    def changes(self, limit: int | None = None) -> list[RouteDifference]:
        """Return the pairs whose route changed, then those that only one plan has; at most ``limit`` of each."""
        shown = self.rerouted.sort("target", "symbol")
        shown = shown if limit is None else shown.head(limit)
        found = [*self._typed(shown)]
        for frame, kind in ((self.added, "new pair"), (self.removed, "gone")):
            for target, symbol, name in (frame if limit is None else frame.head(limit)).iter_rows():
                route = RouteState(name)
                before, after = (None, route) if kind == "new pair" else (route, None)
                found.append(
                    RouteDifference(target=target, symbol=symbol, before=before, after=after, kind=kind, why=kind)
                )
        return found

    def of(self, pairs: pl.DataFrame) -> dict[tuple[str, str], RouteDifference]:
        """Return what changed of some pairs (``target, symbol``): their routes or, with the same route, a state."""
        shown = self.pairs.join(pairs, on=["target", "symbol"], how="semi") if self.pairs.height else self.pairs
        return {(change.target, change.symbol): change for change in self._typed(shown)}

    def _relevant(self) -> pl.DataFrame:
        """Return the crossings that were moved by what is blamed for the route of their pair."""
        blamed = self.pairs.select("row", *(pl.col(f"by_{factor}").alias(f"pair_{factor}") for factor in Factor))
        found = self.crossings.join(blamed, on="row", how="inner", maintain_order="left")
        return found.filter(pl.any_horizontal(pl.col(f"by_{f}") & pl.col(f"pair_{f}") for f in Factor))

    def _typed(self, shown: pl.DataFrame) -> list[RouteDifference]:
        if not shown.height:
            return []
        by_row: dict[int, list[ChangeCause]] = {}
        for row in self._relevant().join(shown.select("row"), on="row", how="semi").iter_rows(named=True):
            by_row.setdefault(row["row"], []).append(self._crossing(row))
        return [self._difference(row, by_row.get(row["row"], [])) for row in shown.iter_rows(named=True)]

    def _difference(self, row: Mapping[str, Any], rules: list[ChangeCause]) -> RouteDifference:
        causes = tuple(dict.fromkeys([*rules, *self._settings_changed(row["keys"] or ()), *self._lane(row)]))
        return RouteDifference(
            target=row["target"],
            symbol=row["symbol"],
            before=RouteState(row["route_before"]),
            after=RouteState(row["route_after"]),
            kind=row["kind"],
            why=_why(row, causes),
            causes=causes,
        )

    def _crossing(self, row: Mapping[str, Any]) -> ChangeCause:
        """Return a crossed rule as a cause; one that a switch turned on or off has no threshold but the switch."""
        key, thresholds = row["key"], (row["threshold_before"], row["threshold_after"])
        switched = (row["metric"] is None or None in thresholds) and row[f"by_{Factor.CONFIG}"] and key in self.settings
        return _setting(key, *self.settings[key]) if switched else _cause(row)

    def _settings_changed(self, keys: Iterable[str]) -> Iterator[ChangeCause]:
        """Yield the keys with both values; of pins as a whole a few of those that changed."""
        for key in keys:
            pins = [name for name in self.settings if name.startswith(f"{PINS}[")] if key == PINS else [key]
            yield from (_setting(name, *self.settings[name]) for name in pins[:_PINS_SHOWN])

    def _lane(self, row: Mapping[str, Any]) -> Iterable[ChangeCause]:
        """Say that a pair won or lost its place in the experimental lane: by its own score, and against whom."""
        routes = {row["route_before"], row["route_after"]}
        full = [row[f"blocked_by_{when}"] == LANE_FULL for when in ("before", "after")]
        if row["kind"] == "config" or not any(full) or RouteState.ROUTE_EXPERIMENTAL_ONLY not in routes:
            return ()
        return self._lanes.causes(row["target"], row["symbol"], by=_by(row))

    @cached_property
    def _lanes(self) -> LaneChanges:
        return LaneChanges(self.before, self.after)


def _setting(key: str, before: object, after: object) -> ChangeCause:
    return ChangeCause(
        by=Factor.CONFIG.value,
        side=None,
        rule=key,
        metric=None,
        key=key,
        value_before=None,
        value_after=None,
        threshold_before=_plain(before),
        threshold_after=_plain(after),
    )


def _why(row: Mapping[str, Any], causes: Iterable[ChangeCause]) -> str:
    """Write kind and causes as one line."""
    kind, rows = row["kind"], ""
    if kind.startswith("data") and row["rows_before"] != row["rows_after"]:
        rows = f" ({shown(row['rows_before'])} → {shown(row['rows_after'])} rows)"
    said = "; ".join(cause.line() for cause in causes)
    return f"{kind}{rows}" + (f": {said}" if said else "")


def _cause(row: Mapping[str, Any]) -> ChangeCause:
    def typed(name: str) -> float | str | None:
        text = row[name]
        return float(text) if row["numeric"] and text is not None else text

    return ChangeCause(
        by=_by(row),
        side=row["side"],
        rule=row["rule"],
        metric=row["metric"],
        key=row["key"],
        value_before=typed("value_before"),
        value_after=typed("value_after"),
        threshold_before=typed("threshold_before"),
        threshold_after=typed("threshold_after"),
    )


def _by(row: Mapping[str, Any]) -> str:
    return " and ".join(factor.value for factor in Factor if row[f"by_{factor}"])


def _counted(frame: pl.DataFrame, column: str) -> dict[str, int]:
    counted = frame.group_by(column).len().sort(["len", column], descending=[True, False])
    return {name: int(count) for name, count in counted.iter_rows()}


def _plain(value: object) -> float | str | None:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return value if isinstance(value, float | int | str | None) and not isinstance(value, bool) else str(value)
