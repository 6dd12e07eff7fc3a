"""Train a plan.

1. Choose the pairs job × family to run (`selection.py`), and check them against the panel and the config.
2. Hold the output directory, or with ``--job`` the pairs alone (`lock.py`).
3. With ``resume`` keep the models that would come out the same (`resume.py`).
4. Write the panel where all workers can map it (`store.py`).
5. Run the CPU stage, then the GPU stage (`stages.py`): each pair through `job.py` in a worker process, each change
   of state into the ledger (`ledger.py`).
6. Compare what was planned with what ran (`outcome.py`) and write the report.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from trainroute.config import Config
from trainroute.families import FAMILIES, FamilySelection, two_stage_order
from trainroute.panel import Panel, walk_forward
from trainroute.progress import Progress, SilentProgress
from trainroute.provenance import utc_now
from trainroute.records.plan import TrainingPlan
from trainroute.records.results import FamilyResult
from trainroute.records.selectors import EVERYTHING, Selector
from trainroute.records.vocabulary import Stage
from trainroute.train.artifact import DISK_FULL, MANIFEST, unwritable
from trainroute.train.earlier import GLOBALS, LEDGER
from trainroute.train.ledger import Ledger
from trainroute.train.lock import OutputLock
from trainroute.train.outcome import TrainingOutcome, build_report, left_over_models, nothing_reason, write_report
from trainroute.train.resume import MODELS, ToDo, left_to_do
from trainroute.train.selection import Selection, check_against_panel, select
from trainroute.train.settings import family_settings
from trainroute.train.stages import StageRun, run_stages
from trainroute.train.stopping import stop_on_interrupt
from trainroute.train.store import temporary_folder, write_store
from trainroute.train.tasks import Pair, make_tasks, pair_of, training_rows
from trainroute.train.workers import stage_workers

_LOG = logging.getLogger("trainroute")
_MOST_LINES = 20


def train_plan(
    plan: TrainingPlan,
    panel: Panel,
    config: Config,
    *,
    output_dir: Path,
    families: FamilySelection | Sequence[str] | None = None,
    selector: Selector = EVERYTHING,
    resume: bool = False,
    progress: Progress | None = None,
) -> TrainingOutcome:
    """Train the jobs of a plan, exactly these.

    The first Ctrl-C lets finish what runs, writes the report and raises KeyboardInterrupt; a second one stops at once.

    Parameters
    ----------
    plan : TrainingPlan
    panel : Panel
        The data that the plan was made for, with all symbols that its jobs name.
    config : Config
    output_dir : Path
        Gets ``models/``, ``globals/training_ledger.sqlite`` and ``globals/training_report.{json,md}``. A model of an
        earlier run of the same job × family is replaced when the new one is complete; models of jobs that this plan
        does not have stay and are listed in the report.
    families : FamilySelection or sequence of str, optional
        Train only these of the families that the plan assigns. A plain sequence means that the user has named them:
        then a library that is not installed is a failure, else such a family is skipped.
    selector : Selector, optional
        Train only the jobs that it means. A pooled job still trains on its whole pool. Where it names job ids, other
        processes may train other jobs into the same directory at the same time.
    resume : bool
        Keep each model that is whole and would come out the same.
    progress : Progress, optional

    Raises
    ------
    UsageError
        If the plan has nothing that a name or glob of the selector means, or a family does not exist.
    PlanError
        If the plan names a target, symbol or feature that the panel does not have.
    ConfigError
        If ``training.families`` of the config is wrong.
    OutputInUseError
        If another process trains into ``output_dir``, or the same job.
    DiskFullError
        If there is no space left for models or ledger.
    """
    selection = select(plan, families=families, selector=selector)
    alone = selector.jobs is None
    if not selection.pending:
        return train_nothing(plan, selection, output_dir=output_dir, alone=alone)
    check_against_panel(plan, selection.jobs, panel)
    workers = {stage: stage_workers(stage, config.training) for stage in {r.stage for r in selection.pending}}
    settings = family_settings(
        sorted({result.family for result in selection.pending}),
        config.training,
        gpu_threads=workers[Stage.GPU].threads if Stage.GPU in workers else None,
    )
    tasks = make_tasks(plan, selection.pending, panel, config, settings)
    with (
        _named_disk(),
        OutputLock(output_dir / GLOBALS / LEDGER, output_dir, None if alone else list(tasks)) as lock,
        _ledger(plan, selection, output_dir) as ledger,
        stop_on_interrupt() as stop,
    ):
        _recognise_killed(ledger, None if alone else list(tasks))
        to_do = ToDo(pending=selection.pending)
        if resume:
            to_do = left_to_do(selection.pending, tasks, ledger.results(), output_dir)
            ledger.record(to_do.kept)
        ended: tuple[FamilyResult, ...] = ()
        if to_do.pending:
            with temporary_folder(output_dir / GLOBALS) as store:
                _LOG.info("Using model families from training plan")
                write_store(panel, walk_forward(panel, config), store)
                run = StageRun(
                    plan_id=plan.metadata.plan_id,
                    tasks=tasks,
                    rows=training_rows(tasks, panel),
                    settings=settings,
                    workers=workers,
                    config=config.training,
                    output_dir=output_dir,
                    store=store,
                    ledger=ledger,
                    stop=stop,
                    beat=lock.beat,
                )
                ended = run_stages(run, to_do.pending, progress or SilentProgress())
        outcome = _conclude(
            plan,
            selection,
            (*to_do.kept, *ended),
            output_dir=output_dir,
            others=None if alone else ledger,
            stopped=stop.reason,
            trained_again=to_do.trained_again,
        )
    if stop.interrupted:
        raise KeyboardInterrupt
    return outcome


def train_nothing(plan: TrainingPlan, selection: Selection, *, output_dir: Path, alone: bool = True) -> TrainingOutcome:
    """Close a plan of which a selection leaves nothing to train: the ledger and the report say why; no data are read.

    Parameters
    ----------
    plan : TrainingPlan
    selection : Selection
        One without pending pairs, see `select`.
    output_dir : Path
    alone : bool
        Whether no other process may train into the directory meanwhile; else the report is of all that the ledger has.
    """
    pairs = None if alone else [pair_of(result) for result in selection.closed]
    with (
        _named_disk(),
        OutputLock(output_dir / GLOBALS / LEDGER, output_dir, pairs),
        _ledger(plan, selection, output_dir) as ledger,
    ):
        return _conclude(plan, selection, (), output_dir=output_dir, others=None if alone else ledger)


@contextmanager
def _named_disk() -> Iterator[None]:
    """Say of a full disk that it is full, whatever was being written."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise unwritable("a file", error, then="go on with --resume") from None
        raise


def _ledger(plan: TrainingPlan, selection: Selection, output_dir: Path) -> Ledger:
    """Open the ledger, with what does not run already in it."""
    ledger = Ledger(output_dir / GLOBALS / LEDGER, plan.metadata.plan_id)
    ledger.record(selection.closed)
    return ledger


def _recognise_killed(ledger: Ledger, pairs: Sequence[Pair] | None) -> None:
    """Set back what is still marked as running: whoever ran it is gone, or this process could not hold it now."""
    found = ledger.release("its run was killed", pairs)
    if found:
        _LOG.info("%d of the ledger's models were being trained when an earlier run was killed", found)


def _conclude(
    plan: TrainingPlan,
    selection: Selection,
    ended: Sequence[FamilyResult],
    *,
    output_dir: Path,
    others: Ledger | None,
    stopped: str | None = None,
    trained_again: Sequence[str] = (),
) -> TrainingOutcome:
    """Write the report; beside other processes (``others``: the ledger) it is of all that they have done so far."""
    nothing = None if selection.pending else nothing_reason(plan, selection.jobs, selection.closed)
    if nothing is not None:
        _LOG.info("%s", nothing)
    for line in trained_again[:_MOST_LINES]:
        _LOG.info("trained again: %s", line)
    report = partial(
        build_report,
        plan,
        generated_at=utc_now(),
        left_over=left_over_models(output_dir / MODELS, plan),
        stopped=stopped,
        trained_again=trained_again,
    )
    own = report(_in_order(plan, (*ended, *selection.closed)), nothing=nothing)
    directory = output_dir / GLOBALS
    if others is None:
        path = write_report(own, directory)
    else:
        with others.alone():
            known = [row for row in others.results() if _has_its_model(row, output_dir)]
            path = write_report(report(_in_order(plan, known)), directory)
    return TrainingOutcome(report=own, report_path=path, ledger_path=directory / LEDGER, models_dir=output_dir / MODELS)


def _has_its_model(row: FamilyResult, output_dir: Path) -> bool:
    """Whether a row still says what is there: models may have been moved away since."""
    return row.artifact is None or (output_dir / row.artifact / MANIFEST).is_file()


def _in_order(plan: TrainingPlan, results: Iterable[FamilyResult]) -> list[FamilyResult]:
    place = {job.job_id: number for number, job in enumerate(plan.jobs)}
    family = {name: number for number, name in enumerate(two_stage_order(FAMILIES.names()))}
    return sorted(results, key=lambda result: (place[result.job_id], family[result.family]))
