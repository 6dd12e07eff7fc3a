"""What two plans differ in, as records: counts of all, details of as many as were asked for, each with its cause."""

from trainroute.records.plan import Record
from trainroute.records.vocabulary import RouteState


class InputDifference(Record, frozen=True, kw_only=True):
    """Something that a plan is made from, before and after: data, candidates, a config key, families, the code."""

    what: str
    before: str
    after: str


class ChangeCause(Record, frozen=True, kw_only=True):
    """One thing that changed and gave a pair another route.

    Attributes
    ----------
    by : str
        What crossed: the ``metric``; the threshold, by the ``config`` or by what ``hysteresis`` holds on to; or several
        of them together, such as ``metric and config``.
    side : str or None
        Whose metric, ``pooled`` or ``local``.
    rule, metric, key : str or None
        The rule, the column that it compares, and the config key of its threshold.
    value_before, value_after, threshold_before, threshold_after : float, str or None
    others : tuple of str
        Who took the pair's place in the experimental lane or left one to it, each with its score; or how the number of
        places changed.
    """

    by: str
    side: str | None
    rule: str
    metric: str | None
    key: str | None
    value_before: float | str | None
    value_after: float | str | None
    threshold_before: float | str | None
    threshold_after: float | str | None
    others: tuple[str, ...] = ()

    def line(self) -> str:
        """Write the cause as one line."""
        key = self.key or self.rule
        if self.metric is None:
            return f"{key} {moved(self.threshold_before, self.threshold_after)}"
        by_metric = "metric" in self.by or self.key is None
        value = moved(self.value_before, self.value_after) if by_metric else shown(self.value_after)
        metric = f"{self.metric if self.side is None else f'{self.side} {self.metric}'} {value}"
        if self.key is None:
            return metric + (f": {', '.join(self.others)}" if self.others else "")
        held = " (by the previous plan)" if "hysteresis" in self.by else ""
        if self.threshold_after is None:
            threshold = key
        elif self.by == "metric":
            threshold = f"{key} {shown(self.threshold_after)}"
        else:
            threshold = f"{key} {moved(self.threshold_before, self.threshold_after)}{held}"
        return f"{metric} crossed {threshold}" if by_metric else f"{threshold} crossed {metric}"


class RouteDifference(Record, frozen=True, kw_only=True):
    """One pair that is routed otherwise; ``before`` or ``after`` is null where only the other plan has the pair.

    ``kind`` is the cause in one word: ``metric`` (its evidence changed) or ``data`` (so did its rows), ``config``,
    ``hysteresis`` (another previous plan is held on to), several of these such as ``data and config``, ``code``,
    ``new pair`` or ``gone``; ``why`` is kind and causes as one line.
    """

    target: str
    symbol: str
    before: RouteState | None
    after: RouteState | None
    kind: str
    why: str
    causes: tuple[ChangeCause, ...] = ()


class JobDifference(Record, frozen=True, kw_only=True):
    """One job that is added, removed or changed; ``fields`` holds what changed, before and after."""

    change: str
    job_id: str
    target: str
    symbol: str | None
    why: str
    fields: dict[str, tuple[object, object]]


class DifferenceCounts(Record, frozen=True, kw_only=True):
    """How much differs; ``jobs_by_budget`` of the jobs are added or removed because a budget kept or left them out."""

    jobs_added: int = 0
    jobs_removed: int = 0
    jobs_changed: int = 0
    jobs_by_budget: int = 0
    routes_changed: int = 0
    pairs_added: int = 0
    pairs_removed: int = 0


class PlansDifference(Record, frozen=True, kw_only=True):
    """Two plans compared.

    ``transitions`` counts pairs by ``before → after``; ``kinds`` by the cause in one word; ``causes`` by metric or
    config key. ``jobs`` and ``routes`` hold the first of each, `counts` all of them. ``compared`` says which of the two
    both plans have, ``notes`` why one is missing. Plans are the ``same`` where jobs and routes are; routes that could
    not be compared are where both plans name the same decisions.
    """

    before: str
    after: str
    compared: tuple[str, ...]
    same: bool
    counts: DifferenceCounts
    inputs: tuple[InputDifference, ...]
    transitions: dict[str, int]
    kinds: dict[str, int]
    causes: dict[str, int]
    routes: tuple[RouteDifference, ...]
    jobs: tuple[JobDifference, ...]
    notes: tuple[str, ...]


class SweepStep(Record, frozen=True, kw_only=True):
    """How the pairs are routed with one value of a key; ``changed`` counts those routed otherwise than in the plan.

    ``refused`` says why the value cannot be set alone, null where it can; ``routes`` is empty then.
    """

    value: object
    routes: dict[str, int]
    changed: int
    refused: str | None = None


class Sweep(Record, frozen=True, kw_only=True):
    """How the routes move with the value of one key; ``base`` are the routes of the plan that is there."""

    key: str
    base: dict[str, int]
    steps: tuple[SweepStep, ...]


def moved(before: float | str | None, after: float | str | None) -> str:
    """Write two values of a rule for people."""
    return f"{shown(before)} → {shown(after)}"


def shown(value: float | str | None) -> str:
    """Write a value of a rule for people."""
    if value is None:
        return "none"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
