"""What the environment says of the terminal."""

import os
from typing import TextIO


def wants_colors(stream: TextIO) -> bool:
    """Whether what is written there may be coloured: as ``NO_COLOR`` or ``FORCE_COLOR`` says, else on a terminal."""
    if os.environ.get("NO_COLOR") or os.environ.get("FORCE_COLOR"):
        return not os.environ.get("NO_COLOR")
    return stream.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}
