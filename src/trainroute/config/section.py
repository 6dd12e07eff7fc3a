"""What every part of the config is made of: a frozen section, and the kinds of numbers in it."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Score = Annotated[float, Field(ge=0.0, le=1.0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
PositiveInt = Annotated[int, Field(ge=1, le=2**63 - 1)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""What every library takes."""


class Section(BaseModel):
    """A part of the config: frozen, unknown keys refused, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PerTask(Section):
    """A threshold that differs between classification and regression targets."""

    classification: Score
    regression: Score


def _form(value: object) -> str:
    return "per task" if isinstance(value, Mapping | PerTask) else "number"


Threshold = Annotated[Annotated[Score, Tag("number")] | Annotated[PerTask, Tag("per task")], Discriminator(_form)]


def require_ordered(low: tuple[str, Threshold], high: tuple[str, Threshold]) -> None:
    """Raise ValueError where a threshold exceeds the one above it, for any task; each comes after its key."""
    for task in PerTask.model_fields:
        below, above = (getattr(at, task) if isinstance(at, PerTask) else at for _, at in (low, high))
        if below > above:
            raise ValueError(f"{low[0]} {below} must not exceed {high[0]} {above}")
