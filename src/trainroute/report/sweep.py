"""How the routes move with one setting, for people."""

from trainroute.records.differences import Sweep, SweepStep
from trainroute.records.markdown import table
from trainroute.records.vocabulary import RouteState

_HEADINGS = [route.value.removeprefix("ROUTE_") for route in RouteState]


def sweep_lines(found: Sweep) -> list[str]:
    """Return one line per value: pairs by route, and how many are routed otherwise than in the plan."""
    rows = [[found.key, *_HEADINGS, "changed"], *([str(cell) for cell in row] for row in _rows(found))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows]


def sweep_markdown(found: Sweep) -> str:
    """Return the same as a Markdown table."""
    return table([found.key, *_HEADINGS, "changed"], [[str(cell) for cell in row] for row in _rows(found)])


def _rows(found: Sweep) -> list[list[object]]:
    of_plan = SweepStep(value="the plan", routes=found.base, changed=0)
    return [_row(step) for step in (of_plan, *found.steps)]


def _row(step: SweepStep) -> list[object]:
    counts = [step.routes.get(route.value, "–") for route in RouteState]
    return [step.value, *counts, step.changed if step.refused is None else step.refused]
