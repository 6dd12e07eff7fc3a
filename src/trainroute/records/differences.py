"""What two plans differ in, as records: counts of all, details of as many as were asked for, each with its cause."""

from trainroute.records.plan import Record


class InputDifference(Record, frozen=True, kw_only=True):
    """Something that a plan is made from, before and after: data, candidates, a config key, families, the code."""

    what: str
    before: str
    after: str


class CauseRecord(Record, frozen=True, kw_only=True):
    """One thing that gave a pair another route; see `trainroute.route.Cause`."""

    by: str
    side: str | None
    rule: str
    metric: str | None
    key: str | None
    value_before: float | str | None
    value_after: float | str | None
    threshold_before: float | str | None
    threshold_after: float | str | None


class RouteDifference(Record, frozen=True, kw_only=True):
    """One pair whose route differs; ``before`` or ``after`` is null where only the other plan has the pair."""

    target: str
    symbol: str
    before: str | None
    after: str | None
    kind: str
    why: str
    causes: tuple[CauseRecord, ...] = ()


class JobDifference(Record, frozen=True, kw_only=True):
    """One job that is added, removed or changed; ``fields`` holds what changed, before and after."""

    change: str
    job_id: str
    target: str
    symbol: str | None
    why: str
    fields: dict[str, tuple[object, object]]


class DifferenceCounts(Record, frozen=True, kw_only=True):
    """How much differs."""

    jobs_added: int = 0
    jobs_removed: int = 0
    jobs_changed: int = 0
    routes_changed: int = 0
    pairs_added: int = 0
    pairs_removed: int = 0


class PlansDifference(Record, frozen=True, kw_only=True):
    """Two plans compared.

    ``transitions`` counts pairs by ``before → after``; ``kinds`` by the cause in one word; ``causes`` by metric or
    config key. ``jobs`` and ``routes`` hold the first of each, `counts` all of them. ``notes`` says what could not be
    compared.
    """

    before: str
    after: str
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
    """How the pairs are routed with one value of a key; ``changed`` counts those routed otherwise than in the plan."""

    value: object
    routes: dict[str, int]
    changed: int


class Sweep(Record, frozen=True, kw_only=True):
    """How the routes move with the value of one key; ``base`` are the routes of the plan that is there."""

    key: str
    base: dict[str, int]
    steps: tuple[SweepStep, ...]
