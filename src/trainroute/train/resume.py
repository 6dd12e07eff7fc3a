"""Which pairs need not be trained again: those whose model is whole, and is the one that would be trained now.

1. The model's manifest and the hash of each of its files must hold.
2. Each of its inputs (plan, job, data, settings, hyperparameters, seed, code) must be that of today.
3. What the ledger says of such a pair is kept; where a killed run had no time to write it, the manifest says it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from trainroute.errors import TrainingError
from trainroute.records.results import FamilyResult, FamilyState, ModelManifest
from trainroute.train.artifact import model_folder, verified_manifest
from trainroute.train.inputs import changed_inputs
from trainroute.train.job import JobTask, why_unscored
from trainroute.train.tasks import Pair, pair_of

MODELS = "models"


@dataclass(frozen=True, kw_only=True)
class ToDo:
    """What is to be trained.

    Attributes
    ----------
    pending : tuple of FamilyResult
        Pairs to train.
    kept : tuple of FamilyResult
        Pairs whose model of an earlier run stays.
    trained_again : tuple of str
        Those of them that have a model which cannot be kept, as ``job_id × family: reason``.
    """

    pending: tuple[FamilyResult, ...]
    kept: tuple[FamilyResult, ...] = ()
    trained_again: tuple[str, ...] = ()


def left_to_do(
    pending: Sequence[FamilyResult],
    tasks: Mapping[Pair, JobTask],
    recorded: Iterable[FamilyResult],
    output_dir: Path,
) -> ToDo:
    """Sort pairs into those that are done and those to train; ``recorded`` are the ledger's rows of the plan."""
    known = {pair_of(result): result for result in recorded}
    kept: list[FamilyResult] = []
    rest: list[FamilyResult] = []
    again: list[str] = []
    for result in pending:
        task = tasks[pair_of(result)]
        folder = model_folder(output_dir / MODELS, task.folder, task.family)
        if not folder.exists():
            rest.append(result)
            continue
        manifest, reason = _kept(folder, task)
        if manifest is None:
            rest.append(result)
            again.append(f"{result.job_id} × {result.family}: {reason}")
        else:
            artifact = folder.relative_to(output_dir).as_posix()
            kept.append(_done(result, manifest, known.get(pair_of(result)), artifact))
    return ToDo(kept=tuple(kept), pending=tuple(rest), trained_again=tuple(again))


def _kept(folder: Path, task: JobTask) -> tuple[ModelManifest | None, str]:
    """Return the manifest of a model that is kept, else why it is not."""
    try:
        manifest = verified_manifest(folder)
    except TrainingError as error:
        return None, str(error)
    changed = changed_inputs(manifest.inputs, task.inputs)
    if changed:
        return None, f"{', '.join(changed)} changed since it was trained"
    return manifest, ""


def _done(result: FamilyResult, manifest: ModelManifest, recorded: FamilyResult | None, artifact: str) -> FamilyResult:
    known = recorded if recorded is not None and recorded.state is FamilyState.DONE else result
    return replace(
        known,
        state=FamilyState.DONE,
        score=manifest.holdout.score,
        scored_rows=manifest.holdout.rows,
        expected_score=result.expected_score,
        artifact=artifact,
        reason=why_unscored(manifest.holdout),
        failure=None,
        resumed=True,
    )
