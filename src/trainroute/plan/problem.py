"""What `validate` finds wrong with a plan."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether a plan may be used in spite of it."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong.

    ``kind``: edited, stale, routing, family, data, features, pin, code version or not checked.
    """

    severity: Severity
    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity.value}: {self.kind}: {self.message}"
