"""The training plan as a page that a person reads, whatever its size: counts, the first jobs, the edge cases."""

from collections import Counter

from trainroute.records.markdown import bounded_table, table
from trainroute.records.plan import NO_POOL, BudgetReport, TrainingJob, TrainingPlan

_JOBS_SHOWN = 50
_TARGETS_SHOWN = 50


def plan_markdown(plan: TrainingPlan) -> str:
    """Return the page: identity, counts, targets, the jobs that run first and those that run last."""
    meta, summary = plan.metadata, plan.summary
    cost = sum(job.metadata.estimated_cost_seconds for job in plan.jobs)
    made = (
        f"Plan `{meta.plan_id}`, made {meta.generated_at} by trainroute {meta.code_version}, run `{meta.run_id}`, "
        f"from routing plan `{meta.routing_plan_id}`. {meta.total_jobs} jobs: {summary.total_cs_jobs} pooled, "
        f"{summary.total_symbol_jobs} of one symbol; {summary.total_blocked} pairs blocked. "
        f"Estimated cost: {cost:.0f} core seconds."
        + (f" {summary.pairs_without_pool} pairs are routed to {NO_POOL}." if summary.pairs_without_pool else "")
    )
    return "\n".join(
        [
            "# Training plan",
            "",
            made,
            "",
            "## Jobs by route",
            "",
            table(["route", "jobs"], [(route.removeprefix("ROUTE_"), n) for route, n in summary.by_route.items()]),
            "## Why pairs are blocked",
            "",
            table(["cause", "pairs"], Counter(dict(sorted(summary.blocked_reasons.items()))).most_common()),
            "## Targets",
            "",
            _targets(plan),
            "## Jobs that run first",
            "",
            _jobs(plan.jobs[:_JOBS_SHOWN], plan),
            *_last(plan),
            *_left_out(plan.summary.budget),
        ]
    )


def _targets(plan: TrainingPlan) -> str:
    pooled = {job.target: job for job in plan.jobs if job.symbol is None}
    local = Counter(job.target for job in plan.jobs if job.symbol is not None)
    rows = []
    for target in plan.metadata.targets[:_TARGETS_SHOWN]:
        job = pooled.get(target)
        served, pool = (len(job.metadata.symbols), len(job.metadata.training_symbols)) if job else (0, 0)
        rows.append((target, "yes" if job else "no", served, pool, local[target]))
    headers = ["target", "pooled job", "symbols served", "symbols in the pool", "jobs of one symbol"]
    return bounded_table(headers, rows, total=len(plan.metadata.targets))


def _last(plan: TrainingPlan) -> list[str]:
    rest = plan.jobs[_JOBS_SHOWN:]
    return ["## Jobs that run last", "", _jobs(rest[-_JOBS_SHOWN:], plan)] if rest else []


def _left_out(budget: BudgetReport | None) -> list[str]:
    if budget is None:
        return []
    rows = [(job.job_id, job.value, job.cost_seconds, job.reason) for job in budget.left_out[:_JOBS_SHOWN]]
    headers = ["job", "value", "cost in seconds", "reason"]
    listed = bounded_table(headers, rows, total=len(budget.left_out))
    return ["## Left out by the budget", "", f"{budget.line()}.", "", listed]


def _jobs(jobs: tuple[TrainingJob, ...], plan: TrainingPlan) -> str:
    rows = [
        (job.priority, job.job_id, job.route.removeprefix("ROUTE_"), ", ".join(job.model_families), job.reason)
        for job in jobs
    ]
    return bounded_table(["priority", "job", "route", "families", "reason"], rows, total=len(plan.jobs))
