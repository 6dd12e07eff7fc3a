"""Ask a plan what to train. A question without an answer gives an empty list, never everything."""

import logging
from collections.abc import Sequence
from pathlib import Path

from trainroute.plan.load import load_training_plan
from trainroute.records.plan import TrainingJob, TrainingPlan, TrainingPlanSummary
from trainroute.records.vocabulary import TrainingType

logger = logging.getLogger("trainroute")


def get_cs_jobs(plan: TrainingPlan) -> list[TrainingJob]:
    """Return the pooled jobs, in the order in which they run."""
    return [job for job in plan.jobs if job.training_type is TrainingType.CROSS_SECTIONAL]


def get_symbol_jobs(plan: TrainingPlan) -> list[TrainingJob]:
    """Return the jobs of one symbol, in the order in which they run."""
    return [job for job in plan.jobs if job.training_type is TrainingType.SYMBOL_SPECIFIC]


def get_jobs_for_target(plan: TrainingPlan, target: str) -> list[TrainingJob]:
    """Return all jobs of a target, pooled and of one symbol."""
    return [job for job in plan.jobs if job.target == target]


def get_jobs_for_symbol(plan: TrainingPlan, symbol: str) -> list[TrainingJob]:
    """Return the jobs of a symbol's own; the pooled jobs that serve it list it in their metadata."""
    return [job for job in plan.jobs if job.symbol == symbol]


def get_model_families_for_job(
    plan: TrainingPlan, target: str, symbol: str | None, training_type: TrainingType | str
) -> list[str]:
    """Return the families of one job; empty where the plan does not have it.

    ``symbol`` does not matter for the pooled job.
    """
    pooled = training_type == TrainingType.CROSS_SECTIONAL
    for job in plan.jobs:
        if job.target == target and job.training_type == training_type and (pooled or job.symbol == symbol):
            return list(job.model_families)
    return []


def filter_targets_by_training_plan(
    targets: Sequence[str], training_plan: TrainingPlan, training_type: TrainingType | str = "cross_sectional"
) -> list[str]:
    """Return those of ``targets`` that have a job of the type, in their order."""
    planned = {job.target for job in training_plan.jobs if job.training_type == training_type}
    return [target for target in targets if target in planned]


def filter_symbols_by_training_plan(target: str, symbols: Sequence[str], training_plan: TrainingPlan) -> list[str]:
    """Return those of ``symbols`` that have a job of their own for a target, in their order."""
    planned = {job.symbol for job in training_plan.jobs if job.target == target}
    return [symbol for symbol in symbols if symbol in planned]


def apply_training_plan_filter(
    targets: Sequence[str],
    symbols: Sequence[str],
    training_plan_dir: Path | str,
    use_cs_plan: bool = True,  # noqa: FBT001, FBT002 - the signature is a public contract
    use_symbol_plan: bool = True,  # noqa: FBT001, FBT002 - the signature is a public contract
) -> tuple[list[str], dict[str, list[str]]]:
    """Restrict targets and symbols to what a plan on disk asks for.

    Parameters
    ----------
    targets, symbols : sequence of str
    training_plan_dir : Path or str
    use_cs_plan : bool
        Whether the plan decides which targets get a pooled model.
    use_symbol_plan : bool
        Whether the plan decides which symbols get a model of their own.

    Returns
    -------
    targets : list of str
        Those with a pooled job.
    symbols : dict of str to list of str
        For each of the given targets the symbols with a job of their own; empty where there is none.

    Raises
    ------
    PlanError
        If the plan is absent or broken.
    """
    plan = load_training_plan(training_plan_dir)
    kept = filter_targets_by_training_plan(targets, plan) if use_cs_plan else list(targets)
    logger.info("Training plan filter applied: %d → %d targets", len(targets), len(kept))
    if not use_symbol_plan:
        return kept, {target: list(symbols) for target in targets}
    own: dict[str, set[str | None]] = {}
    for job in plan.jobs:
        own.setdefault(job.target, set()).add(job.symbol)
    return kept, {target: [symbol for symbol in symbols if symbol in own.get(target, ())] for target in targets}


def get_training_plan_summary(plan: TrainingPlan) -> TrainingPlanSummary:
    """Return the counts of a plan; reads as a mapping."""
    return plan.summary
