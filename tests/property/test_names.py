"""Names are data: whatever they are, files stay inside, apart from each other, and readable where they can be."""

import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainroute.errors import DataError
from trainroute.records.names import escape, file_names, job_id, job_ids, safe_name

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
