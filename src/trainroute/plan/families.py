"""Which model families each job gets, and why the others are left out.

By capability only, never by what happens to be installed: task, training type, rows, and the settings
``planning.experimental_families`` and ``planning.family_min_priority``. Jobs are told apart by what matters here, so
the work is per kind of job, not per job.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from trainroute.config.planning import PlanningConfig
from trainroute.families import FAMILIES, Family, two_stage_order
from trainroute.records.plan import FeatureSet
from trainroute.records.vocabulary import RouteState, Task, TrainingType

_DEFAULT_FEATURES = 100
_MILLION = 1_000_000
_KIND = ["task_type", "training_type", "experimental", "row_level", "priority_level", "feature_set_id"]


@dataclass(frozen=True, kw_only=True)
class _JobKind:
    """What families are chosen by; ``n_rows`` and ``priority`` are the least of the kind, None: not known."""

    task: Task | None
    training_type: TrainingType
    experimental: bool
    n_rows: int | None
    priority: int
    n_features: int


def resolve(names: Sequence[str]) -> tuple[type[Family], ...]:
    """Return families by name, whatever the case, in the order in which they run.

    Raises
    ------
    UnknownNameError
        If a family does not exist.
    """
    found = {FAMILIES.get(name).name: FAMILIES.get(name) for name in names}
    return tuple(found[name] for name in two_stage_order(found))


def assign_families(
    jobs: pl.DataFrame, asked: Sequence[type[Family]], config: PlanningConfig, feature_sets: Mapping[str, FeatureSet]
) -> pl.DataFrame:
    """Add ``model_families``, ``families_left_out`` (JSON) and ``estimated_cost_seconds`` to a table of jobs.

    Parameters
    ----------
    jobs : polars.DataFrame
        With ``task_type, training_type, route, sample_size, priority, feature_set_id``.
    asked : sequence of Family
        In the order in which they run.
    config : PlanningConfig
    feature_sets : mapping of str to FeatureSet
        Their size is part of the cost.
    """
    lane = tuple(family.name for family in resolve(config.experimental_families))
    least = {FAMILIES.get(name).name: priority for name, priority in config.family_min_priority.items()}
    row_levels = sorted({0, *(family.min_rows for family in asked)})
    priority_levels = sorted({0, *least.values()})
    kinds = jobs.with_columns(
        experimental=pl.col("route") == RouteState.ROUTE_EXPERIMENTAL_ONLY,
        row_level=_level(pl.col("sample_size"), row_levels),
        priority_level=_level(pl.col("priority"), priority_levels),
    )
    rows = []
    for row in kinds.select(_KIND).unique(maintain_order=True).iter_rows(named=True):
        features = feature_sets.get(row["feature_set_id"])
        kind = _JobKind(
            task=None if row["task_type"] is None else Task(row["task_type"]),
            training_type=TrainingType(row["training_type"]),
            experimental=row["experimental"],
            n_rows=row["row_level"],
            priority=row["priority_level"],
            n_features=_DEFAULT_FEATURES if features is None else len(features.features),
        )
        rows.append({**row, **_assignment(kind, asked, lane, least)})
    assigned = pl.DataFrame(rows, schema={**kinds.select(_KIND).schema, **_ASSIGNMENT_SCHEMA})
    cost = pl.col("fixed_seconds") + pl.col("seconds_per_million_rows") * pl.col("sample_size").fill_null(0) / _MILLION
    return (
        kinds.join(assigned, on=_KIND, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(estimated_cost_seconds=cost.round(3))
        .drop("experimental", "row_level", "priority_level", "fixed_seconds", "seconds_per_million_rows")
    )


_ASSIGNMENT_SCHEMA = {
    "model_families": pl.List(pl.String()),
    "families_left_out": pl.String(),
    "fixed_seconds": pl.Float64(),
    "seconds_per_million_rows": pl.Float64(),
}


def _level(value: pl.Expr, levels: Sequence[int]) -> pl.Expr:
    """Return the highest of the levels that a value reaches; null stays null."""
    reached = pl.lit(0, pl.Int64)
    for level in levels:
        reached = pl.when(value >= level).then(pl.lit(level)).otherwise(reached)
    return pl.when(value.is_not_null()).then(reached)


def _assignment(
    kind: _JobKind, asked: Sequence[type[Family]], lane: Sequence[str], least: Mapping[str, int]
) -> dict[str, object]:
    left_out = {family.name: why for family in asked if (why := _unfit(family, kind, least)) is not None}
    fitting = [family for family in asked if family.name not in left_out]
    if kind.experimental:
        chosen = [family for family in fitting if family.name in lane] or _cheapest(fitting)
        left_out |= {family.name: "not for experimental jobs" for family in fitting if family not in chosen}
        fitting = chosen
    fixed = sum(family.estimate_seconds(0, kind.n_features) for family in fitting)
    with_rows = sum(family.estimate_seconds(_MILLION, kind.n_features) for family in fitting)
    return {
        "model_families": [family.name for family in fitting],
        "families_left_out": msgspec.json.encode(left_out, order="sorted").decode(),
        "fixed_seconds": float(fixed),
        "seconds_per_million_rows": float(with_rows - fixed),
    }


def _unfit(family: type[Family], kind: _JobKind, least: Mapping[str, int]) -> str | None:
    """Return why a family cannot or may not train a kind of job."""
    if kind.task is not None:
        unfit = family.unfit_reason(task=kind.task, training_type=kind.training_type, n_rows=None)
        if unfit is not None:
            return unfit
    elif kind.training_type not in family.training_types:
        return f"{family.name} does not train {kind.training_type} jobs"
    if kind.n_rows is not None and kind.n_rows < family.min_rows:
        return f"{family.name} needs {family.min_rows} rows"
    wanted = least.get(family.name, 0)
    if kind.priority < wanted:
        return f"planning.family_min_priority asks for priority {wanted}"
    return None


def _cheapest(families: Sequence[type[Family]]) -> list[type[Family]]:
    """Return the one that costs least per row, so that the lane never trains more than it must."""
    return sorted(families, key=lambda family: (family.seconds_per_million_rows, family.name))[:1]
