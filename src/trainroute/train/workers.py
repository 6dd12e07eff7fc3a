"""The worker processes of a stage: how many, with how many threads, and what they may see of the machine."""

from collections.abc import Mapping
from dataclasses import dataclass

from trainroute.config.schema import TrainingConfig
from trainroute.parallel import available_cores
from trainroute.records.vocabulary import Stage
from trainroute.train.devices import VISIBLE, gpus
from trainroute.train.memory import available_bytes

_BYTES_PER_MB = 1 << 20
_SAME_BITS = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
"""What cuBLAS needs to give the same bits again (NVIDIA, "cuBLAS Library", section on reproducible results)."""


@dataclass(frozen=True, kw_only=True)
class StageWorkers:
    """The workers of one stage.

    Attributes
    ----------
    environments : tuple of mapping
        One per worker: variables on top of this process's own, such as the GPU that it may see.
    threads : int
        Threads of numeric libraries in each; set before they load.
    gpus : int
        How many GPUs they share.
    """

    environments: tuple[Mapping[str, str], ...]
    threads: int
    gpus: int = 0


def stage_workers(stage: Stage, config: TrainingConfig) -> StageWorkers:
    """Return the workers of a stage: one per core, or one per GPU in the GPU stage where there are GPUs.

    A worker without a GPU of its own sees none, whatever a library would like to do with one. Workers beside GPUs
    share the cores.
    """
    found = gpus() if stage is Stage.GPU else ()
    if found:
        environments = tuple({VISIBLE: name, **_SAME_BITS} for name in found for _ in range(config.workers_per_gpu))
        threads = max(1, available_cores() // len(environments))
        return StageWorkers(environments=environments, threads=threads, gpus=len(found))
    return StageWorkers(
        environments=({VISIBLE: ""},) * (config.workers or available_cores()), threads=config.threads_per_worker
    )


def memory_for_fits(config: TrainingConfig) -> int | None:
    """Return the bytes that the limits of all running fits may add up to; None where the machine does not tell."""
    return config.memory_mb * _BYTES_PER_MB if config.memory_mb else available_bytes()
