"""How the routes move with one setting, for people."""

from trainroute.records.differences import Sweep
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
    counted = [("the plan", found.base, 0), *((step.value, step.routes, step.changed) for step in found.steps)]
    return [[value, *(routes[route.value] for route in RouteState), changed] for value, routes, changed in counted]
