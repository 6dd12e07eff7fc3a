"""The training plan as JSON parts: canonical lines, one per job, from which every file of a plan is put together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import polars as pl

from trainroute.errors import BrokenPlanError, bounded
from trainroute.records.artifacts import PLAN_ID_DIGITS, JsonText, canonical_json, lines_of, parts_id, refuse_edited
from trainroute.records.names import job_ids
from trainroute.records.plan import (
    TRAINING_PLAN_SCHEMA_VERSION,
    FeatureSet,
    TrainingJob,
    TrainingPlan,
    TrainingPlanMetadata,
    TrainingPlanSummary,
)

Part = TypeVar("Part")

MASTER_NAME = "master_training_plan.json"
MIRROR_NAME = "training_plan.json"
PLAN_MEMBERS = ("metadata", "summary", "feature_sets", "jobs")


def jobs_part(lines: Sequence[bytes]) -> list[bytes]:
    """Lay out the lines of jobs as an array, one job on each line."""
    return lines_of(b"[", lines, b"]")


def plan_parts(plan: TrainingPlan) -> dict[str, list[bytes]]:
    """Return the parts of a plan's JSON."""
    small = [[canonical_json(member)] for member in (plan.metadata, plan.summary, plan.feature_sets)]
    return dict(zip(PLAN_MEMBERS, [*small, jobs_part(plan.job_lines)], strict=True))


def training_plan_id(
    *, jobs: Sequence[JsonText], feature_sets: Sequence[JsonText], routing_plan_id: str, config_hash: str
) -> str:
    """Return the ``plan_id`` of a training plan: a hash of its jobs, feature sets, routing plan and settings."""
    parts = {
        "jobs": jobs,
        "feature_sets": feature_sets,
        "routing_plan_id": [canonical_json(routing_plan_id)],
        "config_hash": [canonical_json(config_hash)],
    }
    return parts_id(parts, length=PLAN_ID_DIGITS)


def decode_plan(parts: Mapping[str, JsonText], path: Path, *, allow_edited: bool = False) -> TrainingPlan:
    """Decode the parts of a plan strictly and check that it is whole.

    With ``allow_edited`` jobs may have been changed, added or removed by hand: the plan gets the ``plan_id`` of what
    it holds, so that nobody takes it for the plan that was written.

    Raises
    ------
    BrokenPlanError
        If a part is missing, a field is unknown or of the wrong type, the version is unknown, or ids repeat or do not
        match their names.
    EditedPlanError
        If the content does not match its ``plan_id`` or ``total_jobs``, unless ``allow_edited``.
    """
    metadata, summary = _origin(parts, path)
    plan = TrainingPlan(
        metadata=metadata,
        feature_sets=_decoded(parts["feature_sets"], dict[str, FeatureSet], path),
        jobs=_decoded(parts["jobs"], tuple[TrainingJob, ...], path),
        summary=summary,
    )
    _check_jobs(plan, path)
    if plan.metadata.total_jobs != len(plan.jobs):
        said = f"{path}: total_jobs is {plan.metadata.total_jobs}, but it holds {len(plan.jobs)}: edited"
        refuse_edited(said, allowed=allow_edited)
    recomputed = training_plan_id(
        jobs=[parts["jobs"]],
        feature_sets=[parts["feature_sets"]],
        routing_plan_id=plan.metadata.routing_plan_id,
        config_hash=plan.metadata.config_hash,
    )
    if recomputed != plan.metadata.plan_id:
        refuse_edited(f"{path}: its jobs do not match its plan_id: edited", allowed=allow_edited)
    metadata = msgspec.structs.replace(plan.metadata, plan_id=recomputed, total_jobs=len(plan.jobs))
    return msgspec.structs.replace(plan, metadata=metadata)


class _JobFamilies(msgspec.Struct):
    job_id: str
    model_families: tuple[str, ...]


def decode_untrained(
    parts: Mapping[str, JsonText], path: Path
) -> tuple[TrainingPlanMetadata, TrainingPlanSummary, list[str]]:
    """Decode where a plan comes from, what it counts, and the ids of jobs without a family; no more of its jobs.

    Raises
    ------
    BrokenPlanError
        As `decode_plan`.
    """
    metadata, summary = _origin(parts, path)
    jobs = _decoded(parts["jobs"], list[_JobFamilies], path)
    return metadata, summary, [job.job_id for job in jobs if not job.model_families]


def _origin(parts: Mapping[str, JsonText], path: Path) -> tuple[TrainingPlanMetadata, TrainingPlanSummary]:
    for key in PLAN_MEMBERS:
        if key not in parts:
            raise BrokenPlanError(f"{path}: has no {key!r}; the plan is not whole: write it again")
    _check_version(parts["metadata"], path)
    metadata = _decoded(parts["metadata"], TrainingPlanMetadata, path)
    return metadata, _decoded(parts["summary"], TrainingPlanSummary, path)


def _decoded(text: JsonText, of: type[Part], path: Path) -> Part:
    try:
        return msgspec.json.decode(text, type=of)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise BrokenPlanError(f"{path}: does not fit the schema ({error}); write it again") from None


def check_unique(ids: Sequence[str], path: Path) -> None:
    """Check that no two jobs have one id.

    Raises
    ------
    BrokenPlanError
        If some have.
    """
    repeated = sorted(name for name, count in Counter(ids).items() if count > 1)
    if repeated:
        raise BrokenPlanError(f"{path}: two jobs have the job_id {bounded(repeated)}; write it again")


def _check_version(metadata: JsonText, path: Path) -> None:
    try:
        version = msgspec.json.decode(metadata, type=dict[str, msgspec.Raw]).get("schema_version")
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise BrokenPlanError(f"{path}: 'metadata' does not fit the schema ({error}); write it again") from None
    shown = "missing" if version is None else bytes(version).decode("utf-8", "replace")
    if shown != str(TRAINING_PLAN_SCHEMA_VERSION):
        raise BrokenPlanError(
            f"{path}: schema_version is {shown}, expected {TRAINING_PLAN_SCHEMA_VERSION}; "
            "it was written by another version: make the plan again"
        )


def _check_jobs(plan: TrainingPlan, path: Path) -> None:
    ids = [job.job_id for job in plan.jobs]
    check_unique(ids, path)
    targets = pl.Series([job.target for job in plan.jobs], dtype=pl.String)
    symbols = pl.Series([job.symbol for job in plan.jobs], dtype=pl.String)
    expected = job_ids(targets, symbols).to_list()
    if ids != expected:
        wrong = next(i for i, job_id in enumerate(expected) if ids[i] != job_id)
        raise BrokenPlanError(f"{path}: job {ids[wrong]!r} should be {expected[wrong]!r} by its names; write it again")
