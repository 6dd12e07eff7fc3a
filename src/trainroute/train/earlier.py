"""What earlier and other runs left in an output directory, for those who only plan: no training code is needed."""

from pathlib import Path

from trainroute.train.ledger import seconds_taken
from trainroute.train.lock import require_unused

GLOBALS = "globals"
LEDGER = "training_ledger.sqlite"


def mean_seconds(output_dir: Path) -> dict[tuple[str, str], float]:
    """Return what each job × family took on average in earlier runs of an output directory; see `seconds_taken`."""
    return seconds_taken(output_dir / GLOBALS / LEDGER)


def require_free(output_dir: Path) -> None:
    """Check, before long work, that nobody trains into an output directory.

    Raises
    ------
    OutputInUseError
        If somebody does.
    """
    require_unused(output_dir / GLOBALS / LEDGER, output_dir)
