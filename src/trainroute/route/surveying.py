"""Why many pairs are routed so: of a target, of a symbol, or all that are blocked, with counts per reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl

from trainroute.errors import UnknownNameError
from trainroute.records.plan import NO_POOL
from trainroute.records.routing import (
    CrossSectionalDecision,
    RoutingPlan,
    causes_counted,
    near_margins,
    routes_counted,
)
from trainroute.records.vocabulary import Mode, RouteState
from trainroute.route.outcomes import RuleOutcome, outcomes_of, rule_lines
from trainroute.route.pool import untrained_of, without_pool
from trainroute.route.recorded import facts_of_plan
from trainroute.route.rules import checks_of

SHOWN = 20
"""How many pairs a survey lists unless it is asked for another number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Survey:
    """What was decided for many pairs.

    Attributes
    ----------
    title : str
    routes : dict of str to int
        Pairs by route.
    blocked : dict of str to int
        Blocked pairs by cause, most first.
    pairs : polars.DataFrame
        ``target, symbol, route, cs_state, local_state, blocked_by, nearest`` (the rule of the pair's own score or skill
        that is nearest to a threshold that its state rests on), ``distance`` (value minus threshold), ``reason``; the
        nearest first.
    without_pool : int
        Pairs that are routed to a pool that no symbol may teach, so that the model is not trained.
    untrained : dict of str to int
        Jobs that would serve them and train nothing, by why.
    pooled : CrossSectionalDecision or None
        The pooled side, where the survey is of one target.
    pooled_rules : tuple of RuleOutcome
    """

    title: str
    routes: Mapping[str, int]
    blocked: Mapping[str, int]
    pairs: pl.DataFrame
    without_pool: int = 0
    untrained: Mapping[str, int] = field(default_factory=dict)
    pooled: CrossSectionalDecision | None = None
    pooled_rules: tuple[RuleOutcome, ...] = ()

    def lines(self, limit: int = SHOWN) -> list[str]:
        """Write counts first, then at most ``limit`` pairs, as plain lines of text."""
        lines = [f"{self.title}: {self.pairs.height} pairs"]
        lines += [f"  {count} {route}" for route, count in self.routes.items() if count]
        lines += [f"not trained: {said}" for said in self.not_trained()]
        lines += ["", "why blocked", *(f"  {n} {cause}" for cause, n in self.blocked.items())] if self.blocked else []
        if self.pooled is not None:
            lines += ["", f"pooled side: {self.pooled.state.value}", *(f"  {text}" for text in self.pooled.reasons)]
            lines += rule_lines(self.pooled_rules)
        lines += ["", "pairs, nearest to a threshold first"]
        lines += [_pair_line(row) for row in self.pairs.head(limit).iter_rows(named=True)]
        more = self.pairs.height - limit
        return [*lines, f"  … {more} more"] if more > 0 else lines

    def not_trained(self) -> list[str]:
        """Say how many models that the routes ask for are not trained, and why."""
        said = [f"{self.without_pool} of them are routed to {NO_POOL}"] if self.without_pool else []
        return said + [f"{count} of their jobs, {why}" for why, count in self.untrained.items()]

    def to_dict(self, limit: int = SHOWN) -> dict[str, Any]:
        """Return the survey as plain builtins, with at most ``limit`` pairs, for JSON."""
        return {
            "title": self.title,
            "total_pairs": self.pairs.height,
            "routes": dict(self.routes),
            "blocked": dict(self.blocked),
            "without_pool": self.without_pool,
            "untrained": dict(self.untrained),
            "pooled": msgspec.to_builtins(self.pooled),
            "pooled_rules": msgspec.to_builtins(self.pooled_rules),
            "pairs": self.pairs.head(limit).to_dicts(),
        }


def survey(
    plan: RoutingPlan,
    *,
    target: str | None = None,
    symbol: str | None = None,
    blocked: bool = False,
    untrained: Mapping[str, str] | None = None,
) -> Survey:
    """Look at the decisions of a target, of a symbol, or of all pairs.

    Parameters
    ----------
    plan : RoutingPlan
    target, symbol : str, optional
        Only these.
    blocked : bool
        Only the pairs that are blocked.
    untrained : mapping of str to str, optional
        As of `trainroute.route.explain`.

    Raises
    ------
    UnknownNameError
        If the plan does not have the target or the symbol.
    """
    chosen = plan.pairs
    if target is not None:
        own = plan.cross_sectional(target)
        chosen = chosen.filter(pl.col("target") == target)
    if symbol is not None:
        if symbol not in chosen["symbol"]:
            raise UnknownNameError("symbol", symbol, chosen["symbol"].unique().to_list())
        chosen = chosen.filter(pl.col("symbol") == symbol)
    if blocked:
        chosen = chosen.filter(pl.col("route") == RouteState.ROUTE_BLOCKED)
    rules: tuple[RuleOutcome, ...] = ()
    if target is not None:
        facts = facts_of_plan(plan, [target])
        rules = outcomes_of(facts.pooled, checks_of(Mode.CROSS_SECTIONAL, plan.routing, facts.provided))
    names = [name for name in (target, symbol, "blocked" if blocked else None) if name is not None]
    return Survey(
        title=" · ".join(names) or "all",
        routes={route.value: count for route, count in routes_counted(chosen).items()},
        blocked=causes_counted(chosen),
        pairs=_listed(chosen),
        without_pool=without_pool(plan, chosen),
        untrained=untrained_of(chosen, untrained or {}),
        pooled=own if target is not None else None,
        pooled_rules=rules,
    )


def _listed(pairs: pl.DataFrame) -> pl.DataFrame:
    margins = near_margins()
    least = pl.min_horizontal(margin.abs() for margin in margins.values())
    nearest = pl.coalesce(pl.when(margin.abs() == least).then(pl.lit(name)) for name, margin in margins.items())
    distance = pl.coalesce(pl.when(margin.abs() == least).then(margin) for margin in margins.values())
    return pairs.select(
        "target",
        "symbol",
        "route",
        "cs_state",
        "local_state",
        "blocked_by",
        nearest=nearest,
        distance=distance,
        reason=pl.col("reasons").list.first(),
    ).sort(pl.col("distance").abs(), "target", "symbol", nulls_last=True)


def _pair_line(row: Mapping[str, Any]) -> str:
    near = "" if row["nearest"] is None else f"; nearest: {row['nearest']} {row['distance']:+g}"
    cause = "" if row["blocked_by"] is None else f" ({row['blocked_by']})"
    states = f"pooled {row['cs_state']}, local {row['local_state']}"
    return f"  {row['target']} · {row['symbol']}: {row['route']}{cause}; {states}{near}"
