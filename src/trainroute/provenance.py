"""Where and when something was made: the volatile part of every artifact's metadata."""

import subprocess
from datetime import UTC, datetime

_PATIENCE_SECONDS = 5


def utc_now() -> str:
    """Return the present time as ISO 8601 in UTC, to the second."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds")


def git_commit() -> str | None:
    """Return the commit checked out in the working directory, or None where there is none."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
