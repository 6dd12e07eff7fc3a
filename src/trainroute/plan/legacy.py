"""Plans of the design that this one follows: no ``schema_version``, no ``plan_id``, no hash, looser jobs.

They are read so that nobody has to start over; what a job lacks has its plainest meaning. A pooled job without lists
of symbols trains on, and serves, all symbols of the data that is trained on.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from trainroute.errors import BrokenPlanError
from trainroute.records.artifacts import JsonText
from trainroute.records.names import job_id, training_type
from trainroute.records.plan import (
    JobMetadata,
    TrainingJob,
    TrainingPlan,
    TrainingPlanMetadata,
    TrainingPlanSummary,
)
from trainroute.records.plan_io import check_unique
from trainroute.records.vocabulary import RouteState, TrainingType

LEGACY_SCHEMA_VERSION = 0


class _Metadata(msgspec.Struct, kw_only=True):
    generated_at: str = ""
    run_id: str = ""
    git_commit: str | None = None
    config_hash: str = ""
    routing_plan_path: str = ""
    metrics_snapshot: str = ""
    model_families: tuple[str, ...] = ()


class _Job(msgspec.Struct, kw_only=True):
    target: str
    model_families: tuple[str, ...]
    job_id: str | None = None
    symbol: str | None = None
    route: RouteState | None = None
    training_type: TrainingType | None = None
    priority: int = 0
    reason: str = ""


class _Summary(msgspec.Struct, kw_only=True):
    total_blocked: int = 0


def is_legacy(parts: Mapping[str, JsonText]) -> bool:
    """Whether a plan says neither its version nor its identity."""
    try:
        metadata = msgspec.json.decode(parts.get("metadata", b"{}"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return isinstance(metadata, dict) and "schema_version" not in metadata and "plan_id" not in metadata


def is_legacy_plan(plan: TrainingPlan) -> bool:
    """Whether a plan was read as a legacy one."""
    return plan.metadata.schema_version == LEGACY_SCHEMA_VERSION


def lists_no_symbols(plan: TrainingPlan) -> bool:
    """Whether a plan is a legacy one with a pooled job, so that the data say whom it serves."""
    return is_legacy_plan(plan) and any(job.symbol is None for job in plan.jobs)


def with_symbols(plan: TrainingPlan, symbols: Sequence[str]) -> TrainingPlan:
    """Let the pooled jobs of a legacy plan train on, and serve, all ``symbols`` of the data."""
    pool = JobMetadata(symbols=tuple(symbols), training_symbols=tuple(symbols))
    jobs = tuple(msgspec.structs.replace(job, metadata=pool) if job.symbol is None else job for job in plan.jobs)
    known = sorted({*plan.metadata.symbols, *symbols})
    metadata = msgspec.structs.replace(plan.metadata, symbols=tuple(known))
    return msgspec.structs.replace(plan, metadata=metadata, jobs=jobs)


def read_legacy(parts: Mapping[str, JsonText], path: Path) -> TrainingPlan:
    """Read a legacy plan.

    Raises
    ------
    BrokenPlanError
        If ``jobs`` is missing, or a job has no target, contradicts itself, or repeats an id.
    """
    if "jobs" not in parts:
        raise BrokenPlanError(f"{path}: has no 'jobs'; the plan is not whole: write it again")
    try:
        metadata = msgspec.json.decode(parts.get("metadata", b"{}"), type=_Metadata)
        summary = msgspec.json.decode(parts.get("summary", b"{}"), type=_Summary)
        found = msgspec.json.decode(parts["jobs"], type=list[_Job])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BrokenPlanError(f"{path}: does not fit the schema ({error}); write it again") from None
    jobs = tuple(sorted((_job(job, path) for job in found), key=lambda job: (-job.priority, job.job_id)))
    check_unique([job.job_id for job in jobs], path)
    return TrainingPlan(metadata=_metadata(metadata, jobs), feature_sets={}, jobs=jobs, summary=_summary(jobs, summary))


def _job(job: _Job, path: Path) -> TrainingJob:
    kind = training_type(job.symbol)
    if job.training_type not in (None, kind):
        raise BrokenPlanError(
            f"{path}: the {job.training_type} job of target {job.target!r} has symbol {job.symbol!r}; write it again"
        )
    pooled = kind is TrainingType.CROSS_SECTIONAL
    return TrainingJob(
        job_id=job_id(job.target, job.symbol),
        target=job.target,
        symbol=job.symbol,
        route=job.route or (RouteState.ROUTE_CROSS_SECTIONAL if pooled else RouteState.ROUTE_SYMBOL_SPECIFIC),
        training_type=kind,
        model_families=job.model_families,
        priority=job.priority,
        reason=job.reason,
        metadata=JobMetadata(),
    )


def _metadata(metadata: _Metadata, jobs: tuple[TrainingJob, ...]) -> TrainingPlanMetadata:
    families = metadata.model_families or tuple(sorted({name for job in jobs for name in job.model_families}))
    return TrainingPlanMetadata(
        schema_version=LEGACY_SCHEMA_VERSION,
        generated_at=metadata.generated_at,
        run_id=metadata.run_id,
        git_commit=metadata.git_commit,
        config_hash=metadata.config_hash,
        routing_plan_path=metadata.routing_plan_path,
        routing_plan_id="",
        metrics_snapshot=metadata.metrics_snapshot,
        data_fingerprint=None,
        symbols=tuple(sorted({job.symbol for job in jobs if job.symbol is not None})),
        targets=tuple(sorted({job.target for job in jobs})),
        code_version="",
        total_jobs=len(jobs),
        model_families=families,
        plan_id="",
    )


def _summary(jobs: tuple[TrainingJob, ...], summary: _Summary) -> TrainingPlanSummary:
    pooled = sum(job.symbol is None for job in jobs)
    return TrainingPlanSummary(
        by_route={
            route.value: sum(job.route is route for job in jobs)
            for route in RouteState
            if route is not RouteState.ROUTE_BLOCKED
        },
        by_type={
            TrainingType.CROSS_SECTIONAL.value: pooled,
            TrainingType.SYMBOL_SPECIFIC.value: len(jobs) - pooled,
        },
        by_priority={},
        total_cs_jobs=pooled,
        total_symbol_jobs=len(jobs) - pooled,
        total_blocked=summary.total_blocked,
    )
