"""The trained models of a plan's jobs: found and checked before any row is read, loaded when they are asked.

A manifest must be whole and say the same job, family and plan as its place; each file must be the one that training
wrote (`trainroute.train.load_model`). A model that is not there is named, and the job's other families answer.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainroute.errors import BrokenResultError, MissingLibraryError, StalePlanError
from trainroute.families import FAMILIES, Family, FittedModel, two_stage_order
from trainroute.records.names import folder_names
from trainroute.records.plan import TrainingJob, TrainingPlan
from trainroute.records.results import ModelManifest
from trainroute.serving.rows import AskedRows
from trainroute.train.artifact import MANIFEST, load_model, model_folder, read_manifest


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """One family of one job, on disk."""

    folder: Path
    family: type[Family]
    manifest: ModelManifest

    @property
    def name(self) -> str:
        """The job and the family, for messages."""
        return f"{self.manifest.job_id} × {self.family.name}"


@dataclass(frozen=True, kw_only=True)
class JobModels:
    """The models of one job.

    Attributes
    ----------
    job_id : str
    models : tuple of StoredModel
        In two-stage order.
    absent : tuple of str
        Why the other families of the job have no model, one line each.
    """

    job_id: str
    models: tuple[StoredModel, ...]
    absent: tuple[str, ...]

    def label(self) -> str:
        """Write the job and the families that answer for it."""
        return f"{self.job_id}[{','.join(model.family.name for model in self.models)}]"


@dataclass(frozen=True)
class LoadedJob:
    """The models of one job in memory; they answer with their plain mean."""

    stored: JobModels
    models: tuple[FittedModel, ...]

    @property
    def classes(self) -> tuple[float, ...]:
        """The label values of the outputs; empty for a regression."""
        return self.stored.models[0].manifest.classes

    def predict(self, rows: AskedRows, *, threads: int) -> NDArray[np.float64]:
        """Return the mean of the families' predictions of the rows that are asked for.

        All families predict the same quantity in the same unit: the probability of a class, or the value.

        Returns
        -------
        ndarray of shape (n_asked,) or (n_asked, n_classes)
        """
        each = [
            rows.predicted(model, stored.manifest, history=stored.family.reads_history, threads=threads)
            for model, stored in zip(self.models, self.stored.models, strict=True)
        ]
        return each[0] if len(each) == 1 else np.asarray(np.mean(each, axis=0), dtype=np.float64)


def find_models(
    plan: TrainingPlan,
    jobs: Iterable[TrainingJob],
    models: Path,
    *,
    families: Collection[str] | None = None,
    data_settings: str | None = None,
) -> dict[str, JobModels]:
    """Find the models of some jobs and read their manifests.

    Parameters
    ----------
    plan : TrainingPlan
    jobs : iterable of TrainingJob
        Of the plan.
    models : Path
        The directory ``models`` of an output directory.
    families : collection of str, optional
        Only these.
    data_settings : str, optional
        The hash of the settings `data` in force, as in a manifest's ``inputs``; a model must have been trained with it.

    Raises
    ------
    BrokenResultError
        If a manifest is edited or broken, or belongs to another place; or the models of a job disagree.
    StalePlanError
        If a model was trained with other settings `data`.
    MissingLibraryError
        If a library of a model's family is not installed.
    """
    folders = folder_names(job.job_id for job in plan.jobs)
    found = {}
    for job in jobs:
        there, absent = [], []
        for name in two_stage_order(FAMILIES.get(family).name for family in job.model_families):
            if families is not None and name not in families:
                absent.append(f"{name} is not among the families asked for")
                continue
            stored = _stored(model_folder(models, folders[job.job_id], name), job, name)
            if stored is None:
                absent.append(f"{name} has no model")
            elif stored.manifest.plan_id != plan.metadata.plan_id:
                absent.append(f"{name} has a model of another plan ({stored.manifest.plan_id[:16]})")
            else:
                _check_usable(stored, data_settings)
                there.append(stored)
        found[job.job_id] = JobModels(job_id=job.job_id, models=tuple(there), absent=tuple(absent))
    return found


def _stored(folder: Path, job: TrainingJob, family: str) -> StoredModel | None:
    if not (folder / MANIFEST).exists():
        return None
    manifest = read_manifest(folder)
    says = (manifest.job_id, manifest.target, manifest.symbol, manifest.family)
    if says != (job.job_id, job.target, job.symbol, family):
        raise BrokenResultError(
            f"{folder / MANIFEST}: is of {manifest.job_id} × {manifest.family}; expected {job.job_id} × {family}; "
            "train the model again"
        )
    return StoredModel(folder=folder, family=FAMILIES.get(family), manifest=manifest)


def _check_usable(stored: StoredModel, data_settings: str | None) -> None:
    if data_settings is not None and stored.manifest.inputs.get("data settings", data_settings) != data_settings:
        raise StalePlanError(
            f"{stored.folder}: the settings under 'data' changed since the model was trained; restore them, train "
            "again, or give --allow-stale"
        )
    missing = stored.family.missing_libraries()
    if missing:
        raise MissingLibraryError(
            f"{stored.name} needs {', '.join(missing)}; {stored.family.install_hint()}, or leave it out with --families"
        )


def check_outputs(target: str, found: Iterable[JobModels]) -> None:
    """Check that all models of a target answer the same question, so that their predictions may be averaged.

    Raises
    ------
    BrokenResultError
        If their tasks or lists of classes differ; the message names two manifests.
    """
    models = [model for job in found for model in job.models]
    for model in models[1:]:
        first, other = models[0].manifest, model.manifest
        if (first.task, first.classes) != (other.task, other.classes):
            raise BrokenResultError(
                f"{model.folder / MANIFEST}: {other.task} with classes {list(other.classes)}, but "
                f"{models[0].folder / MANIFEST} of the same target {target!r}: {first.task} with classes "
                f"{list(first.classes)}; train them again on the same data"
            )


def read_features(found: Iterable[JobModels]) -> dict[str, str]:
    """Return every feature that some models read, sorted, with the first model that does."""
    read_by: dict[str, str] = {}
    for job in found:
        for model in job.models:
            for feature in model.manifest.features:
                read_by.setdefault(feature, f"the model {model.name}")
    return dict(sorted(read_by.items()))


def start_of_plan(plan: TrainingPlan, models: Path) -> int | None:
    """Return the start of the holdout as the first model of a plan knows it; None where the plan has no model."""
    folders = folder_names(job.job_id for job in plan.jobs)
    for job in plan.jobs:
        for name in (FAMILIES.get(family).name for family in job.model_families):
            stored = _stored(model_folder(models, folders[job.job_id], name), job, name)
            if stored is not None and stored.manifest.plan_id == plan.metadata.plan_id:
                return stored.manifest.holdout.start
    return None


def latest_start(found: Mapping[str, JobModels] | Sequence[JobModels]) -> int | None:
    """Return the start of the holdout, the latest one where models differ; None without models."""
    jobs = found.values() if isinstance(found, Mapping) else found
    return max((model.manifest.holdout.start for job in jobs for model in job.models), default=None)


def load_job(stored: JobModels) -> LoadedJob:
    """Load the models of a job after checking each file against its hash.

    Raises
    ------
    BrokenResultError
        If a file is missing, edited or broken.
    """
    return LoadedJob(stored, tuple(load_model(model.folder)[0] for model in stored.models))
