"""The closed vocabularies that candidates, decisions and plans are written in."""

from enum import StrEnum


class Mode(StrEnum):
    """Which side a row of the candidates table measures."""

    CROSS_SECTIONAL = "CROSS_SECTIONAL"
    SYMBOL = "SYMBOL"


class Task(StrEnum):
    """What kind of values a target takes."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class TaskGroup(StrEnum):
    """The two groups that a threshold may tell apart."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class SignalState(StrEnum):
    """How good the evidence of one side (pooled or local) is."""

    STRONG = "STRONG"
    WEAK_BUT_OK = "WEAK_BUT_OK"
    EXPERIMENTAL = "EXPERIMENTAL"
    DISALLOWED = "DISALLOWED"


class RouteState(StrEnum):
    """Where one (target, symbol) trains."""

    ROUTE_CROSS_SECTIONAL = "ROUTE_CROSS_SECTIONAL"
    ROUTE_SYMBOL_SPECIFIC = "ROUTE_SYMBOL_SPECIFIC"
    ROUTE_BOTH = "ROUTE_BOTH"
    ROUTE_EXPERIMENTAL_ONLY = "ROUTE_EXPERIMENTAL_ONLY"
    ROUTE_BLOCKED = "ROUTE_BLOCKED"


class StabilityCategory(StrEnum):
    """How alike the selected features of successive snapshots are."""

    STABLE = "STABLE"
    DRIFTING = "DRIFTING"
    DIVERGED = "DIVERGED"
    UNKNOWN = "UNKNOWN"


class LeakageStatus(StrEnum):
    """What the leak checks found, for a feature, a target or a (target, symbol)."""

    SAFE = "SAFE"
    SUSPECT = "SUSPECT"
    BLOCKED = "BLOCKED"
    UNKNOWN = "UNKNOWN"


class TrainingType(StrEnum):
    """Which rows a job trains on: all symbols, or one."""

    CROSS_SECTIONAL = "cross_sectional"
    SYMBOL_SPECIFIC = "symbol_specific"


class Stage(StrEnum):
    """When a model family runs, and on which kind of worker."""

    CPU = "cpu"
    GPU = "gpu"
