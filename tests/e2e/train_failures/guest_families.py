"""Families of another distribution that misbehave in every way that a library can."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trainroute.families import Family, FitContext, FittedModel, Rows, TrainingRows
from trainroute.records.vocabulary import Stage

MARKS = Path(os.environ.get("GUEST_MARKS", "."))
"""A folder where families leave marks for the test, such as the number of a process that they started."""


class FirstFeature(FittedModel):
    """Predicts the first feature, and tells about the process that it was made in."""

    def __init__(self, details: dict[str, float | int | str]) -> None:
        self._details = details

    @property
    def files(self) -> tuple[str, ...]:
        return ("model.json",)

    @property
    def details(self) -> Mapping[str, float | int | str]:
        return self._details

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        return np.nan_to_num(rows.features[:, 0].astype(np.float64)) + 0 * threads

    def save(self, folder: Path) -> None:
        (folder / "model.json").write_text(json.dumps(self._details))


class Guest(Family):
    """What all guests share: they do something odd, then fit at once."""

    stage: ClassVar[Stage] = Stage.CPU
    min_rows: ClassVar[int] = 10
    seconds_per_million_rows: ClassVar[float] = 1.0

    @abstractmethod
    def act(self) -> None:
        """Do what the family is there for."""

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        self.act()
        return FirstFeature(
            {
                "rows": len(train) + len(validation),
                "process": os.getpid(),
                "finished": time.monotonic_ns(),
                "threads": context.threads,
                "omp": os.environ.get("OMP_NUM_THREADS", ""),
                "cuda": os.environ.get("CUDA_VISIBLE_DEVICES", "not set"),
                "loaded": " ".join(sorted({"torch", "keras", "tensorflow"} & set(sys.modules))),
            }
        )

    def load(self, folder: Path) -> FittedModel:
        return FirstFeature(json.loads((folder / "model.json").read_text()))


class Fine(Guest):
    name: ClassVar[str] = "Fine"

    def act(self) -> None:
        """Nothing odd."""


class FineOnGpu(Fine):
    name: ClassVar[str] = "FineOnGpu"
    stage: ClassVar[Stage] = Stage.GPU


class WithTorch(FineOnGpu):
    """Stands for a family of PyTorch: a module of that name is loaded."""

    name: ClassVar[str] = "WithTorch"
    gpu_library: ClassVar[str | None] = "torch"

    def act(self) -> None:
        module = ModuleType("torch")
        module.__dict__["cuda"] = SimpleNamespace(is_available=lambda: False)
        sys.modules.setdefault("torch", module)


class WithKeras(FineOnGpu):
    name: ClassVar[str] = "WithKeras"
    gpu_library: ClassVar[str | None] = "keras"

    def act(self) -> None:
        sys.modules.setdefault("keras", ModuleType("keras"))


class Slow(Guest):
    """Takes a second; costs more than the others by its own account."""

    name: ClassVar[str] = "Slow"
    fixed_seconds: ClassVar[float] = 1.0

    def act(self) -> None:
        (MARKS / f"slow_{os.getpid()}").touch()
        time.sleep(1.0)


class LacksLibrary(Guest):
    """Finds out too late that a library it needs is not there."""

    name: ClassVar[str] = "LacksLibrary"

    def act(self) -> None:
        import_module("a_library_that_nobody_has")


class FullDisk(Guest):
    name: ClassVar[str] = "FullDisk"

    def act(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))


class Keeps(Guest):
    """Never gives its memory back."""

    name: ClassVar[str] = "Keeps"
    kept: ClassVar[list[NDArray[np.float64]]] = []

    def act(self) -> None:
        self.kept.append(np.ones(30 << 20))


class Prints(Guest):
    name: ClassVar[str] = "Prints"

    def act(self) -> None:
        print('{"done": null}')  # noqa: T201 - what a chatty library does
        subprocess.run(["echo", "from a child"], check=True)


class Raises(Guest):
    name: ClassVar[str] = "Raises"

    def act(self) -> None:
        raise ValueError("something\nwent wrong")


def _start_child() -> None:
    child = subprocess.Popen(["sleep", "600"])
    (MARKS / f"child_{child.pid}").touch()


class Hangs(Guest):
    """Starts a child, then waits for ever."""

    name: ClassVar[str] = "Hangs"

    def act(self) -> None:
        _start_child()
        time.sleep(600)


class Hungry(Guest):
    """Starts a child, then eats memory until it is stopped."""

    name: ClassVar[str] = "Hungry"

    def act(self) -> None:
        _start_child()
        eaten = []
        while True:
            eaten.append(np.ones(1 << 20))
            time.sleep(0.001)


class Killed(Guest):
    name: ClassVar[str] = "Killed"

    def act(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Exits(Guest):
    name: ClassVar[str] = "Exits"

    def act(self) -> None:
        sys.stderr.write("fatal: the licence has expired\n")
        sys.stderr.flush()
        os._exit(3)


class Flaky(Guest):
    """Dies at its first attempt, works at its second."""

    name: ClassVar[str] = "Flaky"

    def act(self) -> None:
        if not (MARKS / "flaky").exists():
            (MARKS / "flaky").touch()
            os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(10)


class Quits(Guest):
    """Ends the program, as a library with a command line does."""

    name: ClassVar[str] = "Quits"

    def act(self) -> None:
        sys.exit("bye")


class Interrupts(Guest):
    name: ClassVar[str] = "Interrupts"

    def act(self) -> None:
        raise KeyboardInterrupt


class Closes(Guest):
    name: ClassVar[str] = "Closes"

    def act(self) -> None:
        raise GeneratorExit


class WordlessError(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


class Wordless(Guest):
    name: ClassVar[str] = "Wordless"

    def act(self) -> None:
        raise WordlessError


class Unspeakable(Guest):
    """Says what no UTF-8 can hold, such as the name of a file of another time."""

    name: ClassVar[str] = "Unspeakable"

    def act(self) -> None:
        raise ValueError("no file \udce9t\udce9.csv")


class Signalled(Guest):
    """Gets a real Ctrl-C."""

    name: ClassVar[str] = "Signalled"

    def act(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)


class OddModel(FirstFeature):
    """A model whose files are not what it says, or do not give it back."""

    def __init__(self, files: tuple[str, ...], save: Callable[[Path], object], value: float | None = None) -> None:
        super().__init__({})
        self._files, self._save, self._value = files, save, value

    @property
    def files(self) -> tuple[str, ...]:
        return self._files

    def predict(self, rows: Rows, *, threads: int = 1) -> NDArray[np.float64]:
        return super().predict(rows, threads=threads) if self._value is None else np.full(len(rows), self._value)

    def save(self, folder: Path) -> None:
        self._save(folder)


class Odd(Guest):
    """What families with such a model share."""

    @abstractmethod
    def made(self) -> OddModel:
        """Return the model."""

    def act(self) -> None:
        """Nothing odd."""

    def _fit(self, train: TrainingRows, validation: TrainingRows, context: FitContext) -> FittedModel:
        super()._fit(train, validation, context)
        return self.made()


def _write(*names: str) -> Callable[[Path], object]:
    return lambda folder: [(folder / name).write_text("{}") for name in names]


class NamesManifest(Odd):
    name: ClassVar[str] = "NamesManifest"

    def made(self) -> OddModel:
        return OddModel(("manifest.json",), _write("manifest.json"))


class Escapes(Odd):
    name: ClassVar[str] = "Escapes"

    def made(self) -> OddModel:
        return OddModel(("../../../../escaped.txt",), _write("../../../../escaped.txt"))


class SavesNothing(Odd):
    name: ClassVar[str] = "SavesNothing"

    def made(self) -> OddModel:
        return OddModel(("model.json",), _write())


class SavesMore(Odd):
    name: ClassVar[str] = "SavesMore"

    def made(self) -> OddModel:
        return OddModel(("model.json",), _write("model.json", "notes.txt"))


class LoadsAnother(Odd):
    """Its files give back a model that predicts something else."""

    name: ClassVar[str] = "LoadsAnother"

    def made(self) -> OddModel:
        return OddModel(("model.json",), _write("model.json"), value=0.5)


class CannotLoad(Fine):
    name: ClassVar[str] = "CannotLoad"

    def load(self, folder: Path) -> FittedModel:
        return FirstFeature(json.loads((folder / "model.json").read_text())["weights"])


class NoNumbers(Odd):
    name: ClassVar[str] = "NoNumbers"

    def made(self) -> OddModel:
        return OddModel(("model.json",), _write("model.json"), value=np.nan)
