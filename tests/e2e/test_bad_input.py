"""What a user gets wrong ends in one line that says what, where and what to do, with exit code 2."""

import shutil

import polars as pl
import pytest

RUN = ("run", "--data-dir", "data", "--skip-training")


@pytest.fixture
def place(sample_data, tmp_path, monkeypatch: pytest.MonkeyPatch):
    """A directory with the data of two symbols, to be spoilt."""
    for symbol in ("AAPL", "MSFT"):
        shutil.copytree(sample_data / f"symbol={symbol}", tmp_path / f"data/symbol={symbol}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("run", "--data-dir", "absent"), "absent: no such directory"),
        ((*RUN, "--symbols", "AAPL", "NVDA"), "NVDA"),
        ((*RUN, "--targets", "y_up_6d"), "did you mean 'y_up_5d'"),
        ((*RUN, "--features", "momentun"), "momentun"),
        ((*RUN, "--targets", "y_up_5d", "--auto-targets"), "--auto-targets"),
        ((*RUN, "--top-n-targets", "0"), "--top-n-targets"),
        ((*RUN, "--families", "LightGMB"), "did you mean 'LightGBM'"),
        ((*RUN, "--families", "Transformers"), "did you mean 'Transformer'"),
        ((*RUN, "--config", "absent.yaml"), "absent.yaml"),
        (("train", "--data-dir", "data", "--training-plan-dir", "absent"), "absent: no such training plan"),
        (("show",), "no training plan under results"),
        (("validate", "--output-dir", "elsewhere"), "no training plan under elsewhere"),
        (("explain", "--target", "a", "--symbol", "b"), "routing_plan.json"),
        (("route", "absent.csv"), "absent.csv"),
        (("diff", "a", "b"), "a: no such training plan directory"),
    ],
)
def test_one_line_and_exit_code_2(arguments, named: str, place, program) -> None:
    ended = program(*arguments)
    assert ended.code == 2, ended.err
    assert named in ended.error


def test_a_wrong_setting_names_file_and_key(place, program) -> None:
    (place / "mine.yaml").write_text("routing: {min_scor: 0.5}")
    ended = program(*RUN, "--config", "mine.yaml")
    assert ended.code == 2
    assert "mine.yaml" in ended.error
    assert "routing.min_scor" in ended.error


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda table: table.drop("ts"), "MSFT.parquet"),
        (lambda table: table.drop("y_up_5d"), "y_up_5d"),
        (lambda table: pl.concat([table, table.tail(1)]), "MSFT"),
        (lambda table: table.with_columns(pl.lit(float("inf")).alias("y_up_5d")), "y_up_5d"),
        (lambda table: table.head(0), "MSFT"),
    ],
    ids=["no time column", "no target column", "duplicate time", "infinite", "no rows"],
)
def test_a_bad_panel_names_its_file_and_column(spoil, named: str, place, program) -> None:
    path = place / "data/symbol=MSFT/MSFT.parquet"
    spoil(pl.read_parquet(path)).write_parquet(path)
    ended = program(*RUN, "--targets", "y_up_5d")
    assert ended.code == 2, ended.err
    assert named in ended.error


def test_unreadable_file_and_empty_directory(place, program) -> None:
    (place / "data/symbol=MSFT/MSFT.parquet").write_bytes(b"no parquet")
    assert "MSFT.parquet" in program(*RUN).error
    (place / "none").mkdir()
    ended = program("run", "--data-dir", "none")
    assert (ended.code, "no .parquet or .csv file" in ended.error) == (2, True)


def test_an_output_directory_that_is_a_file_is_refused(place, program) -> None:
    (place / "taken").write_text("")
    ended = program(*RUN, "--output-dir", "taken")
    assert ended.code == 2
    assert "taken" in ended.error


def test_init_writes_a_config_that_is_used_and_never_overwrites(place, program) -> None:
    assert program("init").code == 0
    written = place / "CONFIG/training_config/routing_config.yaml"
    assert written.read_text().startswith("# trainroute")
    written.write_text("routing: {bad: 1}")
    refused = program("init")
    assert (refused.code, "--force" in refused.error) == (2, True)
    assert "routing.bad" in program(*RUN).error
    assert program("init", "--force").code == 0
    assert "bad" not in written.read_text()


def test_prepare_turns_bars_into_a_panel_that_runs(place, program) -> None:
    bars = pl.read_parquet("data/symbol=AAPL/AAPL.parquet").select("ts", "close")
    (place / "bars").mkdir()
    bars.with_columns(symbol=pl.lit("AAPL")).write_csv("bars/AAPL.csv")
    ended = program("prepare", "--bars", "bars", "--data-dir", "made", "--targets", "y_up_5d", "fwd_ret_5d")
    assert ended.code == 0, ended.err
    assert "1 symbols" in ended.out
    assert program("run", "--data-dir", "made", "--skip-training").code == 0
