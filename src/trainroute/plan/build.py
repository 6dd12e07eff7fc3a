"""Decisions to jobs, over the whole table at once (SPEC section 6).

1. `requested_jobs`: one job per pair that asks for a model of its own, one per target whose pool serves a symbol.
2. `assign_families`: families and cost of each.
3. Ids, the link of a BOTH symbol to its pooled job, what a budget leaves out (`kept_within`), and the order in which
   jobs run.
4. The table becomes typed jobs (`_typed`), and their hash the plan's identity.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from trainroute.config import Config
from trainroute.plan.budget import Budget, kept_within
from trainroute.plan.families import assign_families, resolve
from trainroute.plan.jobs import requested_jobs
from trainroute.provenance import code_version
from trainroute.records.artifacts import canonical_json
from trainroute.records.frames import encoded, json_members, record_schema
from trainroute.records.names import job_ids
from trainroute.records.plan import (
    TRAINING_PLAN_SCHEMA_VERSION,
    BudgetReport,
    FeatureSet,
    JobMetadata,
    TrainingJob,
    TrainingPlan,
    TrainingPlanMetadata,
    TrainingPlanSummary,
)
from trainroute.records.plan_io import jobs_part, training_plan_id
from trainroute.records.routing import RoutingPlan, trains_pooled
from trainroute.records.vocabulary import RouteState, TrainingType

_LEFT_OUT = "families_left_out"
"""The field of a job's metadata that the table holds as JSON."""


def build_training_plan(
    routing: RoutingPlan,
    config: Config,
    *,
    families: Sequence[str],
    feature_sets: Mapping[str, FeatureSet],
    data_fingerprint: str | None,
    data_symbols: Sequence[str] | None = None,
    run_id: str,
    generated_at: str,
    git_commit: str | None,
    routing_plan_path: str,
    budget: Budget | None = None,
) -> TrainingPlan:
    """Turn decisions into jobs.

    Parameters
    ----------
    routing : RoutingPlan
    config : Config
        ``planning`` says who teaches the pool and who gets which families.
    families : sequence of str
        The families asked for, by name, whatever the case.
    feature_sets : mapping of str to FeatureSet
        By the ids that the candidates name. A job whose set is not here gets a null id: all panel features that
        pass the leak checks at training time.
    data_fingerprint : str or None
        Content hash of the data behind the decisions; None where the candidates came from elsewhere.
    data_symbols : sequence of str, optional
        The symbols that it covers, where these are not those of the routing plan.
    run_id, generated_at, git_commit, routing_plan_path : str
        Volatile metadata; no part of the plan's identity.
    budget : Budget, optional
        Keep the jobs of greatest value per cost within it; the summary lists what is left out.

    Raises
    ------
    UnknownNameError
        If a family does not exist.
    """
    asked = resolve(families)
    table = requested_jobs(routing, config.planning)
    known = pl.col("feature_set_id").is_in(list(feature_sets))
    table = table.with_columns(feature_set_id=pl.when(known).then("feature_set_id"))
    table = assign_families(table, asked, config.planning, feature_sets)
    table = table.with_columns(job_ids(table["target"], table["symbol"]), cs_job_id=_link(table))
    kept, report = (table, None) if budget is None or not budget.limits else kept_within(table, budget)
    jobs, lines = _typed(kept.sort(["priority", "job_id"], descending=[True, False]))
    sets = {name: feature_sets[name] for name in kept["feature_set_id"].unique().drop_nulls().sort()}
    plan_id = training_plan_id(
        jobs=jobs_part(lines),
        feature_sets=[canonical_json(sets)],
        routing_plan_id=routing.plan_id,
        config_hash=config.config_hash,
    )
    metadata = TrainingPlanMetadata(
        schema_version=TRAINING_PLAN_SCHEMA_VERSION,
        generated_at=generated_at,
        run_id=run_id,
        git_commit=git_commit,
        config_hash=config.config_hash,
        routing_plan_path=routing_plan_path,
        routing_plan_id=routing.plan_id,
        metrics_snapshot=routing.metadata.metrics_snapshot,
        data_fingerprint=data_fingerprint,
        symbols=routing.symbols,
        targets=routing.targets,
        code_version=code_version(),
        total_jobs=len(jobs),
        model_families=tuple(family.name for family in asked),
        plan_id=plan_id,
        data_symbols=None if data_symbols is None else tuple(data_symbols),
    )
    summary = _summary(kept, routing, _pairs_without_pool(table, routing), report)
    plan = TrainingPlan(metadata=metadata, feature_sets=sets, jobs=jobs, summary=summary)
    plan.__dict__["job_lines"] = lines  # keep what the hash has already laid out
    return plan


def _link(table: pl.DataFrame) -> pl.Series:
    """Return the id of the pooled job that the model of a BOTH symbol is blended with."""
    both = (pl.col("route") == RouteState.ROUTE_BOTH) & pl.col("symbol").is_not_null()
    pooled = job_ids(table["target"], pl.Series([None], dtype=pl.String).new_from_index(0, table.height))
    return table.select(pl.when(both).then(pooled)).to_series()


def _typed(table: pl.DataFrame) -> tuple[tuple[TrainingJob, ...], list[bytes]]:
    """Turn the table into typed jobs and their canonical JSON: to JSON as columns, from JSON as types, in slices."""
    own, evidence = record_schema(TrainingJob, without=["metadata"]), record_schema(JobMetadata, without=[_LEFT_OUT])
    table = table.with_columns(pl.col(name).cast(dtype) for name, dtype in {**evidence, **own}.items())
    line = pl.concat_str(
        pl.lit("{"),
        json_members(name for name in own if name < "metadata"),
        pl.lit(',"metadata":{'),
        json_members(name for name in evidence if name < _LEFT_OUT),
        pl.lit(f',"{_LEFT_OUT}":'),
        _LEFT_OUT,
        pl.lit(","),
        json_members(name for name in evidence if name > _LEFT_OUT),
        pl.lit("},"),
        json_members(name for name in own if name > "metadata"),
        pl.lit("}"),
    )
    decoder = msgspec.json.Decoder(TrainingJob)
    jobs: list[TrainingJob] = []
    lines: list[bytes] = []
    for text in encoded(table, line, between="\n"):
        jobs += decoder.decode_lines(text)
        lines += text.splitlines()
    return tuple(jobs), lines


def _pairs_without_pool(table: pl.DataFrame, routing: RoutingPlan) -> int:
    pooled = table.filter(pl.col("symbol").is_null()).select("target")
    served = routing.pairs.select("target", "route", "local_state").filter(trains_pooled())
    return served.join(pooled, on="target", how="anti").height


def _summary(
    jobs: pl.DataFrame, routing: RoutingPlan, pairs_without_pool: int, budget: BudgetReport | None
) -> TrainingPlanSummary:
    routes, types, priorities = (_counts(jobs, name) for name in ("route", "training_type", "priority"))
    causes = routing.pairs.group_by("blocked_by").len().drop_nulls().sort("blocked_by").iter_rows()
    return TrainingPlanSummary(
        by_route={r.value: routes.get(r.value, 0) for r in RouteState if r is not RouteState.ROUTE_BLOCKED},
        by_type={kind.value: types.get(kind.value, 0) for kind in TrainingType},
        by_priority={str(priority): priorities[priority] for priority in sorted(priorities, reverse=True)},
        total_cs_jobs=types.get(TrainingType.CROSS_SECTIONAL.value, 0),
        total_symbol_jobs=types.get(TrainingType.SYMBOL_SPECIFIC.value, 0),
        total_blocked=routing.route_counts()[RouteState.ROUTE_BLOCKED],
        blocked_reasons={cause: int(count) for cause, count in causes},
        total_pairs=routing.pairs.height,
        pairs_without_pool=pairs_without_pool,
        budget=budget,
    )


def _counts(table: pl.DataFrame, column: str) -> dict[Any, int]:
    return {value: int(count) for value, count in table.group_by(column).len().iter_rows()}
