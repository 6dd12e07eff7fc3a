"""Jobs and features that no evidence stands behind: `train` without a plan, and plans from a user's own candidates."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from trainroute.config import Config
from trainroute.families import Family
from trainroute.panel import Panel
from trainroute.plan.families import resolve
from trainroute.provenance import code_version
from trainroute.records.artifacts import canonical_json, content_id
from trainroute.records.names import job_id
from trainroute.records.plan import (
    TRAINING_PLAN_SCHEMA_VERSION,
    FeatureSet,
    JobMetadata,
    TrainingJob,
    TrainingPlan,
    TrainingPlanMetadata,
    TrainingPlanSummary,
)
from trainroute.records.plan_io import jobs_part, training_plan_id
from trainroute.records.vocabulary import RouteState, TrainingType

_ID_DIGITS = 16
_REASON = "asked for without a training plan"


def unplanned_jobs(
    panel: Panel,
    config: Config,
    *,
    feature_sets: Mapping[str, FeatureSet],
    families: Mapping[str, Sequence[str]],
    run_id: str,
    generated_at: str,
    git_commit: str | None,
) -> TrainingPlan:
    """Return a plan of one pooled job per target, on every symbol of the panel.

    Parameters
    ----------
    panel : Panel
    config : Config
    feature_sets : mapping of str to FeatureSet
        For each target the features that pass the leak checks.
    families : mapping of str to sequence of str
        For each target the families asked for; those that cannot train it are left out, with the reason.
    run_id, generated_at, git_commit
        Volatile metadata.

    Raises
    ------
    UnknownNameError
        If a family does not exist.
    """
    jobs = tuple(_job(panel, number, resolve(families[t.name])) for number, t in enumerate(panel.targets))
    asked = resolve(sorted({name for names in families.values() for name in names}))
    metadata = TrainingPlanMetadata(
        schema_version=TRAINING_PLAN_SCHEMA_VERSION,
        generated_at=generated_at,
        run_id=run_id,
        git_commit=git_commit,
        config_hash=config.config_hash,
        routing_plan_path="",
        routing_plan_id="",
        metrics_snapshot="",
        data_fingerprint=panel.fingerprint,
        symbols=panel.symbols,
        targets=tuple(sorted(target.name for target in panel.targets)),
        code_version=code_version(),
        total_jobs=len(jobs),
        model_families=tuple(family.name for family in asked),
        plan_id="",
    )
    summary = TrainingPlanSummary(
        by_route={RouteState.ROUTE_CROSS_SECTIONAL.value: len(jobs)},
        by_type={TrainingType.CROSS_SECTIONAL.value: len(jobs)},
        by_priority={"0": len(jobs)},
        total_cs_jobs=len(jobs),
        total_symbol_jobs=0,
        total_blocked=0,
        total_pairs=len(jobs) * len(panel.symbols),
    )
    plan = TrainingPlan(metadata=metadata, feature_sets={}, jobs=jobs, summary=summary)
    plan = with_feature_sets(plan, feature_sets)
    plan_id = training_plan_id(
        jobs=jobs_part(plan.job_lines),
        feature_sets=[canonical_json(plan.feature_sets)],
        routing_plan_id="",
        config_hash=config.config_hash,
    )
    return msgspec.structs.replace(plan, metadata=msgspec.structs.replace(metadata, plan_id=plan_id))


def with_feature_sets(plan: TrainingPlan, feature_sets: Mapping[str, FeatureSet]) -> TrainingPlan:
    """Give every job without a feature set that of its target; the plan keeps its identity."""
    jobs = tuple(job if job.metadata.feature_set_id else _with_set(job, feature_sets[job.target]) for job in plan.jobs)
    used = {job.metadata.feature_set_id for job in jobs}
    found = {content_id(features, length=_ID_DIGITS): features for features in feature_sets.values()}
    sets = {name: value for name, value in sorted({**plan.feature_sets, **found}.items()) if name in used}
    return msgspec.structs.replace(plan, jobs=jobs, feature_sets=sets)


def _with_set(job: TrainingJob, features: FeatureSet) -> TrainingJob:
    own = msgspec.structs.replace(job.metadata, feature_set_id=content_id(features, length=_ID_DIGITS))
    return msgspec.structs.replace(job, metadata=own)


def _job(panel: Panel, number: int, asked: Sequence[type[Family]]) -> TrainingJob:
    target = panel.targets[number]
    n_rows = sum(int(np.isfinite(rows.targets[:, number]).sum()) for rows in panel.rows)
    left_out = {
        family.name: why
        for family in asked
        if (why := family.unfit_reason(task=target.task, training_type=TrainingType.CROSS_SECTIONAL, n_rows=n_rows))
    }
    return TrainingJob(
        job_id=job_id(target.name, None),
        target=target.name,
        symbol=None,
        route=RouteState.ROUTE_CROSS_SECTIONAL,
        training_type=TrainingType.CROSS_SECTIONAL,
        model_families=tuple(family.name for family in asked if family.name not in left_out),
        priority=0,
        reason=_REASON,
        metadata=JobMetadata(
            sample_size=n_rows,
            symbols=panel.symbols,
            training_symbols=panel.symbols,
            families_left_out=left_out,
        ),
    )
