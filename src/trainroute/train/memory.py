"""How much memory a process uses. Limits are enforced where the system tells (Linux)."""

import os
import sys
from pathlib import Path

_KILOBYTE = 1024
_MOST_BYTES = 8192
_CONTROL_GROUP = Path("/sys/fs/cgroup")


def own_bytes(process: int) -> int | None:
    """Return the memory that only this process holds: resident, without pages of files such as the mapped panel.

    None where the system does not tell, or the process has ended.
    """
    try:
        fields = _read(f"/proc/{process}/statm").split()
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
        _, found, after = _read("/proc/self/status").partition(b"VmHWM:")
        if found:
            return int(after.split(maxsplit=1)[0]) * _KILOBYTE
    except OSError:
        pass
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KILOBYTE


def _read(path: str) -> bytes:
    """Read a small file of the system: this is done for every job and many times a second, so without a buffer."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, _MOST_BYTES)
    finally:
        os.close(file)


def available_bytes() -> int | None:
    """Return the memory that this machine, or the container that this process lives in, has free.

    None where the system does not tell.

    References
    ----------
    .. [1] proc(5), ``MemAvailable``; Linux kernel documentation, "Control Group v2", ``memory.max``.
    """
    free = _free_on_machine()
    limit, used = _number(_CONTROL_GROUP / "memory.max"), _number(_CONTROL_GROUP / "memory.current")
    if free is None or limit is None or used is None:
        return free
    return min(free, max(0, limit - used))


def _free_on_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_bytes().splitlines():
            if line.startswith(b"MemAvailable:"):
                return int(line.split()[1]) * _KILOBYTE
    except OSError:
        pass
    return None


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
