"""What to do about each kind of failure."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from trainroute.records.results import FailureKind, FailureSummary, FamilyResult, FamilyState

ADVICE: Mapping[FailureKind, str] = MappingProxyType(
    {
        FailureKind.REFUSED: "the rows of the job cannot teach this family; leave it out (--families, or "
        "planning.family_min_priority) or give it more rows",
        FailureKind.ERROR: "run the job again with --job ID --verbose for the traceback; if it comes and goes, raise "
        "training.attempts",
        FailureKind.TIME_LIMIT: "raise training.families.NAME.time_limit_minutes, or give it more threads or "
        "fewer rounds",
        FailureKind.MEMORY_LIMIT: "raise training.families.NAME.memory_limit_mb, or lower training.workers so that "
        "one fit may hold more",
        FailureKind.DIED: "look at what it said last; if the system ran out of memory, lower training.workers or set "
        "training.memory_mb",
        FailureKind.MISSING_LIBRARY: "install the library, or leave the family out of --families",
        FailureKind.UNWRITABLE: "clear the place that the reason names, or give another --output-dir; then go on with "
        "--resume",
        FailureKind.DISK_FULL: "free some space, then go on with --resume",
    }
)


def summarise_failures(results: Iterable[FamilyResult]) -> dict[str, FailureSummary]:
    """Count the failed pairs by kind, in the order of `FailureKind`."""
    groups: dict[FailureKind, list[FamilyResult]] = {}
    for result in results:
        if result.state is FamilyState.FAILED and result.failure is not None:
            groups.setdefault(result.failure, []).append(result)
    return {
        kind.value: FailureSummary(
            pairs=len(groups[kind]),
            example=f"{groups[kind][0].job_id} × {groups[kind][0].family}: {groups[kind][0].reason}",
            advice=ADVICE[kind],
        )
        for kind in FailureKind
        if kind in groups
    }
