import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from trainroute.errors import DataError, UnknownNameError, UsageError
from trainroute.panel.sources import data_fingerprint, find_sources

Frame = Callable[..., pl.DataFrame]


def write(path: Path, table: pl.DataFrame) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.write_csv(path) if path.suffix == ".csv" else table.write_parquet(path)
    return path


def symbols_of(data_dir: Path, symbols: list[str] | None = None) -> dict[str, str | None]:
    return {source.relative: source.symbol for source in find_sources(data_dir, symbols)}


def test_finds_every_layout_at_any_depth(tmp_path: Path, frame: Frame) -> None:
    write(tmp_path / "interval=1d" / "symbol=AAPL" / "part-0.parquet", frame())
    write(tmp_path / "interval=1d" / "deep" / "MSFT.parquet", frame())
    write(tmp_path / "interval=1d" / "KO.csv", frame())
    write(tmp_path / "interval=1d" / "all.parquet", frame(symbol=["GE"] * 40))
    assert symbols_of(tmp_path) == {
        "interval=1d/KO.csv": "KO",
        "interval=1d/all.parquet": None,
        "interval=1d/deep/MSFT.parquet": "MSFT",
        "interval=1d/symbol=AAPL/part-0.parquet": "AAPL",
    }


def test_passes_over_hidden_and_foreign_files(tmp_path: Path, frame: Frame) -> None:
    write(tmp_path / ".cache" / "A.parquet", frame())
    write(tmp_path / ".B.parquet", frame())
    (tmp_path / "notes.txt").write_text("no data")
    write(tmp_path / "C.parquet", frame())
    assert list(symbols_of(tmp_path)) == ["C.parquet"]


def test_decodes_hostile_symbols_in_names(tmp_path: Path, frame: Frame) -> None:
    write(tmp_path / "symbol=BRK%2FB" / "x.parquet", frame())
    write(tmp_path / "%2E%2E%2Fx.parquet", frame())
    assert set(symbols_of(tmp_path).values()) == {"BRK/B", "../x"}


def test_opens_only_the_files_of_asked_for_symbols(tmp_path: Path, frame: Frame) -> None:
    write(tmp_path / "symbol=A" / "a.parquet", frame())
    (tmp_path / "symbol=B").mkdir()
    (tmp_path / "symbol=B" / "b.parquet").write_bytes(b"broken")
    assert symbols_of(tmp_path, ["A"]) == {"symbol=A/a.parquet": "A"}


def test_follows_links_once(tmp_path: Path, frame: Frame) -> None:
    write(tmp_path / "elsewhere" / "A.parquet", frame())
    data = tmp_path / "data"
    data.mkdir()
    (data / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(data)
    assert symbols_of(data) == {"linked/A.parquet": "A"}


def test_takes_one_file_in_place_of_a_directory(tmp_path: Path, frame: Frame) -> None:
    path = write(tmp_path / "all.parquet", frame(symbol=["GE"] * 40))
    write(tmp_path / "other.parquet", frame())
    assert symbols_of(path) == {"all.parquet": None}


def test_an_unknown_symbol_is_suggested(tmp_path: Path, frame: Frame) -> None:
    write(tmp_path / "symbol=AAPL" / "a.parquet", frame())
    with pytest.raises(UnknownNameError, match="unknown symbol 'APPL'; did you mean 'AAPL'"):
        find_sources(tmp_path, ["APPL"])


def test_two_intervals_of_one_symbol_are_refused(tmp_path: Path, frame: Frame) -> None:
    for interval in ("1m", "5m"):
        write(tmp_path / f"interval={interval}" / "symbol=A" / "a.parquet", frame())
    with pytest.raises(DataError, match="A under interval=1m and interval=5m; expected one"):
        find_sources(tmp_path)


def test_the_fingerprint_is_of_content_not_of_file_times(tmp_path: Path, frame: Frame) -> None:
    path = write(tmp_path / "symbol=A" / "a.parquet", frame())
    write(tmp_path / "symbol=B" / "b.parquet", frame(seed=1))
    before, only_a = data_fingerprint(tmp_path, None), data_fingerprint(tmp_path, ["A"])
    os.utime(path, (0, 0))
    assert data_fingerprint(tmp_path, None) == before == data_fingerprint(tmp_path, ["B", "A"])
    assert only_a != before
    write(tmp_path / "symbol=B" / "b.parquet", frame(seed=2))
    assert data_fingerprint(tmp_path, None) != before
    assert data_fingerprint(tmp_path, ["A"]) == only_a


def test_the_fingerprint_knows_which_file_holds_what(tmp_path: Path, frame: Frame) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, first, second in ((one, 0, 1), (two, 1, 0)):
        write(folder / "A.parquet", frame(seed=first))
        write(folder / "B.parquet", frame(seed=second))
    assert data_fingerprint(one, None) != data_fingerprint(two, None)


def test_no_symbol_at_all_is_refused(tmp_path: Path, frame: Frame) -> None:
    write(tmp_path / "symbol=" / "a.parquet", frame())
    with pytest.raises(UsageError, match="no symbol was asked for"):
        find_sources(tmp_path, [])
    with pytest.raises(DataError, match="its folder names no symbol; expected symbol=X"):
        find_sources(tmp_path)


def test_names_that_are_no_unicode_are_refused(tmp_path: Path, frame: Frame) -> None:
    path = write(tmp_path / "symbol=A" / "a.parquet", frame())
    path.rename(path.with_name(os.fsdecode(b"part-\xff.parquet")))
    with pytest.raises(DataError, match="its name is not valid Unicode; rename the file"):
        find_sources(tmp_path)
