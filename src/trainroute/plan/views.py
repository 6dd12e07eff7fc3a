"""The same jobs by target, symbol, type and route: derived files for people and external schedulers.

Training never reads them. Each says which plan it belongs to; its true name is in the file, as file names are escaped.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TypeVar

from trainroute.records.artifacts import canonical_json
from trainroute.records.names import file_names
from trainroute.records.plan import TrainingPlan
from trainroute.records.plan_io import jobs_part
from trainroute.records.vocabulary import RouteState, TrainingType

Parts = dict[str, Sequence[bytes]]
Views = Iterator[tuple[PurePath, Parts]]
K = TypeVar("K")


def views_of(folder: str, plan: TrainingPlan) -> Views:
    """Yield the path of each view of a folder, relative to the plan's directory, and its parts.

    Parameters
    ----------
    folder : str
        One of `VIEWS`.
    plan : TrainingPlan
    """
    return _OF_FOLDER[folder](plan)


def _by_target(plan: TrainingPlan) -> Views:
    return _named(plan, "by_target", "target", _grouped((job.target for job in plan.jobs), plan.job_lines))


def _by_symbol(plan: TrainingPlan) -> Views:
    own = _grouped((job.symbol for job in plan.jobs), plan.job_lines)
    served = _serving(plan)
    by_symbol = {symbol: own.get(symbol, []) for symbol in {*own, *served} if symbol is not None}
    return _named(plan, "by_symbol", "symbol", by_symbol, served_by=served)


def _by_type(plan: TrainingPlan) -> Views:
    by_type = _grouped((job.training_type for job in plan.jobs), plan.job_lines)
    for kind in TrainingType:
        yield _view(plan, "by_type", kind.value, {"training_type": kind.value}, by_type.get(kind, []))


def _by_route(plan: TrainingPlan) -> Views:
    by_route = _grouped((job.route for job in plan.jobs), plan.job_lines)
    for route in RouteState:
        if route is not RouteState.ROUTE_BLOCKED:
            name = route.value.removeprefix("ROUTE_").lower()
            yield _view(plan, "by_route", name, {"route": route.value}, by_route.get(route, []))


_OF_FOLDER: dict[str, Callable[[TrainingPlan], Views]] = {
    "by_target": _by_target,
    "by_symbol": _by_symbol,
    "by_type": _by_type,
    "by_route": _by_route,
}
VIEWS = tuple(_OF_FOLDER)


def _grouped(keys: Iterable[K], lines: Sequence[bytes]) -> dict[K, list[bytes]]:
    groups: dict[K, list[bytes]] = {}
    for key, line in zip(keys, lines, strict=True):
        groups.setdefault(key, []).append(line)
    return groups


def _serving(plan: TrainingPlan) -> dict[str, list[str]]:
    """Return for each symbol the pooled jobs that serve it."""
    served: dict[str, list[str]] = {}
    for job in plan.jobs:
        if job.symbol is None:
            for symbol in job.metadata.symbols:
                served.setdefault(symbol, []).append(job.job_id)
    return served


def _named(
    plan: TrainingPlan,
    folder: str,
    key: str,
    groups: Mapping[str, Sequence[bytes]],
    served_by: Mapping[str, Sequence[str]] | None = None,
) -> Views:
    files = file_names(groups)
    for name in sorted(groups):
        about: dict[str, object] = {key: name}
        if served_by is not None:
            about["served_by"] = sorted(served_by.get(name, []))
        yield _view(plan, folder, files[name], about, groups[name])


def _view(
    plan: TrainingPlan, folder: str, file: str, about: Mapping[str, object], lines: Sequence[bytes]
) -> tuple[PurePath, Parts]:
    metadata = {
        "schema_version": plan.metadata.schema_version,
        "plan_id": plan.metadata.plan_id,
        "total_jobs": len(lines),
        **about,
    }
    return PurePath(folder, f"{file}.json"), {"metadata": [canonical_json(metadata)], "jobs": jobs_part(lines)}
