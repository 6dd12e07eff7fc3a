"""How much memory a process uses. Limits are enforced where the system tells (Linux)."""

import os
import sys
from pathlib import Path

_KILOBYTE = 1024


def own_bytes(process: int) -> int | None:
    """Return the memory that only this process holds: resident, without pages of files such as the mapped panel.

    None where the system does not tell, or the process has ended.
    """
    try:
        fields = Path(f"/proc/{process}/statm").read_bytes().split()
    except OSError:
        return None
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")


def reset_peak() -> None:
    """Start measuring the peak of this process anew, where the system can."""
    try:
        Path("/proc/self/clear_refs").write_bytes(b"5")
    except OSError:
        return


def peak_bytes() -> int | None:
    """Return the peak of this process's resident memory since `reset_peak`, or since it started."""
    try:
        for line in Path("/proc/self/status").read_bytes().splitlines():
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * _KILOBYTE
    except OSError:
        pass
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KILOBYTE
