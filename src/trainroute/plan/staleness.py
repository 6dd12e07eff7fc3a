"""Whether a plan still fits what it was made from: by content, never by file time.

`recorded_inputs` is what a plan says it was made from; `inputs_beside` reads what lies beside it now, with the settings
in force; the caller adds what only it knows (the data). What differs is named, settings key by key.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from trainroute.config import Config
from trainroute.config.changes import changed_settings
from trainroute.config.pins import expired
from trainroute.errors import StalePlanError, bounded, one_line
from trainroute.plan.legacy import is_legacy_plan
from trainroute.plan.problem import Problem, Severity
from trainroute.provenance import code_version, utc_now
from trainroute.records.candidates_io import find_candidates, read_candidates
from trainroute.records.places import ROUTING_PLAN_DIR
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import PolicyConfig
from trainroute.records.routing_file import JSON_NAME
from trainroute.records.routing_io import read_routing_origin

_KEYS_SHOWN = 5
_VALUE_LENGTH = 60


@dataclass(frozen=True, kw_only=True)
class PlanInputs:
    """What a plan is made from; None: not known, so not compared.

    ``changed_settings`` names the keys that differ from those that the routing plan records, with both values;
    ``expired_pins`` the pins in force that have expired.
    """

    routing_plan_id: str | None = None
    metrics_snapshot: str | None = None
    config_hash: str | None = None
    data_fingerprint: str | None = None
    code_version: str | None = None
    changed_settings: tuple[str, ...] = ()
    expired_pins: tuple[str, ...] = ()


_MEANING = {
    "routing_plan_id": "the routing plan was made again with other decisions",
    "metrics_snapshot": "the routing candidates changed",
    "config_hash": "the routing or planning settings changed",
    "data_fingerprint": "the data changed",
}


def output_of(plan_dir: Path) -> Path:
    """Return the output directory that a plan lies in (``<output>/globals/training_plan``).

    Of a link to a plan it is the one that the link lies in, if that has anything to compare the plan with.
    """
    named = Path(os.path.abspath(plan_dir)).parent.parent  # noqa: PTH100 - follows no link, and ``..`` is resolved
    return named if (named / ROUTING_PLAN_DIR.parent).exists() else plan_dir.resolve().parent.parent


def inputs_beside(plan_dir: Path | str, config: Config | None = None, *, allow_edited: bool = False) -> PlanInputs:
    """Read the inputs that lie in the output directory of a plan (``<output>/globals/training_plan``).

    Parameters
    ----------
    plan_dir : Path or str
    config : Config, optional
        The settings in force.
    allow_edited : bool
        Read a routing plan too that was edited.

    Raises
    ------
    BrokenPlanError, CandidatesError
        If a routing plan or a candidates table lies there and cannot be trusted.
    """
    output = output_of(Path(plan_dir))
    inputs = PlanInputs(code_version=code_version())
    if config is not None:
        gone = expired(config.routing.pins, utc_now())
        inputs = replace(inputs, config_hash=config.config_hash, expired_pins=tuple(gone))
    if (output / ROUTING_PLAN_DIR / JSON_NAME).exists():
        found, policy = read_routing_origin(output / ROUTING_PLAN_DIR, allow_edited=allow_edited)
        inputs = replace(inputs, routing_plan_id=found.plan_id)
        if config is not None:
            inputs = replace(inputs, changed_settings=settings_changed(policy, config))
    table = find_candidates(output / ROUTING_PLAN_DIR.parent)
    if table is not None:
        inputs = replace(inputs, metrics_snapshot=read_candidates(table).snapshot)
    return inputs


def settings_changed(policy: PolicyConfig, config: Config) -> tuple[str, ...]:
    """Name each key whose value differs between the settings that a routing plan records and those in force."""
    pairs = {"routing": (policy.routing, config.routing), "planning": (policy.planning, config.planning)}
    return tuple(
        f"{key} was {one_line(was, limit=_VALUE_LENGTH)}, is {one_line(now, limit=_VALUE_LENGTH)}"
        for name, (before, after) in pairs.items()
        for key, (was, now) in changed_settings(before, after.model_dump(mode="json"), name).items()
    )


def changes_since(plan: TrainingPlan, now: PlanInputs) -> list[Problem]:
    """Return what differs between what a plan was made from and what is there now.

    A legacy plan records nothing, so nothing differs. Another code version is a warning.
    """
    if is_legacy_plan(plan):
        return []
    made_from = recorded_inputs(plan)
    problems = []
    for name, meaning in _MEANING.items():
        was, present = getattr(made_from, name), getattr(now, name)
        if was is not None and present is not None and was != present:
            keys = bounded(now.changed_settings, limit=_KEYS_SHOWN) if name == "config_hash" else ""
            said = keys or f"{name} was {was[:16]}, is {present[:16]}"
            problems.append(Problem(severity=Severity.ERROR, kind="stale", message=f"{meaning} ({said})"))
    if now.expired_pins and now.config_hash == made_from.config_hash:
        text = f"{bounded(now.expired_pins)}: decide again without it"
        problems.append(Problem(severity=Severity.ERROR, kind="stale", message=text))
    if now.code_version is not None and now.code_version != made_from.code_version:
        text = f"made by trainroute {made_from.code_version}, this is {now.code_version}"
        problems.append(Problem(severity=Severity.WARNING, kind="code version", message=text))
    return problems


def require_fresh(plan: TrainingPlan, now: PlanInputs, *, allow_stale: bool = False) -> list[Problem]:
    """Refuse a stale plan; return the warnings.

    Parameters
    ----------
    plan : TrainingPlan
    now : PlanInputs
    allow_stale : bool
        Return what is stale as warnings too, instead of refusing.

    Raises
    ------
    StalePlanError
        If the routing plan, the candidates, the settings or the data changed since; the message says which.
    """
    problems = changes_since(plan, now)
    stale = [problem for problem in problems if problem.severity is Severity.ERROR]
    if stale and not allow_stale:
        raise StalePlanError(
            f"training plan {plan.metadata.plan_id} is stale: {'; '.join(problem.message for problem in stale)}; make "
            "the plan again with 'trainroute run --skip-training', or give --allow-stale to train by it all the same"
        )
    ignored = [replace(problem, severity=Severity.WARNING, message=f"ignored: {problem.message}") for problem in stale]
    return ignored + [problem for problem in problems if problem.severity is Severity.WARNING]


def recorded_inputs(plan: TrainingPlan) -> PlanInputs:
    """Return what a plan says it was made from."""
    meta = plan.metadata
    return PlanInputs(
        routing_plan_id=meta.routing_plan_id,
        metrics_snapshot=meta.metrics_snapshot,
        config_hash=meta.config_hash,
        data_fingerprint=meta.data_fingerprint,
        code_version=meta.code_version,
    )
