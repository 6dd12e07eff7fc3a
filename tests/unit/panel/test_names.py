"""Which names a data directory holds."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from trainroute.config.schema import DataConfig
from trainroute.errors import DataError
from trainroute.panel import data_names

Frame = Callable[..., pl.DataFrame]


def test_names_of_files_folders_and_long_files(frame: Frame, tmp_path: Path) -> None:
    (tmp_path / "symbol=A%2FB").mkdir()
    frame().write_parquet(tmp_path / "symbol=A%2FB/x.parquet")
    frame().write_csv(tmp_path / "C.csv")
    frame(symbol=["007", "D"] * 20).write_csv(tmp_path / "long.csv")
    found = data_names(tmp_path, DataConfig.model_validate({"targets": {"mom": {"horizon": "1d"}}}))
    assert found.symbols == {"A/B", "C", "007", "D"}
    assert found.targets == {"fwd_ret_5d", "mom", "y_up_5d"}


def test_no_rows_are_read(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text("ts,y_up_5d,x\nno date,no number,\n")
    assert data_names(tmp_path, DataConfig()).targets == {"y_up_5d"}


def test_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no .parquet or .csv file"):
        data_names(tmp_path, DataConfig())
