"""Train a plan.

1. Choose the pairs job × family to run (`selection.py`), and check them against the panel and the config.
2. Write the panel where all workers can map it (`store.py`).
3. Run the CPU stage, then the GPU stage (`stages.py`): each pair through `job.py` in a worker process, each change
   of state into the ledger (`ledger.py`).
4. Compare what was planned with what ran (`outcome.py`) and write the report.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from trainroute.config import Config
from trainroute.families import FamilySelection
from trainroute.panel import Panel, walk_forward
from trainroute.progress import Progress, SilentProgress
from trainroute.records.names import folder_names
from trainroute.records.plan import TrainingPlan
from trainroute.records.results import FamilyResult
from trainroute.records.selectors import EVERYTHING, Selector
from trainroute.train.ledger import Ledger, seconds_taken
from trainroute.train.outcome import TrainingOutcome, build_report, left_over_models, nothing_reason, write_report
from trainroute.train.selection import Selection, check_against_panel, job_features, select
from trainroute.train.settings import family_settings
from trainroute.train.stages import MODELS, StageRun, run_stages
from trainroute.train.store import temporary_folder, write_store

_LOG = logging.getLogger("trainroute")
GLOBALS = "globals"
LEDGER = "training_ledger.sqlite"


def train_plan(
    plan: TrainingPlan,
    panel: Panel,
    config: Config,
    *,
    output_dir: Path,
    families: FamilySelection | Sequence[str] | None = None,
    selector: Selector = EVERYTHING,
    progress: Progress | None = None,
) -> TrainingOutcome:
    """Train the jobs of a plan, exactly these.

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
        Train only the jobs that it means. A pooled job still trains on its whole pool.
    progress : Progress, optional

    Raises
    ------
    UsageError
        If the plan has nothing that a name or glob of the selector means, or a family does not exist.
    PlanError
        If the plan names a target, symbol or feature that the panel does not have.
    ConfigError
        If ``training.families`` of the config is wrong.
    """
    selection = select(plan, families=families, selector=selector)
    if not selection.pending:
        return train_nothing(plan, selection, output_dir=output_dir)
    check_against_panel(plan, selection.jobs, panel)
    settings = family_settings(sorted({result.family for result in selection.pending}), config.training)
    with _ledger(plan, selection, output_dir) as ledger, temporary_folder(output_dir / GLOBALS) as store:
        _LOG.info("Using model families from training plan")
        write_store(panel, walk_forward(panel, config), store)
        run = StageRun(
            plan_id=plan.metadata.plan_id,
            jobs={job.job_id: job for job in selection.jobs},
            folders=folder_names(job.job_id for job in plan.jobs),
            features={job.job_id: job_features(plan, job, panel) for job in selection.jobs},
            targets=tuple(sorted({job.target for job in plan.jobs})),
            settings=settings,
            config=config.training,
            output_dir=output_dir,
            store=store,
            ledger=ledger,
        )
        ended = run_stages(run, selection.pending, progress or SilentProgress())
    return _conclude(plan, selection, ended, output_dir)


def mean_seconds(output_dir: Path) -> dict[tuple[str, str], float]:
    """Return what each job × family took on average in earlier runs of an output directory; see `seconds_taken`."""
    return seconds_taken(output_dir / GLOBALS / LEDGER)


def train_nothing(plan: TrainingPlan, selection: Selection, *, output_dir: Path) -> TrainingOutcome:
    """Close a plan of which a selection leaves nothing to train: the ledger and the report say why; no data are read.

    Parameters
    ----------
    plan : TrainingPlan
    selection : Selection
        One without pending pairs, see `select`.
    output_dir : Path
    """
    _ledger(plan, selection, output_dir).close()
    return _conclude(plan, selection, (), output_dir)


def _ledger(plan: TrainingPlan, selection: Selection, output_dir: Path) -> Ledger:
    """Open the ledger, with what does not run already in it."""
    if selection.not_built:
        _LOG.warning("Not in this version, so not trained: %s", ", ".join(selection.not_built))
    ledger = Ledger(output_dir / GLOBALS / LEDGER, plan.metadata.plan_id)
    ledger.record(selection.closed)
    return ledger


def _conclude(
    plan: TrainingPlan, selection: Selection, ended: Sequence[FamilyResult], output_dir: Path
) -> TrainingOutcome:
    place = {job.job_id: number for number, job in enumerate(selection.jobs)}
    results = sorted((*ended, *selection.closed), key=lambda result: place[result.job_id])
    nothing = None if selection.pending else nothing_reason(plan, selection.jobs, selection.closed)
    if nothing is not None:
        _LOG.info("%s", nothing)
    report = build_report(
        plan,
        results,
        generated_at=datetime.now(UTC).isoformat(timespec="seconds"),
        not_built=selection.not_built,
        left_over=left_over_models(output_dir / MODELS, plan),
        nothing=nothing,
    )
    path = write_report(report, output_dir / GLOBALS)
    return TrainingOutcome(
        report=report,
        report_path=path,
        ledger_path=output_dir / GLOBALS / LEDGER,
        models_dir=output_dir / MODELS,
    )
