"""Which jobs of a plan are meant: by target, symbol, route, type, family, priority or id, with globs.

The same names everywhere: `train` runs these jobs, `show` prints them, `diff` compares them in both plans.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from trainroute.errors import UnknownNameError
from trainroute.records.patterns import matching, selected
from trainroute.records.plan import TrainingJob, TrainingPlan
from trainroute.records.vocabulary import RouteState, TrainingType

Patterns = tuple[str, ...] | None
_ROUTES_OF_JOBS = tuple(route for route in RouteState if route is not RouteState.ROUTE_BLOCKED)


@dataclass(frozen=True, kw_only=True)
class Selector:
    """What is asked of a job; None: nothing. Each is a list of names or globs of which one must match.

    Attributes
    ----------
    targets, symbols : tuple of str or None
        A pooled job is meant by each symbol that it serves.
    routes : tuple of str or None
        Whatever their case, with or without ``ROUTE_``.
    types : tuple of str or None
        ``cross_sectional`` or ``symbol_specific``, whatever their case.
    families : tuple of str or None
        Jobs with at least one of these families, whatever their case.
    min_priority : int or None
    jobs : tuple of str or None
        Job ids, exactly.
    """

    targets: Patterns = None
    symbols: Patterns = None
    routes: Patterns = None
    types: Patterns = None
    families: Patterns = None
    min_priority: int | None = None
    jobs: Patterns = None

    def meant_targets(self, plan: TrainingPlan) -> set[str]:
        """Return the targets of a plan that are meant, also those without a job.

        Raises
        ------
        UnknownNameError
            If a pattern matches no target of the plan.
        """
        known = {job.target for job in plan.jobs} | set(plan.metadata.targets)
        return known if self.targets is None else selected("target of this plan", self.targets, known)


EVERYTHING = Selector()


def served_symbols(job: TrainingJob) -> tuple[str, ...]:
    """Return the symbols that a job's model serves."""
    return job.metadata.symbols if job.symbol is None else (job.symbol,)


def select_jobs(plan: TrainingPlan, selector: Selector) -> tuple[TrainingJob, ...]:
    """Return the jobs that are meant, in the order in which they run.

    Raises
    ------
    UnknownNameError
        If a name or glob matches nothing that the plan has; the message suggests the nearest name.
    """
    jobs = list(plan.jobs)
    for condition in _conditions([plan], selector):
        jobs = [job for job in jobs if condition(job)]
    return tuple(sorted(jobs, key=lambda job: (-job.priority, job.job_id)))


def selected_ids(plans: Sequence[TrainingPlan], selector: Selector) -> set[str]:
    """Return the ids of the jobs that are meant in at least one of some plans; ``--routes BLOCKED`` means none.

    Raises
    ------
    UnknownNameError
        If a name or glob matches nothing that any of the plans has.
    """
    conditions = list(_conditions(plans, selector, routes=list(RouteState)))
    return {job.job_id for plan in plans for job in plan.jobs if all(condition(job) for condition in conditions)}


def _conditions(
    plans: Sequence[TrainingPlan], selector: Selector, *, routes: Sequence[RouteState] = _ROUTES_OF_JOBS
) -> Iterable[Callable[[TrainingJob], bool]]:
    jobs = [job for plan in plans for job in plan.jobs]
    if selector.targets is not None:
        known = {job.target for job in jobs}.union(*(plan.metadata.targets for plan in plans))
        targets = selected("target of this plan", selector.targets, known)
        yield lambda job: job.target in targets
    if selector.symbols is not None:
        known = {symbol for job in jobs for symbol in served_symbols(job)}
        known = known.union(*(plan.metadata.symbols for plan in plans))
        symbols = selected("symbol of this plan", selector.symbols, known)
        yield lambda job: not symbols.isdisjoint(served_symbols(job))
    if selector.routes is not None:
        meant = meant_routes(selector.routes, routes)
        yield lambda job: job.route.value in meant
    if selector.types is not None:
        types = _any_case("training type", selector.types, [kind.value for kind in TrainingType])
        yield lambda job: job.training_type.value in types
    if selector.families is not None:
        known = {name for job in jobs for name in job.model_families}
        known = known.union(*(plan.metadata.model_families for plan in plans))
        families = _any_case("model family of this plan", selector.families, known)
        yield lambda job: not families.isdisjoint(job.model_families)
    if selector.min_priority is not None:
        least = selector.min_priority
        yield lambda job: job.priority >= least
    if selector.jobs is not None:
        ids = {job.job_id for job in jobs}
        for name in selector.jobs:
            if name not in ids:
                raise UnknownNameError("job of this plan", name, ids)
        wanted = set(selector.jobs)
        yield lambda job: job.job_id in wanted


def meant_routes(patterns: Iterable[str], known: Iterable[RouteState] = tuple(RouteState)) -> set[str]:
    """Return the routes that are meant, whatever their case, with or without ``ROUTE_``.

    Raises
    ------
    UnknownNameError
        If a pattern means none.
    """
    names = [route.value for route in known]
    kind = "route" if RouteState.ROUTE_BLOCKED in names else "route of jobs"
    return _any_case(kind, [_with_prefix(name) for name in patterns], names)


def _any_case(kind: str, patterns: Iterable[str], known: Iterable[str]) -> set[str]:
    by_folded = {name.casefold(): name for name in known}
    found = set()
    for pattern in patterns:
        these = matching(pattern.casefold(), by_folded)
        if not these:
            raise UnknownNameError(kind, pattern, by_folded.values())
        found |= {by_folded[name] for name in these}
    return found


def _with_prefix(route: str) -> str:
    prefix = "ROUTE_"
    return route if route.upper().startswith(prefix) or route.startswith("*") else f"{prefix}{route}"
