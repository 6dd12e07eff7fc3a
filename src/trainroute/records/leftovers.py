"""Temporary files and directories beside what they are to replace, and what killed writers left of them.

Their names say who writes them, so that the next writer of this machine knows which of them nobody writes any more.
"""

import os
import shutil
import socket
import sys
from pathlib import Path


def temporary_prefix(name: str) -> str:
    """Return how the names of what this process writes beside ``name`` begin."""
    return f"{_stem(name)}{os.getpid()}."


def sweep(folder: Path, name: str) -> None:
    """Remove what killed writers of this machine left beside ``name``."""
    stem = _stem(name)
    for left in sorted(folder.iterdir()):
        process = left.name.removeprefix(stem).split(".")[0]
        if left.name.startswith(stem) and process.isdigit() and not _alive(int(process)):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _stem(name: str) -> str:
    return f".{name}.{socket.gethostname()}."


def _alive(process: int) -> bool:
    if sys.platform == "win32":  # there, signal 0 ends the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
