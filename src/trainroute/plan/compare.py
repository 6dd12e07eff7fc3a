"""What differs between two training plans, job by job."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec

from trainroute.records.plan import JobMetadata, TrainingJob, TrainingPlan

_FIELDS = ("route", "training_type", "model_families", "priority")
_METADATA_FIELDS = tuple(name for name in JobMetadata.__struct_fields__ if name != "estimated_cost_seconds")
_NAMES = (*_FIELDS, *(f"metadata.{name}" for name in _METADATA_FIELDS))
_own, _evidence = attrgetter(*_FIELDS), attrgetter(*_METADATA_FIELDS)


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """One field of a job, before and after; evidence is named ``metadata.<field>``."""

    field: str
    before: object
    after: object


@dataclass(frozen=True, kw_only=True)
class JobChange:
    """A job that both plans have and that is not the same."""

    before: TrainingJob
    after: TrainingJob
    changes: tuple[FieldChange, ...]

    @property
    def job_id(self) -> str:
        """The id of the job."""
        return self.after.job_id


@dataclass(frozen=True, kw_only=True)
class PlanDiff:
    """Jobs that only one plan has, and jobs that differ; each sorted by id."""

    added: tuple[TrainingJob, ...]
    removed: tuple[TrainingJob, ...]
    changed: tuple[JobChange, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.removed or self.changed)

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as plain builtins, for `compare_training_plans` and JSON."""
        return {
            "added_jobs": [job.job_id for job in self.added],
            "removed_jobs": [job.job_id for job in self.removed],
            "changed_jobs": [
                {
                    "job_id": change.job_id,
                    "changes": {
                        field.field: {"before": _plain(field.before), "after": _plain(field.after)}
                        for field in change.changes
                    },
                }
                for change in self.changed
            ],
        }


def compare_plans(before: TrainingPlan, after: TrainingPlan) -> PlanDiff:
    """Compare two plans.

    A job is changed if its route, type, families or priority differ, or the evidence in its metadata. Its ``reason``
    is text about these and not compared by itself; neither is its estimated cost.
    """
    old = {job.job_id: job for job in before.jobs}
    new = {job.job_id: job for job in after.jobs}
    pairs = ((old[name], new[name]) for name in sorted(old.keys() & new.keys()))
    compared = (JobChange(before=a, after=b, changes=_changes(a, b)) for a, b in pairs if a != b)
    return PlanDiff(
        added=_only(new, old),
        removed=_only(old, new),
        changed=tuple(change for change in compared if change.changes),
    )


def _only(these: Mapping[str, TrainingJob], those: Mapping[str, TrainingJob]) -> tuple[TrainingJob, ...]:
    return tuple(these[name] for name in sorted(these.keys() - those.keys()))


def _changes(before: TrainingJob, after: TrainingJob) -> tuple[FieldChange, ...]:
    fields = zip(_NAMES, _values(before), _values(after), strict=True)
    return tuple(FieldChange(field=name, before=a, after=b) for name, a, b in fields if a != b)


def _values(job: TrainingJob) -> tuple[object, ...]:
    return (*_own(job), *_evidence(job.metadata))


def _plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON holds
    return msgspec.json.decode(msgspec.json.encode(value))
