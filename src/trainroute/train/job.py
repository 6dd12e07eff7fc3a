"""Run one family of one job. The same function on this machine and on a cluster.

1. Choose the rows (`rows.py`): purged training rows, purged validation rows, holdout rows.
2. Fit the family on the features of the job.
3. Score the model on the holdout (`scoring.py`), per symbol and pooled.
4. Save it with its manifest (`artifact.py`).
"""

from pathlib import Path

from trainroute.errors import MissingLibraryError
from trainroute.families import FAMILIES, FitContext, FittedModel, Hyperparameter
from trainroute.panel import Target
from trainroute.records.plan import Record, TrainingJob
from trainroute.records.results import MODEL_MANIFEST_SCHEMA_VERSION, HoldoutScores, ModelManifest
from trainroute.records.vocabulary import Task
from trainroute.train.artifact import library_versions, model_folder, save_model
from trainroute.train.rows import JobRows, Wanted, job_rows, take_features, take_training_rows, training_symbols, window
from trainroute.train.scoring import score_holdout
from trainroute.train.store import PanelStore

_SAMPLE = 32
"""Rows for which the saved model must predict what the fitted one does."""
_PREPROCESSING = {"dtype": "float32", "missing": "NaN", "scaling": "inside the model"}


class JobTask(Record, frozen=True, kw_only=True):
    """One family of one job, with all that its run needs to know beside the panel.

    ``folder`` is the name of the job's folder among the models, ``siblings`` are the other targets of the plan,
    ``inputs`` goes into the manifest as it is.
    """

    job: TrainingJob
    folder: str
    family: str
    features: tuple[str, ...]
    siblings: tuple[str, ...]
    hyperparameters: dict[str, Hyperparameter]
    seed: int
    threads: int
    plan_id: str
    inputs: dict[str, str]


class JobDone(Record, frozen=True, kw_only=True):
    """What a run of a job ended in: the score on the holdout, or why there is none, and where the model lies."""

    score: float | None
    scored_rows: int
    unscored: str | None
    folder: str


def run_job(task: JobTask, store: PanelStore, models: Path) -> JobDone:
    """Train, score and save one family of one job.

    Parameters
    ----------
    task : JobTask
    store : PanelStore
        The panel of the run.
    models : Path
        The model is saved in ``models/<folder>/<family>``.

    Raises
    ------
    MissingLibraryError
        If a library of the family is not installed.
    TrainingError
        If the job's rows cannot teach.
    ModelError
        If the model predicts no numbers, or is not what comes back from its files.
    UnwritableError
        If something is in the way where it belongs.
    DiskFullError
        If there is no space for it.
    """
    family = FAMILIES.get(task.family)
    missing = family.missing_libraries()
    if missing:
        raise MissingLibraryError(f"{family.name} needs {', '.join(missing)}; {family.install_hint()}")
    target = store.index.targets[store.target_number[task.job.target]]
    rows = job_rows(store, task.job, min_rows=family.min_rows)
    wanted = Wanted(
        features=task.features,
        target=target,
        siblings=_siblings(task, store) if family.learns_siblings else (),
        history=family.reads_history,
    )
    last = store.split.n_blocks
    beside = last - 1 if len(rows.validation) else last
    model = family().fit(
        take_training_rows(store, rows.train, wanted, first_block=0, ends_before=beside),
        take_training_rows(store, rows.validation, wanted, first_block=last - 1, ends_before=last),
        context=_context(task, target),
    )
    scores = score_holdout(store, model, wanted, rows.holdout, threads=task.threads)
    manifest = _manifest(task, target, store, rows, scores, model)
    folder = model_folder(models, task.folder, family.name)
    save_model(
        folder,
        model,
        manifest,
        take_features(store, (rows.holdout if len(rows.holdout) else rows.train)[:_SAMPLE], task.features),
    )
    return JobDone(
        score=scores.score,
        scored_rows=scores.rows,
        unscored=why_unscored(scores),
        folder=folder.relative_to(models).as_posix(),
    )


def _siblings(task: JobTask, store: PanelStore) -> tuple[Target, ...]:
    targets = (store.index.targets[store.target_number[name]] for name in task.siblings)
    return tuple(target for target in targets if target.task is not Task.MULTICLASS)


def _context(task: JobTask, target: Target) -> FitContext:
    return FitContext(
        task=target.task,
        n_classes=0 if target.task is Task.REGRESSION else len(target.classes),
        seed=task.seed,
        threads=task.threads,
        hyperparameters=task.hyperparameters,
    )


def _manifest(
    task: JobTask, target: Target, store: PanelStore, rows: JobRows, scores: HoldoutScores, model: FittedModel
) -> ModelManifest:
    family = FAMILIES.get(task.family)
    return ModelManifest(
        schema_version=MODEL_MANIFEST_SCHEMA_VERSION,
        plan_id=task.plan_id,
        job_id=task.job.job_id,
        target=target.name,
        symbol=task.job.symbol,
        training_type=task.job.training_type,
        family=family.name,
        task=target.task,
        classes=target.classes,
        features=task.features,
        feature_set_id=task.job.metadata.feature_set_id,
        preprocessing=_PREPROCESSING,
        training_symbols=tuple(sorted(training_symbols(task.job))),
        window=window(store, rows, target),
        holdout=scores,
        hyperparameters=task.hyperparameters,
        details=dict(model.details),
        seed=task.seed,
        inputs=task.inputs,
        data_fingerprint=store.index.fingerprint,
        versions=library_versions(family),
        files={},
    )


def why_unscored(scores: HoldoutScores) -> str | None:
    """Say why a model has no score on the holdout, if it has none."""
    if scores.score is not None:
        return None
    if scores.rows == 0:
        return "not scored: no labelled rows in the holdout"
    return f"not scored: the {scores.rows} labels in the holdout are all equal within each symbol"
