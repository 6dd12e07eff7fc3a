"""What goes wrong while a model is loaded names job and family, not the file of predictions."""

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from trainroute.errors import BrokenResultError, UnwritableError
from trainroute.families import FAMILIES
from trainroute.serving.table import write_predictions


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("noload\nat all"), r"RuntimeError: noload at all"),
        (FileNotFoundError(2, "No such file or directory", "w.bin"), r"FileNotFoundError: .*'w.bin'"),
        (SystemError(), "SystemError: "),
    ],
)
def test_a_family_that_cannot_load_its_model(
    trained, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def load(*_: object) -> None:
        raise error

    monkeypatch.setattr(FAMILIES.get("LSTM"), "load", load)
    with pytest.raises(BrokenResultError) as raised:
        trained.predict()
    message = str(raised.value)
    folder = trained.results / "models/cs_y_up_5m/LSTM"
    assert message.startswith(f"{folder}: the model cs_y_up_5m × LSTM cannot be loaded (")
    assert message.endswith("); train it again")
    assert re.search(said, message)
    assert "\n" not in message


def test_a_file_of_a_model_that_is_gone(copied) -> None:
    path = copied.results / "models/cs_y_up_5m/LightGBM/model.txt"
    path.unlink()
    with pytest.raises(BrokenResultError) as raised:
        copied.predict()
    assert str(raised.value).startswith(f"{path}: ")
    assert "the predictions" not in str(raised.value)


def test_only_the_writing_of_predictions_is_told_as_such(tmp_path: Path) -> None:
    asked = PermissionError(13, "Permission denied", "data/A.parquet")

    def frames() -> Iterator[pl.DataFrame]:
        raise asked
        yield

    with pytest.raises(PermissionError) as raised:
        write_predictions(tmp_path / "out.parquet", frames(), {})
    assert raised.value is asked
    (tmp_path / "folder").touch()
    with pytest.raises(UnwritableError, match="the predictions cannot be written: "):
        write_predictions(tmp_path / "folder/out.parquet", [], {})
