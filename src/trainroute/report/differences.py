"""The difference of two plans for people: lines for a terminal, Markdown for a comment on a pull request."""

from collections.abc import Iterator, Mapping, Sequence

from trainroute.records.differences import JobDifference, PlansDifference, RouteDifference
from trainroute.records.markdown import bounded_table, cell, table

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_NAMES_SHOWN = 20


def difference_lines(found: PlansDifference) -> list[str]:
    """Return counts, what the plans were made from, causes, then routes and jobs one by one."""
    lines = [headline(found), *(f"note: {note}" for note in found.notes)]
    made_from = [f"{item.what}: {item.before} → {item.after}" for item in found.inputs]
    lines += _section("made from", _first(made_from))
    lines += _section("routes", _counts(found.transitions))
    by_budget = [f"{found.counts.jobs_by_budget} jobs: budget"] if found.counts.jobs_by_budget else []
    lines += _section("because of", [*_counts(found.kinds), *by_budget])
    lines += _section("which crossed", _counts(found.causes))
    lines += _section("pairs", [_route_line(route) for route in found.routes])
    lines += _more(len(found.routes), _pairs_in_all(found))
    lines += _section("jobs", [_job_line(job) for job in found.jobs])
    return [*lines, *_more(len(found.jobs), _jobs_in_all(found))]


def difference_markdown(found: PlansDifference) -> str:
    """Return the same as Markdown; details stand in folded sections."""
    parts = ["## Plan difference", "", cell(headline(found)), ""]
    parts += [line for note in found.notes for line in (f"> {cell(note)}", "")]
    made_from = [(item.what, item.before, item.after) for item in found.inputs]
    by_budget = [("budget", found.counts.jobs_by_budget)] if found.counts.jobs_by_budget else []
    for headers, rows in (
        (["made from", "before", "after"], made_from),
        (["routes", "pairs"], list(found.transitions.items())),
        (["because of", "pairs"], list(found.kinds.items())),
        (["because of", "jobs"], by_budget),
        (["which crossed", "pairs"], list(found.causes.items())),
    ):
        if rows:
            parts += [bounded_table(headers, rows[:_NAMES_SHOWN], total=len(rows))]
    routes = [(r.target, r.symbol, _arrow(r), r.why) for r in found.routes]
    parts += _folded(f"{len(routes)} of {_pairs_in_all(found)} pairs", ["target", "symbol", "route", "why"], routes)
    jobs = [(_SIGNS[job.change], job.job_id, _fields(job), job.why) for job in found.jobs]
    parts += _folded(f"{len(jobs)} of {_jobs_in_all(found)} jobs", ["", "job", "changed", "why"], jobs)
    return "\n".join(parts)


def headline(found: PlansDifference) -> str:
    """Return the counts on one line."""
    if found.same:
        return f"no difference: the same {' and '.join(found.compared)}"
    counts = found.counts
    jobs = f"{counts.jobs_added} added, {counts.jobs_removed} removed, {counts.jobs_changed} changed"
    routes = f"{counts.routes_changed} changed, {counts.pairs_added} pairs new, {counts.pairs_removed} gone"
    said = {"jobs": jobs, "routes": routes}
    return "; ".join(f"{what}: {said[what] if what in found.compared else 'not compared'}" for what in said)


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def _counts(counted: Mapping[str, int]) -> list[str]:
    return _first([f"{count} {name}" for name, count in counted.items()])


def _first(named: Sequence[str]) -> list[str]:
    more = [f"… {len(named) - _NAMES_SHOWN} more"] if len(named) > _NAMES_SHOWN else []
    return [*named[:_NAMES_SHOWN], *more]


def _more(shown: int, total: int) -> list[str]:
    return [f"  … {total - shown} more, see --limit"] if total > shown else []


def _pairs_in_all(found: PlansDifference) -> int:
    return found.counts.routes_changed + found.counts.pairs_added + found.counts.pairs_removed


def _jobs_in_all(found: PlansDifference) -> int:
    return found.counts.jobs_added + found.counts.jobs_removed + found.counts.jobs_changed


def _arrow(route: RouteDifference) -> str:
    return " → ".join("none" if name is None else name.removeprefix("ROUTE_") for name in (route.before, route.after))


def _route_line(route: RouteDifference) -> str:
    return f"{route.target} · {route.symbol}: {_arrow(route)}; {route.why}"


def _job_line(job: JobDifference) -> str:
    return f"{_SIGNS[job.change]} {job.job_id}: " + "; ".join(part for part in (_fields(job), job.why) if part)


def _fields(job: JobDifference) -> str:
    shown = {name: job.fields[name] for name in ("route", "priority", "model_families") if name in job.fields}
    return ", ".join(f"{name} {_value(before)} → {_value(after)}" for name, (before, after) in shown.items())


def _value(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _folded(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    if rows:
        yield from (f"<details><summary>{title}</summary>", "", table(headers, rows), "</details>", "")
