"""The tables that end a run, and what `show` prints."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from rich import box
from rich.table import Table
from rich.text import Text

from trainroute.records.plan import BudgetReport, TrainingJob, TrainingPlan
from trainroute.records.results import TrainingReport
from trainroute.records.routing import RoutingPlan
from trainroute.records.vocabulary import RouteState
from trainroute.report.console import stdout_console
from trainroute.text import print_lines, printable

_ROOM_FOR_INTERVALS = 110
_MOST_JOBS_SHOWN = 40
_MOST_TARGETS_SHOWN = 50
_MOST_GAPS_SHOWN = 10
_BYTES_PER_MB = 1 << 20

_ROUTE_HEADINGS = {
    RouteState.ROUTE_CROSS_SECTIONAL: "pooled",
    RouteState.ROUTE_SYMBOL_SPECIFIC: "local",
    RouteState.ROUTE_BOTH: "both",
    RouteState.ROUTE_EXPERIMENTAL_ONLY: "exper.",
    RouteState.ROUTE_BLOCKED: "blocked",
}


def routes_table(routing: RoutingPlan, *, width: int) -> Table:
    """One row per target, the first of many: the pooled side, and how many symbols have which route.

    Intervals are there where ``width`` has room.
    """
    roomy = width >= _ROOM_FOR_INTERVALS
    shown = routing.pooled.head(_MOST_TARGETS_SHOWN).select("target", "state", "score", "score_ci_low", "score_ci_high")
    cut = "" if shown.height == len(routing.targets) else f", the first {shown.height} of {len(routing.targets)}"
    table = compact_table(f"Routes: symbols per target{cut}")
    table.add_column("target", overflow="fold")
    table.add_column("pooled side", no_wrap=True)
    table.add_column("score [interval]" if roomy else "score", no_wrap=True)
    for heading in _ROUTE_HEADINGS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    counts = _route_counts(routing.pairs)
    for target, state, score, *interval in shown.iter_rows():
        row = [str(counts.get((target, route.value), "·")) for route in _ROUTE_HEADINGS]
        scored = _scored(score, *interval) if roomy else _scored(score, None, None)
        table.add_row(Text(printable(target)), state, scored, *row)
    table.add_section()
    total = routing.route_counts()
    table.add_row("all", "", "", *(str(total[route] or "·") for route in _ROUTE_HEADINGS))
    return table


def compact_table(title: str) -> Table:
    """Return an empty table of the house's look."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def jobs_table(jobs: Sequence[TrainingJob]) -> Table:
    """One row per job in the order in which they run; the first of many."""
    shown = jobs[:_MOST_JOBS_SHOWN]
    title = "Jobs" if len(shown) == len(jobs) else f"Jobs: the first {len(shown)} of {len(jobs)}"
    table = compact_table(title)
    for heading in ("job", "route", "priority", "families"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "priority" else "left")
    for job in shown:
        table.add_row(Text(job.job_id), job.route.value, str(job.priority), ", ".join(job.model_families))
    return table


def families_table(report: TrainingReport) -> Table:
    """One row per family: its jobs by how they ended, seconds, peak memory."""
    table = compact_table("Training: jobs per family")
    table.add_column("family")
    for heading in ("planned", "trained", "kept", "failed", "skipped", "not run", "not planned", "seconds", "peak MB"):
        table.add_column(heading, justify="right")
    for family, counts in report.families.items():
        ended = (counts.planned, counts.executed, counts.resumed, counts.failed)
        rest = (counts.skipped, counts.not_run, counts.not_planned)
        table.add_row(
            family,
            *(str(count or "·") for count in (*ended, *rest)),
            f"{counts.seconds:.1f}",
            f"{counts.peak_memory_bytes / _BYTES_PER_MB:.0f}",
        )
    return table


def skill_table(report: TrainingReport) -> Table:
    """One row per route: the score that routing expected, and that on the final holdout."""
    table = compact_table("Score: expected by routing, realised on the holdout")
    table.add_column("route")
    for heading in ("models", "expected", "realised"):
        table.add_column(heading, justify="right")
    for route, skill in report.routes.items():
        table.add_row(route, str(skill.models), f"{skill.expected_score:.3f}", f"{skill.realised_score:.3f}")
    return table


def print_summary(
    *, routing: RoutingPlan | None, plan: TrainingPlan, report: TrainingReport | None, files: Mapping[str, Path]
) -> None:
    """Print the closing summary: routes per target, jobs by how they ended, where the files are."""
    console = stdout_console()
    if routing is not None:
        console.print(routes_table(routing, width=console.width))
    if report is not None and report.families:
        console.print(families_table(report))
        if report.routes:
            console.print(skill_table(report))
    print_lines(*_counts(plan, report))
    width = max((len(what) for what in files), default=0)
    print_lines(*(f"{what:<{width}}  {path}" for what, path in files.items()))


def print_plan(
    plan: TrainingPlan, routing: RoutingPlan | None = None, *, selected: Sequence[TrainingJob] | None = None
) -> None:
    """Print a plan: where it comes from, routes per target, jobs; where some are ``selected``, these jobs alone."""
    metadata, console = plan.metadata, stdout_console()
    print_lines(
        f"plan {metadata.plan_id} of run {metadata.run_id}, {metadata.generated_at}",
        f"{len(metadata.targets)} targets, {len(metadata.symbols)} symbols",
        f"families: {', '.join(metadata.model_families)}",
    )
    if selected is not None:
        if selected:
            console.print(jobs_table(selected))
        print_lines(f"{len(selected)} of {len(plan.jobs)} jobs are selected")
        return
    if routing is not None:
        console.print(routes_table(routing, width=console.width))
    if plan.jobs:
        console.print(jobs_table(plan.jobs))
    summary = plan.summary
    print_lines(
        f"{len(plan.jobs)} jobs: {_sides(plan)}; {summary.total_blocked} (target, symbol) blocked",
        *(f"  {count} {reason}" for reason, count in summary.blocked_reasons.items()),
        *_budget_lines(summary.budget),
    )


def _sides(plan: TrainingPlan) -> str:
    pooled = sum(job.symbol is None for job in plan.jobs)
    return f"{pooled} pooled, {len(plan.jobs) - pooled} local"


def _budget_lines(budget: BudgetReport | None) -> list[str]:
    if budget is None:
        return []
    left = budget.left_out
    shown = left[:_MOST_JOBS_SHOWN]
    lines = [
        f"budget: {budget.line()}",
        *(f"  {job.job_id}: value {job.value:.4f}, {job.cost_seconds:.1f} s; {job.reason}" for job in shown),
    ]
    return lines if len(shown) == len(left) else [*lines, f"  … {len(left) - len(shown)} more"]


def _counts(plan: TrainingPlan, report: TrainingReport | None) -> list[str]:
    summary = plan.summary
    lines = [f"{len(plan.jobs)} jobs planned: {_sides(plan)}"]
    if summary.budget is not None:
        lines.append(f"budget: {summary.budget.line()}, see 'trainroute show'")
    if report is None:
        return [*lines, "not trained; 'trainroute train' trains by this plan"]
    not_installed = [f"{', '.join(families)}: {reason}" for reason, families in report.not_installed.items()]
    if report.nothing_to_train is not None:
        return [*lines, report.nothing_to_train, *not_installed]
    kept = f", {report.resumed} kept from an earlier run" if report.resumed else ""
    lines.append(f"{report.executed} of {report.planned} job × family trained{kept}")
    gaps = [gap for gap in report.gaps if not gap.endswith(tuple(report.not_installed))]
    lines += [*not_installed, *gaps[:_MOST_GAPS_SHOWN]]
    if len(gaps) > _MOST_GAPS_SHOWN:
        lines.append(f"and {len(gaps) - _MOST_GAPS_SHOWN} more, see the training report")
    lines += [f"after {kind.replace('_', ' ')} ({f.pairs}): {f.advice}" for kind, f in report.failures.items()]
    if report.stopped is not None:
        lines.append(f"stopped: {report.stopped}; 'trainroute train --resume' goes on")
    return lines


def _route_counts(pairs: pl.DataFrame) -> dict[tuple[str, str], int]:
    counted = pairs.group_by("target", "route").len()
    return {(target, route): count for target, route, count in counted.select("target", "route", "len").iter_rows()}


def _scored(score: float | None, low: float | None, high: float | None) -> str:
    if score is None:
        return "not scored"
    return f"{score:.3f}" if low is None or high is None else f"{score:.3f} [{low:.3f}, {high:.3f}]"
