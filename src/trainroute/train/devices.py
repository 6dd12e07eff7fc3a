"""Which GPUs workers may use, found without a GPU library."""

import os
import shutil
import subprocess

VISIBLE = "CUDA_VISIBLE_DEVICES"

_PATIENCE_SECONDS = 20


def gpus() -> tuple[str, ...]:
    """Return the GPUs of this process, as ``CUDA_VISIBLE_DEVICES`` names them; none where there is no NVIDIA driver.

    What that variable says counts, as for any CUDA program; without it, what ``nvidia-smi`` lists.
    """
    listed = os.environ.get(VISIBLE)
    if listed is not None:
        names = [name.strip() for name in listed.split(",")]
        # CUDA itself ignores all that stands behind an entry that is no device, such as -1.
        end = next((place for place, name in enumerate(names) if name in {"", "-1", "NoDevFiles"}), len(names))
        return tuple(names[:end])
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    command = [program, "--query-gpu=index", "--format=csv,noheader"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = [line.strip() for line in done.stdout.splitlines()]
    return tuple(name for name in found if name.isdigit()) if done.returncode == 0 else ()
