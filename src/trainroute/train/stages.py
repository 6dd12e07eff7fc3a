"""Run the pairs of a plan: the CPU stage to its end, then the GPU stage.

1. Each stage has workers of its own, so no CPU worker ever imports a GPU library. In the GPU stage the families of one
   library run first, then those of the other, each in processes of their own.
2. Items run by the priority of their job, within a priority the longest first, ties in the order of the plan.
3. What happens is written to the ledger as it happens, what happens at once in one transaction: pending → running →
   done or failed.
4. A failed item runs again while its family has attempts left and the failure is one that another attempt may mend.
5. A full disk ends the run at once; Ctrl-C, or a failure that is to stop the run, when what runs has ended.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from trainroute.config.schema import TrainingConfig
from trainroute.errors import DiskFullError, TrainingError
from trainroute.families import FAMILIES, two_stage_order
from trainroute.progress import Progress, Step
from trainroute.records.results import FailureKind, FamilyResult, FamilyState
from trainroute.records.vocabulary import Stage
from trainroute.train.artifact import discard_model_of_other_plan, model_folder
from trainroute.train.executors import Event, Executor, Finished, LocalExecutor, WorkItem
from trainroute.train.job import JobTask
from trainroute.train.ledger import Ledger
from trainroute.train.messages import Failure, WorkerSetup
from trainroute.train.resume import MODELS
from trainroute.train.settings import FamilySettings
from trainroute.train.stopping import Stop
from trainroute.train.tasks import Pair, pair_of
from trainroute.train.workers import StageWorkers, memory_for_fits

_LOG = logging.getLogger("trainroute")
_TITLES = {Stage.CPU: "Stage 1 (CPU)", Stage.GPU: "Stage 2 (GPU)"}


@dataclass(frozen=True, kw_only=True)
class StageRun:
    """What both stages share.

    Attributes
    ----------
    plan_id : str
    tasks : mapping of pair to JobTask
    rows : mapping of str to int
        How many rows each job trains on, by job id.
    settings : mapping of str to FamilySettings
        By family.
    workers : mapping of Stage to StageWorkers
    config : TrainingConfig
    output_dir, store : Path
    ledger : Ledger
    stop : Stop
    beat : callable
        Called often while the run lasts.
    """

    plan_id: str
    tasks: Mapping[Pair, JobTask]
    rows: Mapping[str, int]
    settings: Mapping[str, FamilySettings]
    workers: Mapping[Stage, StageWorkers]
    config: TrainingConfig
    output_dir: Path
    store: Path
    ledger: Ledger
    stop: Stop
    beat: Callable[[], None]


def run_stages(run: StageRun, pending: Sequence[FamilyResult], progress: Progress) -> tuple[FamilyResult, ...]:
    """Run all pending pairs, stage after stage; return what became of each, in the same order.

    Raises
    ------
    DiskFullError
        If there is no space for a model or the ledger; what ran is pending again.
    """
    run.ledger.record(pending)
    ended: dict[Pair, FamilyResult] = {}
    try:
        with progress.step("Training", len(pending)) as step:
            for stage in (Stage.CPU, Stage.GPU):
                own = [result for result in pending if result.stage is stage]
                _announce(stage, own, run)
                if own:
                    with _executor(stage, run, len(own)) as executor:
                        ended |= _run_stage(own, executor, run, step)
    except BaseException:
        with suppress(TrainingError):
            run.ledger.release("interrupted", run.tasks)
        raise
    return tuple(ended[pair_of(result)] for result in pending)


def _announce(stage: Stage, own: Sequence[FamilyResult], run: StageRun) -> None:
    if not own:
        _LOG.info("%s: nothing to train", _TITLES[stage])
        return
    workers = run.workers[stage]
    jobs = len({result.job_id for result in own})
    families = ", ".join(two_stage_order(result.family for result in own))
    counts = _counted(len(own), "model"), _counted(jobs, "job"), families
    on = _counted(min(len(workers.environments), len(own)), "worker")
    _LOG.info("%s: %s of %s (%s) on %s", _TITLES[stage], *counts, on)
    if stage is Stage.GPU:
        _LOG.info("%s: %s", _TITLES[stage], _counted(workers.gpus, "GPU") if workers.gpus else "no GPU; on the CPU")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _executor(stage: Stage, run: StageRun, n_items: int) -> Executor:
    workers = run.workers[stage]
    setup = WorkerSetup(store=str(run.store), models=str((run.output_dir / MODELS).absolute()), threads=workers.threads)
    return LocalExecutor(
        setup,
        environments=workers.environments[:n_items],
        threads=len(workers.environments) * workers.threads,
        memory_bytes=memory_for_fits(run.config),
        logs=run.store,
    )


def _run_stage(own: Sequence[FamilyResult], executor: Executor, run: StageRun, step: Step) -> dict[Pair, FamilyResult]:
    results = {pair_of(result): result for result in own}
    for item in _items(own, run):
        executor.submit(item)
    gpu_unused = False
    for events in executor.events(run.stop.requested):
        changed = {}
        for event in events:
            pair = _pair_of_item(event.item)
            changed[pair] = results[pair] = _after(event, results[pair], run)
        ended = [event for event in events if isinstance(event, Finished)]
        _record(changed.values(), ended, run)
        run.beat()
        for event in ended:
            if results[_pair_of_item(event.item)].state is FamilyState.PENDING:
                executor.submit(replace(event.item, attempt=event.item.attempt + 1))
                continue
            step.advance()
            if event.reply.gpu_unused and not gpu_unused:
                gpu_unused = True
                _LOG.warning("%s: the PyTorch installed cannot use the GPU; on the CPU", _TITLES[Stage.GPU])
    not_run = [_not_run(result, run.stop) for result in results.values() if result.state is FamilyState.PENDING]
    run.ledger.record(not_run)
    return results | {pair_of(result): result for result in not_run}


def _record(changed: Iterable[FamilyResult], ended: Sequence[Finished], run: StageRun) -> None:
    """Write what has changed in one transaction; if a model found no space, the ledger may find none either."""
    failures = [event.reply.failure for event in ended if event.reply.failure is not None]
    full = next((failure.reason for failure in failures if failure.kind is FailureKind.DISK_FULL), None)
    if full is None:
        run.ledger.record(changed)
        return
    with suppress(TrainingError):
        run.ledger.record(changed)
    raise DiskFullError(full)


def _pair_of_item(item: WorkItem) -> Pair:
    return item.task.job.job_id, item.task.family


def _not_run(result: FamilyResult, stop: Stop) -> FamilyResult:
    return structs.replace(result, reason=f"not run: {stop.reason}")


def _items(own: Sequence[FamilyResult], run: StageRun) -> list[WorkItem]:
    libraries = list(dict.fromkeys(FAMILIES.get(name).gpu_library for name in two_stage_order(r.family for r in own)))
    items = []
    for place, result in enumerate(own):
        task = run.tasks[pair_of(result)]
        family = FAMILIES.get(result.family)
        seconds = family.estimate_seconds(run.rows[result.job_id], len(task.features))
        items.append(
            WorkItem(
                order=(libraries.index(family.gpu_library), -task.job.priority, -seconds, place),
                task=task,
                resources=run.settings[result.family].resources_at(task.job.priority),
                library=family.gpu_library,
            )
        )
    return items


def _after(event: Event, result: FamilyResult, run: StageRun) -> FamilyResult:
    """Return the state of a pair after an event; pending means that it runs again."""
    if not isinstance(event, Finished):
        return structs.replace(result, state=FamilyState.RUNNING, attempts=event.item.attempt)
    reply = event.reply
    measured = structs.replace(result, seconds=reply.seconds, peak_memory_bytes=reply.peak_memory_bytes)
    if reply.done is not None:
        return structs.replace(
            measured,
            state=FamilyState.DONE,
            score=reply.done.score,
            scored_rows=reply.done.scored_rows,
            artifact=f"{MODELS}/{reply.done.folder}",
            reason=reply.done.unscored,
            failure=None,
        )
    failure = reply.failure or Failure(kind=FailureKind.DIED, reason="the worker gave no reason")
    return _after_failure(event.item, failure, measured, run)


def _after_failure(item: WorkItem, failure: Failure, result: FamilyResult, run: StageRun) -> FamilyResult:
    settings = run.settings[item.task.family]
    failed = structs.replace(result, state=FamilyState.FAILED, reason=failure.reason, failure=failure.kind)
    if failure.kind is FailureKind.DISK_FULL:
        return failed
    pair = f"{result.job_id} × {result.family}"
    if failure.kind in settings.retry_on and item.attempt < settings.attempts:
        _LOG.info("%s: attempt %d failed: %s", pair, item.attempt, failure.reason)
        return structs.replace(failed, state=FamilyState.PENDING)
    _LOG.warning("%s: failed: %s", pair, failure.reason)
    if failure.traceback is not None:
        _LOG.debug("%s:\n%s", pair, failure.traceback)
    discard_model_of_other_plan(model_folder(run.output_dir / MODELS, item.task.folder, result.family), run.plan_id)
    if settings.stops_run:
        run.stop.request(f"{pair} failed, and on_failure of {result.family} is stop")
    return failed
