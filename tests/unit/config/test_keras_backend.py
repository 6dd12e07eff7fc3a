import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from trainroute.config.keras_backend import keras_backend, set_keras_backend


@pytest.fixture(autouse=True)
def no_keras_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "")  # so that what a test sets is taken back
    monkeypatch.delenv("KERAS_BACKEND")


def _install_tensorflow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "tensorflow").mkdir()
    (folder / "tensorflow" / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(folder)


def test_tensorflow_is_taken_where_it_is_installed_and_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install_tensorflow(tmp_path, monkeypatch)
    assert keras_backend() == "tensorflow"
    set_keras_backend()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_the_users_choice_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install_tensorflow(tmp_path, monkeypatch)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert keras_backend() == "torch"


def test_a_keras_that_is_imported_says_what_it_computes_with(monkeypatch: pytest.MonkeyPatch) -> None:
    keras = ModuleType("keras")
    keras.config = SimpleNamespace(backend=lambda: "torch")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keras", keras)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert keras_backend() == "torch"
