"""Names are data: whatever they are, files stay inside, apart from each other, and readable where they can be."""

import unicodedata
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainroute import pipeline
from trainroute.errors import DataError
from trainroute.plan import load_training_plan
from trainroute.records.artifacts import read_json_artifact
from trainroute.records.names import escape, file_names, job_id, job_ids, safe_name
from trainroute.records.routing_io import read_routing_plan

HOSTILE = [
    "../../x",
    "..",
    ".",
    "",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "CON",
    "con.txt",
    "LPT1",
    "x" * 300,
    "x" * 299 + "y",
    "é" * 100,
    "AAPL",
    "aapl",
    "Aapl",
    "é",
    unicodedata.normalize("NFD", "é"),
    "a\nb",
    "a\rb",
    "a\0b",
    "%",
    "%41",
    "A%",
    "a.",
    "a ",
    "a",
    " a",
    "~",
    "a~0123456789abcdef",
    "a_b",
    "a__b",
    "_",
    "-rf",
    "\u202eevil",
    "ß",
    "SS",
    "ss",
    "ﬁ",
    "fi",
    "😀",
]
NAMES = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30), st.text(alphabet="aA_%.~é/ ", max_size=6))


@given(NAMES)
def test_a_file_name_is_one_plain_component(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert safe.strip(".")
    assert len(safe) <= 120
    assert set(safe) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-%~")
    assert (Path("/plan") / f"{safe}.json").resolve().parent == Path("/plan")


@settings(max_examples=60)
@given(st.lists(NAMES, max_size=20))
def test_file_names_never_collide_even_where_case_is_not_kept(names: list[str]) -> None:
    files = file_names(names)
    assert set(files) == set(names)
    folded = [unicodedata.normalize("NFKC", file).casefold() for file in files.values()]
    assert len(set(folded)) == len(folded)
    assert files == file_names(reversed(names))


@pytest.mark.parametrize(("one", "other"), [("ﬁ", "fi"), ("é", "e\u0301"), ("Å", "\u212b"), ("ſ", "S")])
def test_names_that_a_file_system_may_take_for_one_are_hashed(one: str, other: str) -> None:
    files = file_names([one, other, "else"])
    assert all("~" in files[name] for name in (one, other))
    assert files["else"] == "else"


@settings(max_examples=200)
@given(NAMES, NAMES, NAMES, NAMES)
def test_job_ids_never_collide(target: str, symbol: str, other: str, another: str) -> None:
    if (target, symbol) != (other, another):
        assert job_id(target, symbol) != job_id(other, another)
    if target != other:
        assert job_id(target, None) != job_id(other, None)
    assert job_id(target, None) != job_id(other, another)


def test_all_pairs_of_hostile_names_have_their_own_id_and_place() -> None:
    symbols: list[str | None] = [None, *HOSTILE]
    ids = {job_id(target, symbol) for target in HOSTILE for symbol in symbols}
    assert len(ids) == len(HOSTILE) * len(symbols)
    for name in ids:
        assert (Path("/out/models") / name / "LightGBM").resolve().parents[1] == Path("/out/models")


@settings(max_examples=60)
@given(st.lists(st.tuples(NAMES, st.one_of(st.none(), NAMES)), max_size=15))
def test_ids_of_a_table_equal_the_single_ones(pairs: list[tuple[str, str | None]]) -> None:
    targets = pl.Series([target for target, _ in pairs], dtype=pl.String)
    symbols = pl.Series([symbol for _, symbol in pairs], dtype=pl.String)
    assert job_ids(targets, symbols).to_list() == [job_id(target, symbol) for target, symbol in pairs]


@given(st.text(max_size=30))
def test_escaping_can_be_undone(name: str) -> None:
    escaped = escape(name)
    back = bytearray()
    position = 0
    while position < len(escaped):
        if escaped[position] == "%":
            back.append(int(escaped[position + 1 : position + 3], 16))
            position += 3
        else:
            back += escaped[position].encode()
            position += 1
    assert back.decode() == name


def test_plain_names_stay_readable() -> None:
    assert job_id("y_will_swing_low_10m_0.20", "AAPL") == "sym_y_will_swing_low_10m_0.20_AAPL"
    assert job_id("y_will_swing_low_10m_0.20", None) == "cs_y_will_swing_low_10m_0.20"
    assert job_id("y_a", "b_c") == "sym_y_a_b%5Fc"
    assert safe_name("BRK.B") == "BRK.B"
    assert safe_name("PM2.5 ahead") == "PM2.5%20ahead"
    assert safe_name("é") == "%C3%A9"


@pytest.mark.parametrize("name", ["CON", "nul.x", "..", "", "x" * 121, "a."])
def test_what_no_file_system_likes_ends_in_a_hash(name: str) -> None:
    stem, _, digest = safe_name(name).rpartition("~")
    assert len(digest) == 16
    assert name.startswith(stem)


def test_names_that_differ_only_in_case_end_in_a_hash() -> None:
    files = file_names(["SPY", "spy", "QQQ"])
    assert files["QQQ"] == "QQQ"
    assert files["SPY"].startswith("SPY~")
    assert files["spy"].startswith("spy~")


def test_a_lone_surrogate_is_no_name() -> None:
    with pytest.raises(DataError, match="lone surrogate"):
        safe_name("a\ud800")


def test_plans_of_all_hostile_names_at_once_stay_inside_and_lose_none(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"target": target, "symbol": symbol, "score": 0.6, "sample_size": 9000, "p_skill": 0.999}
        for place, target in enumerate(HOSTILE)
        for symbol in (None, HOSTILE[place], HOSTILE[place - 1])
    ]
    table, output = tmp_path / "table.parquet", tmp_path / "inside" / "run"
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(table)
    pipeline.route(table, output_dir=output, families=["LightGBM"])

    assert {path.name for path in tmp_path.iterdir()} == {"table.parquet", "inside"}
    assert [path.name for path in (tmp_path / "inside").iterdir()] == ["run"]
    plan = load_training_plan(output / "globals/training_plan")
    assert set(plan.metadata.targets) == set(plan.metadata.symbols) == set(HOSTILE)
    assert len({job.job_id for job in plan.jobs}) == len(plan.jobs) > len(HOSTILE)
    for folder, key in (("by_target", "target"), ("by_symbol", "symbol")):
        views = sorted((output / "globals/training_plan" / folder).iterdir())
        names = [read_json_artifact(view)["metadata"][key] for view in views]
        assert sorted(names) == sorted(HOSTILE)  # each in a file of its own, which tells its true name
        assert len({unicodedata.normalize("NFC", view.name).casefold() for view in views}) == len(HOSTILE)
    routing = read_routing_plan(output / "METRICS/routing_plan")
    assert set(routing.targets) == set(HOSTILE)
