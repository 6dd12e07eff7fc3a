"""Pins: routes that a person forces or forbids, with a reason and a last day."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from trainroute.config.section import Section
from trainroute.errors import ConfigError, UsageError, bounded

Name = Annotated[str, Field(min_length=1)]
Route = Literal[
    "ROUTE_CROSS_SECTIONAL",
    "ROUTE_SYMBOL_SPECIFIC",
    "ROUTE_BOTH",
    "ROUTE_EXPERIMENTAL_ONLY",
    "ROUTE_BLOCKED",
]


class Pin(Section):
    """One decision of a person on the (target, symbol) pairs that two patterns match."""

    target: Name
    """Name or glob (`y_*`) of targets; case matters."""
    symbol: Name | None = None
    """The same of symbols; null: every symbol."""
    force: Route | None = None
    """The route that these pairs get."""
    forbid: tuple[Route, ...] = ()
    """The routes that these pairs do not get. Instead of `force`."""
    reason: Annotated[str, Field(min_length=1, pattern=r"\S")]
    """Why; it stands in every decision that the pin makes."""
    expires: date
    """The last day, in UTC, on which the pin holds."""

    @field_validator("force", mode="before")
    @classmethod
    def _full_name(cls, given: object) -> object:
        return _route(given)

    @field_validator("forbid", mode="before")
    @classmethod
    def _full_names(cls, given: object) -> object:
        return [_route(name) for name in given] if isinstance(given, Sequence) and not isinstance(given, str) else given

    @field_validator("expires", mode="before")
    @classmethod
    def _a_day(cls, given: object) -> object:
        if isinstance(given, date) and not isinstance(given, datetime):
            return given
        try:
            return date.fromisoformat(str(given))
        except ValueError:
            raise ValueError(f"expected a day such as 2027-01-31, got {str(given)!r}") from None

    @model_validator(mode="after")
    def _one_wish(self) -> Self:
        if (self.force is None) == (not self.forbid):
            raise ValueError("a pin needs either force (one route) or forbid (a list of routes)")
        if "ROUTE_BLOCKED" in self.forbid:
            raise ValueError("forbid: ROUTE_BLOCKED cannot be forbidden; force the route that is wanted")
        return self

    def describe(self, number: int) -> str:
        """Name the pin in messages; ``number`` is its place in the list, from 1."""
        place = self.target if self.symbol is None else f"{self.target} · {self.symbol}"
        return f"pin {number} ({place}: {self.reason})"


def expired(pins: Sequence[Pin], generated_at: str) -> list[str]:
    """Name the pins whose last day lies before the day of a plan.

    Parameters
    ----------
    pins : sequence of Pin
    generated_at : str
        When the plan is made: ISO 8601, UTC.

    Raises
    ------
    UsageError
        If there are pins and ``generated_at`` does not begin with a day.
    """
    if not pins:
        return []
    try:
        day = date.fromisoformat(generated_at[:10])
    except ValueError:
        raise UsageError(f"generated_at {generated_at!r}: expected ISO 8601, as pins expire by it") from None
    gone = [(number, pin) for number, pin in enumerate(pins, start=1) if pin.expires < day]
    return [f"{pin.describe(number)} expired on {pin.expires}" for number, pin in gone]


def require_unexpired(pins: Sequence[Pin], generated_at: str) -> None:
    """Refuse pins that have expired; parameters as of `expired`.

    Raises
    ------
    ConfigError
        If one has; the message names each.
    """
    gone = expired(pins, generated_at)
    if gone:
        raise ConfigError(f"routing.pins: {bounded(gone)}; remove it, or give it a later day")


def _route(name: object) -> object:
    """Return a route with its prefix, in which it may be given or not."""
    return f"ROUTE_{name}" if isinstance(name, str) and not name.startswith("ROUTE_") else name
