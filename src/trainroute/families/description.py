"""What each family says of itself, as data: for `trainroute families` and for programs. No library is imported."""

from trainroute.families.base import Family, Hyperparameter
from trainroute.records.plan import Record
from trainroute.records.vocabulary import Stage, Task, TrainingType


class FamilyDescription(Record, frozen=True, kw_only=True):
    """The declared capability of one family.

    ``missing`` are those of the modules it ``needs`` that are not installed; ``install`` is how to install them.
    ``in_roster`` is False for a family that an entry point of another distribution adds.
    """

    name: str
    stage: Stage
    tasks: tuple[Task, ...]
    training_types: tuple[TrainingType, ...]
    min_rows: int
    reads_history: bool
    learns_siblings: bool
    gpu_library: str | None
    needs: tuple[str, ...]
    extra: str | None
    installed: bool
    missing: tuple[str, ...]
    install: str | None
    in_roster: bool
    hyperparameters: dict[str, Hyperparameter]


def describe(family: type[Family], *, in_roster: bool) -> FamilyDescription:
    """Describe one family; its modules are looked up and not imported."""
    missing = family.missing_libraries()
    return FamilyDescription(
        name=family.name,
        stage=family.stage,
        tasks=tuple(task for task in Task if task in family.tasks),
        training_types=tuple(kind for kind in TrainingType if kind in family.training_types),
        min_rows=family.min_rows,
        reads_history=family.reads_history,
        learns_siblings=family.learns_siblings,
        gpu_library=family.gpu_library,
        needs=family.requires,
        extra=family.extra,
        installed=not missing,
        missing=missing,
        install=family.install_hint() if missing else None,
        in_roster=in_roster,
        hyperparameters=dict(family.hyperparameters),
    )
