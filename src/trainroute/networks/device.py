"""Where the families of the GPU stage compute, with how many threads, and how they repeat themselves exactly."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from trainroute.logs import LOGGER

if TYPE_CHECKING:
    import torch

_LARGEST_SHARE_OF_FREE_MEMORY = 0.25


@cache
def say_cpu_fallback(library: str) -> None:
    """Log, once per process, that no GPU is there and the stage goes on without one."""
    LOGGER.info("GPU stage: no CUDA device is visible; %s computes on the CPU", library)


def torch_device() -> "torch.device":
    """Return the first visible CUDA device, or the CPU, which is logged once per process."""
    import torch  # noqa: PLC0415 - heavy library

    if torch.cuda.is_available():
        return torch.device("cuda")
    say_cpu_fallback("torch")
    return torch.device("cpu")


def fits_device(n_bytes: int, device: "torch.device") -> bool:
    """Return whether an array may live on the device as a whole, beside what training needs there."""
    import torch  # noqa: PLC0415 - heavy library

    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes <= _LARGEST_SHARE_OF_FREE_MEMORY * free


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let PyTorch compute on so many threads of the CPU, and on as many as before afterwards."""
    import torch  # noqa: PLC0415 - heavy library

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed PyTorch and allow only algorithms that repeat themselves; both are as before afterwards.

    On CUDA, operations that have no such algorithm warn instead of failing; cuBLAS has one only where
    ``CUBLAS_WORKSPACE_CONFIG`` is set before CUDA starts, as it is for the workers of GPUs.
    """
    import torch  # noqa: PLC0415 - heavy library

    strict, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(mode=True, warn_only=bool(devices))
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(strict, warn_only=warns)
