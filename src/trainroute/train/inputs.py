"""All that decides a model, as hashes: two runs with equal inputs write the same model.

Kept in the manifest of a model, so that ``--resume`` can tell whether it is the one that would be trained now, and
what differs where it is not. Limits, threads and worker counts are left out: they decide nothing that matters.
"""

from collections.abc import Mapping, Sequence

from trainroute.config import Config
from trainroute.families import Hyperparameter
from trainroute.provenance import code_version
from trainroute.records.artifacts import content_id
from trainroute.records.plan import TrainingJob

_DIGITS = 16


def run_inputs(config: Config, *, plan_id: str, data_fingerprint: str) -> dict[str, str]:
    """Return a hash of each input that all models of a run share."""
    return _hashed(
        {
            "plan": plan_id,
            "data": data_fingerprint,
            "data settings": config.data.model_dump(mode="json"),
            "holdout": config.holdout.model_dump(mode="json"),
            "validation": config.validation.model_dump(mode="json", exclude={"tree_probes"}),
            "seed": config.training.seed,
            "code": code_version(),
        }
    )


def model_inputs(
    job: TrainingJob,
    features: Sequence[str],
    siblings: Sequence[str],
    hyperparameters: Mapping[str, Hyperparameter],
) -> dict[str, str]:
    """Return a hash of each input of one model alone."""
    return _hashed({"job": (job, features, siblings), "hyperparameters": hyperparameters})


def changed_inputs(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the inputs that differ."""
    return tuple(name for name in now if then.get(name) != now[name])


def _hashed(inputs: Mapping[str, object]) -> dict[str, str]:
    return {name: content_id(value, length=_DIGITS) for name, value in inputs.items()}
