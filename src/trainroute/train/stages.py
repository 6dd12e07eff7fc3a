"""Run the pairs of a plan: the CPU stage to its end, then the GPU stage.

1. Each stage has workers of its own, so no CPU worker ever imports a GPU library.
2. Items run by the priority of their job, ties by job id, families of a job in two-stage order.
3. What happens is written to the ledger as it happens: pending → running → done or failed.
4. A failed item runs again while its family has attempts left, unless trainroute itself has refused it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from trainroute.config.schema import TrainingConfig
from trainroute.families import two_stage_order
from trainroute.parallel import available_cores
from trainroute.progress import Progress, Step
from trainroute.records.plan import TrainingJob
from trainroute.records.results import FamilyResult, FamilyState
from trainroute.records.vocabulary import Stage
from trainroute.train.artifact import discard_model_of_other_plan, model_folder
from trainroute.train.executors import Event, Executor, Finished, LocalExecutor, WorkItem
from trainroute.train.job import JobTask
from trainroute.train.ledger import Ledger
from trainroute.train.messages import FailureKind, WorkerSetup
from trainroute.train.settings import FamilySettings, stage_threads

_LOG = logging.getLogger("trainroute")
_TITLES = {Stage.CPU: "Stage 1 (CPU)", Stage.GPU: "Stage 2 (GPU)"}
MODELS = "models"

Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class StageRun:
    """What both stages share: the plan's identity, its jobs and targets, and where things lie; mappings by job id."""

    plan_id: str
    jobs: Mapping[str, TrainingJob]
    folders: Mapping[str, str]
    features: Mapping[str, tuple[str, ...]]
    targets: tuple[str, ...]
    settings: Mapping[str, FamilySettings]
    config: TrainingConfig
    output_dir: Path
    store: Path
    ledger: Ledger


def run_stages(run: StageRun, pending: Sequence[FamilyResult], progress: Progress) -> tuple[FamilyResult, ...]:
    """Run all pending pairs, stage after stage; return what became of each, in the same order."""
    run.ledger.record(pending)
    ended: dict[Key, FamilyResult] = {}
    try:
        with progress.step("Training", len(pending)) as step:
            for stage in (Stage.CPU, Stage.GPU):
                own = [result for result in pending if result.stage is stage]
                _announce(stage, own, run)
                if own:
                    with _executor(stage, run, len(own)) as executor:
                        ended |= _run_stage(own, executor, run, step)
    except BaseException:
        run.ledger.release_running()
        raise
    return tuple(ended[result.job_id, result.family] for result in pending)


def _announce(stage: Stage, own: Sequence[FamilyResult], run: StageRun) -> None:
    if not own:
        _LOG.info("%s: nothing to train", _TITLES[stage])
        return
    jobs = len({result.job_id for result in own})
    families = ", ".join(two_stage_order(result.family for result in own))
    workers = min(_workers(stage, run.config), len(own))
    counts = _counted(len(own), "model"), _counted(jobs, "job"), families, _counted(workers, "worker")
    _LOG.info("%s: %s of %s (%s) on %s", _TITLES[stage], *counts)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _workers(stage: Stage, config: TrainingConfig) -> int:
    return 1 if stage is Stage.GPU else config.workers or available_cores()


def _executor(stage: Stage, run: StageRun, n_items: int) -> Executor:
    workers = _workers(stage, run.config)
    threads = stage_threads(stage, run.config)
    setup = WorkerSetup(store=str(run.store), models=str((run.output_dir / MODELS).absolute()), threads=threads)
    # A CPU worker sees no GPU, whatever a library would like to do with one.
    environment = {"CUDA_VISIBLE_DEVICES": ""} if stage is Stage.CPU else {}
    return LocalExecutor(
        setup, environments=[environment] * min(workers, n_items), threads=workers * threads, logs=run.store
    )


def _run_stage(own: Sequence[FamilyResult], executor: Executor, run: StageRun, step: Step) -> dict[Key, FamilyResult]:
    results = {(result.job_id, result.family): result for result in own}
    for place, result in enumerate(own):
        executor.submit(_item(place, result, run))
    for event in executor.events():
        key = event.item.task.job.job_id, event.item.task.family
        results[key] = _after(event, results[key], run)
        run.ledger.record([results[key]])
        if results[key].state is FamilyState.PENDING:
            executor.submit(replace(event.item, attempt=event.item.attempt + 1))
        elif isinstance(event, Finished):
            step.advance()
    return results


def _item(place: int, result: FamilyResult, run: StageRun) -> WorkItem:
    settings = run.settings[result.family]
    job = run.jobs[result.job_id]
    task = JobTask(
        job=job,
        folder=run.folders[result.job_id],
        family=result.family,
        features=run.features[result.job_id],
        siblings=tuple(name for name in run.targets if name != job.target),
        hyperparameters=settings.hyperparameters,
        seed=run.config.seed,
        threads=settings.resources.threads,
        plan_id=run.plan_id,
    )
    return WorkItem(order=(place,), task=task, resources=settings.resources)


def _after(event: Event, result: FamilyResult, run: StageRun) -> FamilyResult:
    """Return the state of a pair after an event; pending means that it runs again."""
    if not isinstance(event, Finished):
        return structs.replace(result, state=FamilyState.RUNNING, attempts=event.item.attempt)
    reply = event.reply
    measured = structs.replace(result, seconds=reply.seconds, peak_memory_bytes=reply.peak_memory_bytes)
    if reply.done is not None:
        artifact = f"{MODELS}/{reply.done.folder}"
        return structs.replace(
            measured, state=FamilyState.DONE, score=reply.done.score, artifact=artifact, reason=reply.done.unscored
        )
    reason = reply.failure.reason if reply.failure is not None else "the worker gave no reason"
    if _may_try_again(event, run):
        _LOG.info("%s × %s: attempt %d failed: %s", result.job_id, result.family, event.item.attempt, reason)
        return structs.replace(measured, state=FamilyState.PENDING, reason=reason)
    _LOG.warning("%s × %s: failed: %s", result.job_id, result.family, reason)
    if reply.failure is not None and reply.failure.traceback is not None:
        _LOG.debug("%s × %s:\n%s", result.job_id, result.family, reply.failure.traceback)
    folder = model_folder(run.output_dir / MODELS, run.folders[result.job_id], result.family)
    discard_model_of_other_plan(folder, run.plan_id)
    return structs.replace(measured, state=FamilyState.FAILED, reason=reason)


def _may_try_again(event: Finished, run: StageRun) -> bool:
    if event.reply.failure is not None and event.reply.failure.kind is FailureKind.REFUSED:
        return False
    return event.item.attempt < run.settings[event.item.task.family].attempts
