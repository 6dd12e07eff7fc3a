"""Pooled models that were trained without a plan: their manifests say what a plan would."""

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from trainroute.errors import UsageError
from trainroute.families import two_stage_order
from trainroute.provenance import code_version
from trainroute.records.patterns import selected
from trainroute.records.plan import (
    TRAINING_PLAN_SCHEMA_VERSION,
    JobMetadata,
    TrainingJob,
    TrainingPlan,
    TrainingPlanMetadata,
    TrainingPlanSummary,
)
from trainroute.records.results import ModelManifest
from trainroute.records.vocabulary import RouteState
from trainroute.train.artifact import MANIFEST, read_manifest


def plan_of_models(models: Path, targets: Collection[str] | None = None) -> TrainingPlan:
    """Return the plan that the pooled models in a directory amount to: each serves the symbols that it was trained on.

    Parameters
    ----------
    models : Path
    targets : collection of str, optional
        Only these, by names or globs.

    Raises
    ------
    UsageError
        If there is none, or they come from more than one plan or run without a plan.
    TrainingError
        If a manifest is edited or broken.
    """
    folders = [path.parent for path in sorted(models.glob(f"*/*/{MANIFEST}")) if not path.parent.name.startswith(".")]
    manifests = [read_manifest(folder) for folder in folders]
    pooled = [manifest for manifest in manifests if manifest.symbol is None]
    if not pooled:
        raise UsageError(f"{models}: holds no pooled model; train with 'trainroute train --no-training-plan'")
    known = {manifest.target for manifest in pooled}
    wanted = known if targets is None else selected("target with a pooled model", tuple(targets), known)
    chosen = [manifest for manifest in pooled if manifest.target in wanted]
    origins = {manifest.plan_id: manifest for manifest in chosen}
    if len(origins) > 1:
        first, second, *_ = origins.values()
        raise UsageError(
            f"{models}: {first.job_id} × {first.family} and {second.job_id} × {second.family} were not trained "
            "together; choose with --targets, or train all of them again"
        )
    by_job: dict[str, list[ModelManifest]] = defaultdict(list)
    for manifest in chosen:
        by_job[manifest.job_id].append(manifest)
    return _plan(tuple(_job(found) for _, found in sorted(by_job.items())), next(iter(origins)))


def _job(found: list[ModelManifest]) -> TrainingJob:
    first = found[0]
    return TrainingJob(
        job_id=first.job_id,
        target=first.target,
        symbol=None,
        route=RouteState.ROUTE_CROSS_SECTIONAL,
        training_type=first.training_type,
        model_families=two_stage_order(manifest.family for manifest in found),
        priority=0,
        reason="trained without a plan",
        metadata=JobMetadata(
            feature_set_id=first.feature_set_id,
            symbols=first.training_symbols,
            training_symbols=first.training_symbols,
        ),
    )


def _plan(jobs: tuple[TrainingJob, ...], plan_id: str) -> TrainingPlan:
    metadata = TrainingPlanMetadata(
        schema_version=TRAINING_PLAN_SCHEMA_VERSION,
        generated_at="",
        run_id="",
        git_commit=None,
        config_hash="",
        routing_plan_path="",
        routing_plan_id="",
        metrics_snapshot="",
        data_fingerprint=None,
        symbols=tuple(sorted({symbol for job in jobs for symbol in job.metadata.symbols})),
        targets=tuple(sorted(job.target for job in jobs)),
        code_version=code_version(),
        total_jobs=len(jobs),
        model_families=two_stage_order(name for job in jobs for name in job.model_families),
        plan_id=plan_id,
    )
    kind = RouteState.ROUTE_CROSS_SECTIONAL.value
    summary = TrainingPlanSummary(
        by_route={kind: len(jobs)},
        by_type={job.training_type.value: len(jobs) for job in jobs},
        by_priority={"0": len(jobs)},
        total_cs_jobs=len(jobs),
        total_symbol_jobs=0,
        total_blocked=0,
    )
    return TrainingPlan(metadata=metadata, feature_sets={}, jobs=jobs, summary=summary)
