"""What the environment says of the terminal."""

import os
from typing import TextIO


def wants_colors(stream: TextIO) -> bool:
    """Whether what is written there may be coloured: on a terminal that can, unless ``NO_COLOR`` is set."""
    capable = stream.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}
    return capable and not os.environ.get("NO_COLOR")
