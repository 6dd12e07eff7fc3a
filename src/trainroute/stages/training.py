"""Jobs to models: by a plan, or one pooled job per target without one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trainroute import evaluate
from trainroute.config import Config
from trainroute.families import FamilySelection
from trainroute.logs import LOGGER
from trainroute.panel import Panel, data_fingerprint, load_panel
from trainroute.plan import (
    inputs_beside,
    lists_no_symbols,
    load_training_plan,
    require_fresh,
    unplanned_jobs,
    with_feature_sets,
    with_symbols,
)
from trainroute.progress import Progress, SilentProgress
from trainroute.provenance import git_commit, run_id, utc_now
from trainroute.records.plan import FeatureSet, TrainingPlan
from trainroute.records.selectors import EVERYTHING, Selector
from trainroute.train import TrainingOutcome, select, train_nothing, train_plan


def train_by_plan(
    plan_dir: Path,
    config: Config,
    *,
    data_dir: Path,
    output_dir: Path,
    families: FamilySelection | None,
    selector: Selector = EVERYTHING,
    resume: bool = False,
    allow_stale: bool = False,
    allow_edited: bool = False,
    progress: Progress | None = None,
) -> tuple[TrainingPlan, TrainingOutcome]:
    """Train the selected jobs of the plan in a directory, if it fits the settings, the data and what lies beside it.

    With ``allow_stale`` a plan that does not fit is trained by all the same, with ``allow_edited`` one that is not what
    was written; warnings say what is ignored. ``resume`` as of `trainroute.train.train_plan`.

    Raises
    ------
    BrokenPlanError, StalePlanError
        If it cannot be trusted, or was made from something else.
    """
    plan = _fresh_plan(plan_dir, config, data_dir, allow_stale=allow_stale, allow_edited=allow_edited)
    outcome = train_planned(
        plan,
        None,
        config,
        data_dir=data_dir,
        output_dir=output_dir,
        families=families,
        selector=selector,
        resume=resume,
        progress=progress,
    )
    return plan, outcome


def _fresh_plan(
    plan_dir: Path, config: Config, data_dir: Path, *, allow_stale: bool, allow_edited: bool
) -> TrainingPlan:
    plan = load_training_plan(plan_dir, allow_edited=allow_edited)
    now = inputs_beside(plan_dir, config, allow_edited=allow_edited)
    if plan.jobs and plan.metadata.data_fingerprint is not None:
        now = replace(now, data_fingerprint=data_fingerprint(data_dir, plan.metadata.fingerprinted_symbols))
    for problem in require_fresh(plan, now, allow_stale=allow_stale):
        LOGGER.warning("%s", problem.message)
    return plan


def train_planned(
    plan: TrainingPlan,
    panel: Panel | None,
    config: Config,
    *,
    data_dir: Path,
    output_dir: Path,
    families: FamilySelection | None,
    selector: Selector = EVERYTHING,
    resume: bool = False,
    progress: Progress | None = None,
) -> TrainingOutcome:
    """Train the selected jobs of a plan, on a panel in memory or one with just what the jobs read.

    Where nothing is to be trained no data are read.
    """
    if lists_no_symbols(plan):
        panel = _panel_of(plan, config, data_dir, symbols=None, progress=progress)
        plan = with_symbols(plan, panel.symbols)
    selection = select(plan, families=families, selector=selector)
    asked = selector.meant_targets(plan)
    planned = {job.target for job in plan.jobs}.intersection(asked)
    LOGGER.info("Training plan filter applied: %d → %d targets", len(asked), len(planned))
    if not selection.pending:
        return train_nothing(plan, selection, output_dir=output_dir, alone=selector.jobs is None)
    if panel is None:
        panel = _panel_of(plan, config, data_dir, symbols=plan.metadata.symbols, progress=progress)
    if _unchecked(plan):
        plan = with_feature_sets(plan, evaluate.safe_features(panel, config, data_dir=data_dir, progress=progress))
    return train_plan(
        plan,
        panel,
        config,
        output_dir=output_dir,
        families=families,
        selector=selector,
        resume=resume,
        progress=progress,
    )


def _panel_of(
    plan: TrainingPlan, config: Config, data_dir: Path, *, symbols: Sequence[str] | None, progress: Progress | None
) -> Panel:
    columns = {name for found in plan.feature_sets.values() for name in found.features}
    return load_panel(
        data_dir,
        config.data,
        symbols=symbols,
        targets=sorted({job.target for job in plan.jobs}),
        features=None if _unchecked(plan) else sorted(columns),
        progress=progress or SilentProgress(),
    )


def _unchecked(plan: TrainingPlan) -> bool:
    """Whether the features of a job are still to be chosen."""
    return any(job.metadata.feature_set_id is None for job in plan.jobs)


def train_without_plan(
    panel: Panel,
    config: Config,
    *,
    data_dir: Path,
    output_dir: Path,
    families: FamilySelection,
    target_families: Mapping[str, Sequence[str]] | None = None,
    target_features: Mapping[str, Sequence[str]] | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> tuple[TrainingPlan, TrainingOutcome]:
    """Train one pooled job per target of a panel, on features that pass the leak checks.

    Parameters
    ----------
    panel : Panel
    config : Config
    data_dir, output_dir : Path
    families : FamilySelection
    target_families, target_features : mapping of str to sequence of str, optional
        For a target its own families, and the only features that it may use.
    resume : bool
    progress : Progress, optional
    """
    safe = evaluate.safe_features(panel, config, data_dir=data_dir, progress=progress)
    plan = unplanned_jobs(
        panel,
        config,
        feature_sets={name: _narrowed(found, (target_features or {}).get(name)) for name, found in safe.items()},
        families={name: (target_families or {}).get(name, families.names) for name in safe},
        run_id=run_id(utc_now()),
        generated_at=utc_now(),
        git_commit=git_commit(),
    )
    asked = replace(families, names=plan.metadata.model_families)
    return plan, train_plan(
        plan, panel, config, output_dir=output_dir, families=asked, resume=resume, progress=progress
    )


def _narrowed(found: FeatureSet, wanted: Sequence[str] | None) -> FeatureSet:
    if wanted is None:
        return found
    return FeatureSet(
        features=tuple(name for name in found.features if name in wanted),
        quarantined=tuple(name for name in found.quarantined if name in wanted),
        accepted=tuple(name for name in found.accepted if name in wanted),
    )
