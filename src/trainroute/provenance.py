"""Where and when something was made: the volatile part of every artifact's metadata."""

import hashlib
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from uuid import uuid4

from trainroute import __version__

_DIGEST_DIGITS = 10
_PATIENCE_SECONDS = 5


def utc_now() -> str:
    """Return the present time as ISO 8601 in UTC, to the second."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds")


@cache
def code_version() -> str:
    """Return the version of trainroute and a digest of its own source files, so that two commits differ."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:_DIGEST_DIGITS]}"


def run_id(generated_at: str) -> str:
    """Return a name for a run: the time of its plan and a few random digits, fit for a file name."""
    compact = "".join(character for character in generated_at[:19] if character not in "-:")
    return f"{compact}-{uuid4().hex[:6]}"


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
