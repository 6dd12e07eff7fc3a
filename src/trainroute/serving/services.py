"""Which jobs answer for a (target, symbol), and with what weights; or why nobody does.

1. A symbol with a job of its own, and one that the pooled job serves, are answered by these jobs.
2. With both (``ROUTE_BOTH``) the prediction is ``weight × local + (1 − weight) × pooled``; the weight is the plan's
   ``blend_weight``, or what `Weights` says.
3. A symbol of the plan without a job is not answered: the routing plan says why.
4. A symbol that the plan does not know is answered by the pooled job, if there is one and the caller wants it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from trainroute.records.plan import TrainingJob, TrainingPlan
from trainroute.records.selectors import served_symbols
from trainroute.records.vocabulary import RouteState

Weights = Literal["plan", "evaluated", "cs", "local", "equal"]
"""What answers for a symbol with both models: their blend by the plan's weight (``evaluated`` too), one, the mean."""

Unseen = Literal["cs", "refuse"]
"""Whether the pooled model answers for a symbol that the plan does not know."""

EQUAL = 0.5


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the routing plan decided for one (target, symbol), in words."""

    route: RouteState
    reason: str


Decisions = Callable[[str], Mapping[str, Decision]]
"""The decisions on a target, by symbol; empty where there is no routing plan."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """Who answers for a (target, symbol).

    Attributes
    ----------
    route : RouteState or None
        None for a symbol that the plan does not know and nobody answers for.
    jobs : tuple of (TrainingJob, float)
        With their weights, which add up to one; empty where nobody answers.
    reason : str or None
        Why nobody answers, or somebody whom the plan does not name.
    """

    route: RouteState | None
    jobs: tuple[tuple[TrainingJob, float], ...] = ()
    reason: str | None = None


def find_services(
    plan: TrainingPlan,
    targets: Collection[str],
    symbols: Collection[str],
    *,
    weights: Weights,
    unseen: Unseen,
    decisions: Decisions,
) -> dict[str, dict[str, Service]]:
    """Return who answers for each symbol of each target, both sorted; see the numbered rules above.

    Parameters
    ----------
    plan : TrainingPlan
    targets, symbols : collection of str
    weights : Weights
    unseen : Unseen
    decisions : callable
        Asked only for targets of which a symbol has no job.
    """
    jobs: dict[str, list[TrainingJob]] = {target: [] for target in sorted(targets)}
    for job in plan.jobs:
        jobs.get(job.target, []).append(job)
    budget = plan.summary.budget
    left_out = {} if budget is None else {(job.target, job.symbol): job.reason for job in budget.left_out}
    found: dict[str, dict[str, Service]] = {}
    for target, own_jobs in jobs.items():
        pooled = next((job for job in own_jobs if job.symbol is None), None)
        served = frozenset(() if pooled is None else served_symbols(pooled))
        local = {job.symbol: job for job in own_jobs if job.symbol is not None}
        known = {*plan.metadata.symbols, *served, *local}
        found[target] = {}
        for symbol in sorted(symbols):
            own, pool = local.get(symbol), pooled if symbol in served else None
            if own is not None or pool is not None:
                found[target][symbol] = _answered(own, pool, symbol, weights)
            elif symbol in known:
                why = left_out.get((target, symbol), left_out.get((target, None)))
                found[target][symbol] = _unanswered(decisions(target).get(symbol), why)
            else:
                found[target][symbol] = _unseen(pooled, unseen)
    return found


def _answered(own: TrainingJob | None, pool: TrainingJob | None, symbol: str, weights: Weights) -> Service:
    if own is not None and pool is not None:
        weight = _local_weight(own, weights)
        sides = ((pool, 1.0 - weight), (own, weight))
        return Service(route=RouteState.ROUTE_BOTH, jobs=tuple(side for side in sides if side[1] > 0.0))
    if own is not None:
        return Service(route=own.route, jobs=((own, 1.0),), reason=_alone(own.route, "pooled"))
    assert pool is not None  # noqa: S101 - one of the two is there
    route = RouteState.ROUTE_BOTH if symbol in pool.metadata.both_symbols else pool.route
    return Service(route=route, jobs=((pool, 1.0),), reason=_alone(route, "local"))


def _alone(route: RouteState, other: str) -> str | None:
    return f"the plan has no {other} job beside it" if route is RouteState.ROUTE_BOTH else None


def _local_weight(own: TrainingJob, weights: Weights) -> float:
    if weights == "cs":
        return 0.0
    if weights == "local":
        return 1.0
    planned = own.metadata.blend_weight
    return EQUAL if weights == "equal" or planned is None else planned


def _unanswered(decision: Decision | None, left_out: str | None) -> Service:
    if decision is None:
        return Service(route=None, reason="the plan has no job for it, and no routing plan says why")
    if decision.route is RouteState.ROUTE_BLOCKED:
        return Service(route=decision.route, reason=decision.reason)
    return Service(route=decision.route, reason=f"no job in the plan: {left_out or decision.reason}")


def _unseen(pooled: TrainingJob | None, unseen: Unseen) -> Service:
    if pooled is None:
        return Service(route=None, reason="not in the plan, and the target has no pooled model")
    if unseen == "refuse":
        return Service(route=None, reason="not in the plan; --unseen refuse")
    return Service(route=pooled.route, jobs=((pooled, 1.0),), reason="not in the plan: the pooled model answers")
