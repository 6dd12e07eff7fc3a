"""A difference of two plans, narrowed to the jobs and pairs that a person asks for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import polars as pl
from msgspec import structs

from trainroute.errors import UsageError
from trainroute.records.patterns import selected
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.records.selectors import Selector, meant_routes, selected_ids, served_symbols
from trainroute.route import RouteChanges

_OF_JOBS = ("types", "families", "min_priority", "jobs")


@dataclass(frozen=True, kw_only=True)
class Narrowing:
    """Which jobs and which pairs of two plans are compared.

    A job is where it is meant in one of the two plans. A pair is by its target, its symbol and either of its routes;
    and, where jobs are asked for by type, family, priority or id, if one of them serves it.
    """

    selector: Selector
    job_ids: Collection[str]
    targets: Collection[str] | None
    symbols: Collection[str] | None
    served: pl.DataFrame | None

    def of_plan(self, plan: TrainingPlan) -> TrainingPlan:
        """Return a plan with only the jobs that are compared."""
        return structs.replace(plan, jobs=tuple(job for job in plan.jobs if job.job_id in self.job_ids))

    def of_routes(self, routes: RouteChanges) -> RouteChanges:
        """Return only the pairs that are compared."""
        return replace(
            routes,
            pairs=self._kept(routes.pairs, ("route_before", "route_after")),
            added=self._kept(routes.added, ("route",)),
            removed=self._kept(routes.removed, ("route",)),
        )

    def _kept(self, pairs: pl.DataFrame, routes: Sequence[str]) -> pl.DataFrame:
        for column, names in (("target", self.targets), ("symbol", self.symbols)):
            pairs = pairs if names is None else pairs.filter(pl.col(column).is_in(list(names)))
        if self.selector.routes is not None:
            meant = list(meant_routes(self.selector.routes))
            pairs = pairs.filter(pl.any_horizontal(pl.col(name).is_in(meant) for name in routes))
        return pairs if self.served is None else pairs.join(self.served, on=["target", "symbol"], how="semi")


def narrowing(selector: Selector, plans: Sequence[TrainingPlan], routings: Sequence[RoutingPlan]) -> Narrowing:
    """Return what a selector means in the plans that are compared.

    Raises
    ------
    UnknownNameError
        If a name or glob matches nothing that any of the plans has.
    UsageError
        If jobs are asked for where only routing plans are compared.
    """
    of_jobs = any(getattr(selector, name) is not None for name in _OF_JOBS)
    if of_jobs and not plans:
        raise UsageError(
            "routing plans have no jobs; select by --targets, --symbols or --routes, or give training plans"
        )
    ids = selected_ids(plans, selector) if plans else set()
    served = [
        (job.target, symbol)
        for plan in plans
        for job in plan.jobs
        if job.job_id in ids
        for symbol in served_symbols(job)
    ]
    both: list[TrainingPlan | RoutingPlan] = [*plans, *routings]
    known = {
        "target": {name for plan in both for name in _names(plan, "targets")},
        "symbol": {name for plan in both for name in _names(plan, "symbols")},
    }
    names = {
        kind: None if patterns is None else selected(f"{kind} of these plans", patterns, known[kind])
        for kind, patterns in (("target", selector.targets), ("symbol", selector.symbols))
    }
    return Narrowing(
        selector=selector,
        job_ids=ids,
        targets=names["target"],
        symbols=names["symbol"],
        served=pl.DataFrame(served, schema={"target": pl.String, "symbol": pl.String}, orient="row")
        if of_jobs
        else None,
    )


def _names(plan: TrainingPlan | RoutingPlan, kind: str) -> Sequence[str]:
    """Return the targets or symbols of a plan, with those of the jobs of a legacy plan, which lists none."""
    if isinstance(plan, RoutingPlan):
        return plan.targets if kind == "targets" else plan.symbols
    own = (
        [job.target for job in plan.jobs]
        if kind == "targets"
        else [s for job in plan.jobs for s in served_symbols(job)]
    )
    listed: Sequence[str] = plan.metadata[kind]
    return [*listed, *own]
