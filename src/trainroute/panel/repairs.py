"""What was repaired or left out on reading, gathered and told in few lines."""

import logging
from collections.abc import Iterable

from trainroute.errors import bounded

logger = logging.getLogger("trainroute")
_LISTED = 20


class Repairs:
    """Notes of the form "what: names", each name once."""

    def __init__(self) -> None:
        self._notes: dict[str, dict[str, None]] = {}

    def note(self, what: str, names: Iterable[str]) -> None:
        """Add names to a note; without names nothing is noted."""
        names = list(names)
        if names:
            self._notes.setdefault(what, {}).update(dict.fromkeys(names))

    def lines(self) -> tuple[str, ...]:
        """Return one line per kind of repair, sorted."""
        return tuple(sorted(f"{what}: {bounded(names, limit=_LISTED)}" for what, names in self._notes.items()))

    def log(self) -> None:
        """Log each line as INFO."""
        for line in self.lines():
            logger.info("Repaired on reading: %s", line)
