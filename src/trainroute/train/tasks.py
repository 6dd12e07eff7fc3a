"""Pairs of job × family as tasks for workers: with features, hyperparameters, seed, and hashes of all of it."""

from collections.abc import Mapping, Sequence

from trainroute.config import Config
from trainroute.panel import Panel
from trainroute.records.names import folder_names
from trainroute.records.plan import TrainingPlan
from trainroute.records.results import FamilyResult
from trainroute.train.inputs import model_inputs, run_inputs
from trainroute.train.job import JobTask
from trainroute.train.rows import training_symbols
from trainroute.train.selection import job_features
from trainroute.train.settings import FamilySettings

Pair = tuple[str, str]
"""A job id and a family."""


def pair_of(result: FamilyResult) -> Pair:
    """Return the pair that a row is about."""
    return result.job_id, result.family


def make_tasks(
    plan: TrainingPlan,
    pending: Sequence[FamilyResult],
    panel: Panel,
    config: Config,
    settings: Mapping[str, FamilySettings],
) -> dict[Pair, JobTask]:
    """Return the task of each pair.

    Raises
    ------
    PlanError
        See `job_features`.
    """
    jobs = {job.job_id: job for job in plan.jobs}
    folders = folder_names(jobs)
    features = {job_id: job_features(plan, jobs[job_id], panel) for job_id in {result.job_id for result in pending}}
    targets = sorted({job.target for job in plan.jobs})
    common = run_inputs(config, plan_id=plan.metadata.plan_id, data_fingerprint=panel.fingerprint)
    tasks = {}
    for result in pending:
        job, own = jobs[result.job_id], settings[result.family]
        siblings = tuple(name for name in targets if name != job.target)
        tasks[pair_of(result)] = JobTask(
            job=job,
            folder=folders[job.job_id],
            family=result.family,
            features=features[job.job_id],
            siblings=siblings,
            hyperparameters=own.hyperparameters,
            seed=config.training.seed,
            threads=own.resources_at(job.priority).threads,
            plan_id=plan.metadata.plan_id,
            inputs=common | model_inputs(job, features[job.job_id], siblings, own.hyperparameters),
        )
    return tasks


def training_rows(tasks: Mapping[Pair, JobTask], panel: Panel) -> dict[str, int]:
    """Return how many rows of the panel each job trains on at most, by job id."""
    sizes = {rows.symbol: len(rows) for rows in panel.rows}
    jobs = {task.job.job_id: task.job for task in tasks.values()}
    return {job_id: sum(sizes[symbol] for symbol in training_symbols(job)) for job_id, job in jobs.items()}
