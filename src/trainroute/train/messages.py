"""What the training process and its workers say to each other: one JSON object per line."""

from pathlib import Path

import msgspec

from trainroute.records.plan import Record
from trainroute.records.results import FailureKind
from trainroute.train.job import JobDone, JobTask


class WorkerSetup(Record, frozen=True, kw_only=True):
    """The first line to a worker: where the panel lies, where models go, how many threads libraries start with."""

    store: str
    models: str
    threads: int

    @property
    def store_folder(self) -> Path:
        """The folder of the panel store."""
        return Path(self.store)

    @property
    def models_folder(self) -> Path:
        """The folder of the models."""
        return Path(self.models)


class Failure(Record, frozen=True, kw_only=True):
    """Why a run of a task failed, in one line; ``traceback`` for those who ask."""

    kind: FailureKind
    reason: str
    traceback: str | None = None


class Reply(Record, frozen=True, kw_only=True):
    """A worker's answer to one task: ``done`` or ``failure``, and what it took.

    ``gpu_unused``: it was given a GPU, and its library computes on the CPU all the same.
    """

    done: JobDone | None = None
    failure: Failure | None = None
    seconds: float
    peak_memory_bytes: int | None
    gpu_unused: bool = False


_ENCODER = msgspec.json.Encoder()
_TASKS = msgspec.json.Decoder(JobTask)
_REPLIES = msgspec.json.Decoder(Reply)


def encode_line(message: Record) -> bytes:
    """Encode a message as one line."""
    return _ENCODER.encode(message) + b"\n"


def decode_task(line: bytes) -> JobTask:
    """Decode a line that a worker receives."""
    return _TASKS.decode(line)


def decode_reply(line: bytes) -> Reply:
    """Decode a line that a worker sends."""
    return _REPLIES.decode(line)
