"""Why each job differs between two plans."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import polars as pl

from trainroute.errors import bounded
from trainroute.plan import JobChange, PlanDiff
from trainroute.records.differences import InputDifference, JobDifference, RouteDifference
from trainroute.records.names import job_id
from trainroute.records.plan import BudgetReport, LeftOutJob, TrainingJob
from trainroute.route import RouteChanges


class JobCauses:
    """Why jobs differ: by a budget, by the decisions that ask for them, else by what they were made from.

    Parameters
    ----------
    routes : RouteChanges or None
    inputs : sequence of InputDifference
    budgets : tuple of BudgetReport or None
        Of the plan before and of the one after.
    """

    def __init__(
        self,
        routes: RouteChanges | None,
        inputs: Sequence[InputDifference],
        budgets: tuple[BudgetReport | None, BudgetReport | None],
    ) -> None:
        self.routes = routes
        before, after = ({job.job_id: job for job in ([] if one is None else one.left_out)} for one in budgets)
        self.left_before: Mapping[str, LeftOutJob] = before
        self.left_after: Mapping[str, LeftOutJob] = after
        self.families = [found for found in inputs if found.what == "families" or found.what.startswith("planning.")]
        self.unknown = [found.what for found in inputs]

    def of(self, jobs: PlanDiff, limit: int | None) -> Iterator[JobDifference]:
        """Yield the jobs that differ, at most ``limit`` of those added, of those removed and of those changed."""
        shown: list[tuple[str, TrainingJob, JobChange | None]] = [
            *(("added", job, None) for job in islice(jobs.added, limit)),
            *(("removed", job, None) for job in islice(jobs.removed, limit)),
            *(("changed", change.after, change) for change in islice(jobs.changed, limit)),
        ]
        decisions = self._decisions([job for _, job, _ in shown])
        for kind, job, change in shown:
            yield JobDifference(
                change=kind,
                job_id=job.job_id,
                target=job.target,
                symbol=job.symbol,
                why=self._why(job, change, decisions),
                fields={} if change is None else {c.field: (c.before, c.after) for c in change.changes},
            )

    def by_budget(self, jobs: PlanDiff) -> int:
        """Return how many jobs a budget left out of one plan alone, of those that are added or removed."""
        added = sum(job.job_id in self.left_before for job in jobs.added)
        return added + sum(job.job_id in self.left_after for job in jobs.removed)

    def _decisions(self, jobs: Sequence[TrainingJob]) -> dict[tuple[str, str], RouteDifference]:
        if self.routes is None:
            return {}
        own = [(job.target, job.symbol) for job in jobs if job.symbol is not None]
        return self.routes.of(pl.DataFrame(own, schema={"target": pl.String, "symbol": pl.String}, orient="row"))

    def _why(
        self, job: TrainingJob, change: JobChange | None, decisions: dict[tuple[str, str], RouteDifference]
    ) -> str:
        reasons = (
            self._left_out(job.job_id) if change is None else [*self._others_left_out(change), *self._fields(change)]
        )
        if job.symbol is None:
            reasons = [*self._pool(job.target), *reasons]
        elif (job.target, job.symbol) in decisions:
            decision = decisions[job.target, job.symbol]
            reasons = [
                decision.why if decision.before != decision.after else f"state changed; {decision.why}",
                *reasons,
            ]
        elif self.routes is not None and not reasons:
            reasons = [self._lone(job.target, job.symbol)]
        return "; ".join(reasons) or f"inputs changed: {bounded(self.unknown) or 'none that a plan records'}"

    def _left_out(self, job_id: str) -> list[str]:
        """Say of a job that only one plan has where the budget of the other left it out."""
        if job_id in self.left_after:
            return [f"budget: left out ({self.left_after[job_id].reason})"]
        return [f"budget: was left out ({self.left_before[job_id].reason})"] if job_id in self.left_before else []

    def _others_left_out(self, change: JobChange) -> list[str]:
        """Say of a job that a budget left out, or took back, the jobs that it stands beside."""
        pools = {one.metadata.cs_job_id for one in (change.before, change.after)} - {None}
        beside = set(change.before.metadata.both_symbols) ^ set(change.after.metadata.both_symbols)
        names = [*pools, *(job_id(change.after.target, symbol) for symbol in sorted(beside))]
        moved = [name for name in names if (name in self.left_before) != (name in self.left_after)]
        said = [f"{name} {'left out' if name in self.left_after else 'kept again'}" for name in moved]
        return [f"budget: {bounded(said)}"] if said else []

    def _lone(self, target: str, symbol: str) -> str:
        """Say of a pair whose decision did not change whether only one plan has it."""
        routes = self.routes
        pair = (pl.col("target") == target) & (pl.col("symbol") == symbol)
        if routes is not None and routes.added.filter(pair).height:
            return "new pair"
        return "gone" if routes is not None and routes.removed.filter(pair).height else ""

    def _pool(self, target: str) -> list[str]:
        """Say of a pooled job how many of its target's pairs are routed otherwise, and by what."""
        routes = self.routes
        if routes is None:
            return []
        of_target = pl.col("target") == target
        said = []
        moved = routes.rerouted.filter(of_target).height if routes.rerouted.height else 0
        if moved:
            causes = [f"{name} ({count})" for name, count in routes.causes(target).items()]
            said.append(f"{_symbols(moved)} routed otherwise" + (f" by {bounded(causes)}" if causes else ""))
        for frame, text in ((routes.added, "new"), (routes.removed, "gone")):
            count = frame.filter(of_target).height
            said += [f"{_symbols(count)} {text}"] if count else []
        return said

    def _fields(self, change: JobChange) -> list[str]:
        """Say of a changed job what its fields tell: families asked for or planned otherwise, evidence, features."""
        fields = {found.field: found for found in change.changes}
        said = []
        if "model_families" in fields or "metadata.families_left_out" in fields:
            said += [f"{found.what} {found.before} → {found.after}" for found in self.families]
        evidence = [found for name, found in fields.items() if name.startswith("metadata.") and _is_one(found.after)]
        return said + [f"{found.field.removeprefix('metadata.')} {found.before} → {found.after}" for found in evidence]


def _symbols(count: int) -> str:
    return "1 symbol" if count == 1 else f"{count} symbols"


def _is_one(value: object) -> bool:
    """Whether a value is one number or name, and no list."""
    return value is None or isinstance(value, int | float | str)
