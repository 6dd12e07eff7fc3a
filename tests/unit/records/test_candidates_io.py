"""A candidates table: ours comes back as it was, a user's has one defined outcome for everything."""

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trainroute.errors import CandidatesError
from trainroute.records.artifacts import write_json_artifact
from trainroute.records.candidates import COLUMNS, Candidates, frame_digest
from trainroute.records.candidates_io import (
    TableFormat,
    find_candidates,
    read_candidates,
    validate_candidates,
    write_candidates,
)

Row = dict[str, Any]
ROWS: list[Row] = [
    {"target": "y", "symbol": None, "score": 0.56, "sample_size": 9000},
    {"target": "y", "symbol": "AAPL", "score": 0.6, "sample_size": 3000},
    {"target": "y", "symbol": "007", "score": None, "sample_size": 500},
]
FULL = {
    "mode": "SYMBOL",
    "score_ci_low": 0.55,
    "score_ci_high": 0.65,
    "p_skill": 0.99,
    "stability": "STABLE",
    "leakage_status": "SAFE",
    "n_eff": 120.5,
    "minority_events": 100,
    "delta_local": -0.01,
    "attempted_model_families": ["Ridge", "Tree; two"],
    "failed_model_families": [],
    "task_type": "binary",
    "timestamp": "2024-01-01T00:00:00+00:00",
    "git_commit": None,
}


def _frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None)


def _full() -> Candidates:
    rows = [{**row, **FULL, "mode": "SYMBOL" if row["symbol"] else "CROSS_SECTIONAL"} for row in ROWS]
    rows += [{**rows[1], "symbol": "", "sample_size": 5000}, {**rows[1], "symbol": 'a,b\n"c"\'é'}]
    return validate_candidates(_frame(rows), "test")


@pytest.mark.parametrize("table_format", ["PARQUET", "CSV"])
def test_what_is_written_comes_back(tmp_path: Path, table_format: TableFormat) -> None:
    table = _full()
    path = write_candidates(table, tmp_path, table_format=table_format)
    for file in (path, tmp_path / "routing_candidates.json"):
        back = read_candidates(file)
        assert back.provided == table.provided
        assert back.frame.equals(table.frame)
        assert (back.snapshot, back.content_hash) == (table.snapshot, table.content_hash)
    assert find_candidates(tmp_path) == path
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, "routing_candidates.json"])


def test_another_format_replaces_the_former(tmp_path: Path) -> None:
    write_candidates(_full(), tmp_path)
    assert find_candidates(write_candidates(_full(), tmp_path, table_format="CSV").parent) == (
        tmp_path / "routing_candidates.csv"
    )


def test_the_json_says_what_it_holds(tmp_path: Path) -> None:
    table = _full()
    write_candidates(table, tmp_path)
    document = json.loads((tmp_path / "routing_candidates.json").read_text())
    assert document["metadata"]["rows"] == len(document["candidates"]) == 5
    assert document["metadata"]["metrics_snapshot"] == table.snapshot
    assert len(document["content_sha256"]) == 64


def test_missing_columns_stay_missing(tmp_path: Path) -> None:
    least = validate_candidates(_frame(ROWS), "test")
    assert least.provided == {"target", "symbol", "score", "sample_size", "mode"}
    assert least.frame.columns == list(COLUMNS)
    assert read_candidates(write_candidates(least, tmp_path)).provided == least.provided


@pytest.mark.parametrize("table_format", ["PARQUET", "CSV"])
def test_a_table_of_ours_that_was_edited_is_refused(tmp_path: Path, table_format: TableFormat) -> None:
    path = write_candidates(_full(), tmp_path, table_format=table_format)
    if table_format == "CSV":
        path.write_text(path.read_text().replace("3000", "3001"))
    else:
        entries = pl.read_parquet_metadata(path)
        changed = pl.read_parquet(path).with_columns(pl.col("sample_size") + 1)
        changed.write_parquet(path, metadata={k: v for k, v in entries.items() if k.startswith("trainroute")})
    with pytest.raises(CandidatesError, match="does not match the hash that was written with it"):
        read_candidates(path)


def test_a_table_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    _frame(ROWS).write_parquet(path, metadata={"trainroute.schema_version": "99"})
    with pytest.raises(CandidatesError, match="schema_version is 99, expected 1"):
        read_candidates(path)


def test_a_users_csv_keeps_names_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "sample_size,symbol,target,score,mode,attempted_model_families\n"
        "9000,,y,0.56,cross_sectional,A;B\n"
        '5000.0,007,y, 0.6 ,Symbol,"[""A"",""B""]"\n'
        "100,NA,y,nan,symbol,\n"
        '7,"",y,,SYMBOL,[]\n'
    )
    frame = read_candidates(path).frame
    assert frame["symbol"].to_list() == [None, "", "007", "NA"]
    assert frame["sample_size"].to_list() == [9000, 7, 5000, 100]
    assert frame["score"].to_list() == [0.56, None, 0.6, None]
    assert frame["attempted_model_families"].to_list() == [["A", "B"], [], ["A", "B"], None]


def test_a_quoted_empty_symbol_without_mode_is_the_pool(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('"target","symbol","score","sample_size"\n"y","","0.56","9000"\n"y","A","0.6","3000"\n')
    assert read_candidates(path).frame["mode"].to_list() == ["CROSS_SECTIONAL", "SYMBOL"]


def test_a_csv_row_of_another_length_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('target,symbol,score,sample_size,stability\ny,"A\nB",0.6,5000,STABLE\ny,C,0.6,5000\ny,D,0.6\n')
    with pytest.raises(CandidatesError, match=r"row 2, column stability: 4 cells in this row, expected 5; … 2 "):
        read_candidates(path)
    path.write_text('target,symbol,score,sample_size\ny,"A\nB",0.6,5000\ny,C,0.6,5000')
    assert read_candidates(path).frame["symbol"].to_list() == ["A\nB", "C"]
    path.write_text("target,symbol,score,sample_size\ny,B,0.6,5000\ny,C,0.6,5000,1,2\n")
    with pytest.raises(CandidatesError, match=r"row 2, column sample_size: 6 cells in this row, expected 4$"):
        read_candidates(path)
    path.write_text(f"target,symbol,score,sample_size\n{'y' * 200_000},C,0.6,5000\n")
    with pytest.raises(CandidatesError, match="column target: cannot be read as CSV"):
        read_candidates(path)


def test_rows_as_json(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    for document in (ROWS, {"candidates": ROWS}, {"candidates": ROWS, "metadata": {"by": "me"}, "more": 1}):
        for encoding in ("utf-8", "utf-8-sig"):
            path.write_text(json.dumps(document), encoding=encoding)
            assert read_candidates(path).frame.equals(validate_candidates(_frame(ROWS), "x").frame)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "expected a file that ends in .parquet, .csv, .json"),
        ("a.csv", b"", "cannot be read"),
        ("a.csv", b"target,symbol,score,sample_size\n\xff\xfe,A,0.5,1\n", "cannot be read"),
        ("a.csv", b"target,symbol,score,sample_size\ny,A,0.5,1,2\n", "row 1, column sample_size: 5 cells"),
        ("a.csv", b"target,symbol,score\ny,A,0.5\n", "missing column sample_size; expected at least target, symbol"),
        ("a.csv", b"target,symbol,score,sample_size\n", "holds no rows"),
        ("a.csv", b"target,symbol,score,sample_size,score\ny,A,0.5,100,0.6\n", "column score: stands there twice"),
        ("a.csv", b"target,symbol,score,sample_size\ny,A,high,100\n", "row 1, column score: 'high' is not a number"),
        ("a.parquet", b"", "cannot be read"),
        ("a.parquet", b"PAR1 nonsense PAR1", "cannot be read"),
        ("a.json", b"{", "cannot be read"),
        ("a.json", b'{"rows": []}', "expected a list of row objects"),
        ("a.json", b"[1, 2]", "expected a list of row objects"),
        (
            "a.json",
            b'[{"target": "y", "symbol": 1, "score": true, "sample_size": 5}]',
            "row 1, column symbol: '1' is not",
        ),
        (
            "a.json",
            b'{"metadata": {}, "candidates": [], "content_sha256": "0"}',
            "does not match the hash that was written",
        ),
        ("a.json", b"[NaN]", "cannot be read"),
        (
            "a.json",
            b'[{"target": "y", "symbol": "A", "score": 0.6, "sample_size": 1%s}]' % (b"0" * 400),
            "is not a whole n",
        ),
        (
            "a.json",
            b'[{"target": "y", "symbol": "A", "score": 1, "sample_size": 9, "attempted_model_families": [1, null]}]',
            "is not a list of names",
        ),
        (
            "a.csv",
            b'target,symbol,score,sample_size,attempted_model_families\ny,A,1,9,"[""a"""\n',
            "row 1, column attempted_model_families: '[\"a\"' is not a list of names",
        ),
        ("a.csv", b"target,symbol,score,sample_size\ny,A,0.5,1\n\ny,B,2,9,1\n", "row 3, column sample_size: 5 cells"),
        (
            "a.json",
            b'[{"target": "y", "symbol": "A", "score": 0.5, "score": 0.6, "sample_size": 5}]',
            "cannot be read ('score' stands twice in one row)",
        ),
        (
            "a.csv",
            b"Target,symbol,score,sample_size\ny,A,0.5,1\n",
            "missing column target ('Target' is there); expected",
        ),
        (
            "a.csv",
            b"target;symbol;score\ny;A;0.5\n",
            "(cells look separated by ';', expected commas); expected at least",
        ),
    ],
)
def test_a_file_that_is_no_table(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CandidatesError) as caught:
        read_candidates(tmp_path / name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_the_reader_of_csv_gives_no_advice_on_options_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('target,symbol,score,sample_size\ny,"A,0.5,1\n')
    with pytest.raises(CandidatesError, match=r"cannot be read \(.*column number 2.*\); restore it") as caught:
        read_candidates(tmp_path / "a.csv")
    assert "try" not in str(caught.value)


@pytest.mark.parametrize("metadata", [None, "x", [1], {}, {"schema_version": 1}, {"schema_version": 9}])
def test_a_json_of_ours_without_its_metadata_is_refused_whatever_its_hash(tmp_path: Path, metadata: object) -> None:
    path = tmp_path / "routing_candidates.json"
    write_json_artifact(path, {"metadata": metadata, "candidates": ROWS})
    with pytest.raises(CandidatesError, match=r"has no metadata|schema_version is|does not match the hash"):
        read_candidates(path)


def test_a_mode_that_is_no_word_is_the_only_fault_of_a_row_without_symbol() -> None:
    rows = [*ROWS, {"target": "y", "symbol": None, "score": 0.6, "sample_size": 9000, "mode": "CS"}]
    with pytest.raises(CandidatesError) as caught:
        validate_candidates(_frame(rows), "t")
    assert str(caught.value) == (f"t: row {len(rows)}, column mode: 'CS' is unknown; expected CROSS_SECTIONAL, SYMBOL")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CandidatesError, match="not found"):
        read_candidates(tmp_path / "a.csv")
    assert find_candidates(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": math.inf}, "row 2, column score: inf is infinite"),
        ({"score": -math.inf}, "row 2, column score: -inf is infinite"),
        ({"n_eff": math.inf}, "row 2, column n_eff: inf is infinite"),
        ({"score": 1.01}, "row 2, column score: 1.01 lies outside [0, 1]"),
        ({"p_skill": -0.1}, "row 2, column p_skill: -0.1 lies outside [0, 1]"),
        ({"delta_local": -1.5}, "row 2, column delta_local: -1.5 lies outside [-1, 1]"),
        ({"sample_size": -1}, "row 2, column sample_size: -1 is negative"),
        ({"sample_size": 10.5}, "row 2, column sample_size: 10.5 is not a count"),
        ({"sample_size": 1e300}, "row 2, column sample_size: 1e+300 is not a count"),
        ({"n_eff": -1.0}, "row 2, column n_eff: -1.0 is negative"),
        ({"n_eff": 1e16}, "row 2, column n_eff: 1e+16 is infinite"),
        ({"minority_events": 3001}, "row 2, column minority_events: 3001 exceeds sample_size"),
        ({"stability": "SOLID"}, "row 2, column stability: 'SOLID' is unknown; expected STABLE, DRIFTING, DIVERGED"),
        ({"leakage_status": "ok"}, "row 2, column leakage_status: 'OK' is unknown; expected SAFE"),
        ({"mode": "VIEW"}, "row 2, column mode: 'VIEW' is unknown"),
        ({"mode": "CROSS_SECTIONAL"}, "row 2, column symbol: 'AAPL' stands in a CROSS_SECTIONAL row"),
        ({"symbol": None, "mode": "SYMBOL"}, "row 2, column symbol: None stands in a SYMBOL row"),
        ({"task_type": "ranking"}, "row 2, column task_type: 'ranking' is unknown; expected binary, multiclass"),
        ({"score_ci_low": 0.7, "score_ci_high": 0.6}, "row 2, column score_ci_low: 0.7 exceeds score_ci_high"),
        ({"target": None}, "row 2, column target: None is no target"),
        ({"symbol": "007"}, "row 2, column target: 'y' stands in more than one row with the same symbol and mode"),
        ({"symbol": None}, "row 1, column target: 'y' stands in more than one row with the same symbol and mode"),
    ],
)
def test_each_impossible_value_is_named_by_row_and_column(change: Row, message: str) -> None:
    rows = [dict(row) for row in ROWS]
    rows[1].update(change)
    with pytest.raises(CandidatesError) as caught:
        validate_candidates(_frame(rows), "mine.parquet")
    assert message in str(caught.value)
    assert str(caught.value).startswith("mine.parquet: ")
    assert "\n" not in str(caught.value)


def test_two_tasks_of_one_target() -> None:
    rows = [{**row, "task_type": task} for row, task in zip(ROWS, ["binary", None, "regression"], strict=True)]
    with pytest.raises(CandidatesError, match="'binary' is not the only task of this target"):
        validate_candidates(_frame(rows), "t")


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("score", ["high"] * 3, "column score: expected numbers, got String"),
        ("score", [True] * 3, "column score: expected numbers, got Boolean"),
        ("sample_size", ["many"] * 3, "column sample_size: expected whole numbers, got String"),
        ("symbol", [1, 2, 3], "column symbol: expected text, got Int64"),
        ("stability", [1.0] * 3, "column stability: expected text, got Float64"),
        ("attempted_model_families", ["A"] * 3, "column attempted_model_families: expected lists of text, got String"),
        ("target", [["y"]] * 3, "column target: expected text, got List(String)"),
    ],
)
def test_a_column_of_the_wrong_type_is_named(column: str, values: list[object], message: str) -> None:
    frame = _frame(ROWS).with_columns(pl.Series(column, values))
    with pytest.raises(CandidatesError) as caught:
        validate_candidates(frame, "t")
    assert message in str(caught.value)


def test_all_faults_at_once_and_bounded() -> None:
    rows = [{**ROWS[1], "symbol": f"S{i}", "score": 2.0, "sample_size": -i} for i in range(100)]
    with pytest.raises(CandidatesError) as caught:
        validate_candidates(_frame(rows), "t")
    text = str(caught.value)
    assert "… 199 faults in all" in text
    assert len(text) < 1000


def test_a_refused_table_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "mine.json"
    row = {**ROWS[0], "symbol": 7, "extra": "x"}
    path.write_text(json.dumps([row, {**row, "symbol": 8}]))
    with pytest.raises(
        CandidatesError, match=r"row 1, column symbol: '7' is not text; row 2, column symbol: '8' is not text$"
    ):
        read_candidates(path)
    assert caplog.text == ""


def test_no_kind_of_fault_hides_another() -> None:
    rows = [{**ROWS[0], "symbol": f"S{n}", "score": 2.0} for n in range(9)]
    rows += [{**ROWS[0], "symbol": "S10", "sample_size": -1}]
    with pytest.raises(
        CandidatesError, match=r"lies outside \[0, 1\]; row 10, column sample_size: -1 is negative; row 2"
    ):
        validate_candidates(_frame(rows), "t")


def test_no_evidence_and_other_spellings_are_normal() -> None:
    rows = [{**row, "stability": " stable ", "leakage_status": "Safe", "task_type": "BINARY"} for row in ROWS]
    rows[1] |= {"score": math.nan, "sample_size": math.nan}
    frame = validate_candidates(
        _frame(rows).with_columns(
            pl.col("target").cast(pl.Categorical), n_eff=pl.lit(None), timestamp=pl.datetime(2024, 1, 1)
        ),
        "t",
    ).frame
    assert frame["stability"].unique().to_list() == ["STABLE"]
    assert frame["leakage_status"].unique().to_list() == ["SAFE"]
    assert frame["task_type"].unique().to_list() == ["binary"]
    assert frame.filter(pl.col("symbol") == "AAPL").select("score", "sample_size").row(0) == (None, None)
    assert frame.schema == COLUMNS


def test_columns_that_are_not_known_are_named(caplog: pytest.LogCaptureFixture) -> None:
    validate_candidates(_frame(ROWS).with_columns(p_skil=1.0), "mine.csv")
    assert "mine.csv: columns that routing does not know are not used: p_skil" in caplog.text


def test_the_hash_of_a_table_is_that_of_earlier_versions() -> None:
    """Candidates and plans that lie on disk name it: another one would have them refused as edited."""
    schema = {"a": pl.String, "b": pl.Float64, "c": pl.Int64, "d": pl.List(pl.String)}
    rows = {"a": ["x", None, "é"], "b": [0.1, None, -0.0], "c": [1, None, 3], "d": [["u"], [], None]}
    known = "9e838658607521d5f95530836941577b0d636db0a9f693b4bee4e55f018ecb7f"
    assert frame_digest(pl.DataFrame(rows, schema=schema), None) == known


def test_the_snapshot_is_the_content_without_order_time_and_commit() -> None:
    rows = [{**row, "timestamp": "a", "git_commit": "b"} for row in ROWS]
    table = validate_candidates(_frame(rows), "t")
    later = validate_candidates(_frame([{**row, "timestamp": "c", "git_commit": None} for row in rows[::-1]]), "t")
    assert later.snapshot == table.snapshot
    assert later.content_hash != table.content_hash
    rows[1]["score"] += 4e-7  # less than any decision looks at
    assert validate_candidates(_frame(rows), "t").snapshot == table.snapshot
    rows[1]["score"] += 1e-6
    assert validate_candidates(_frame(rows), "t").snapshot != table.snapshot


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"symbol": "ab", "target": "c"}, {"symbol": "b", "target": "ca"}),
        ({"feature_set_id": None}, {"feature_set_id": ""}),
        ({"attempted_model_families": []}, {"attempted_model_families": None}),
        ({"attempted_model_families": ["ab"]}, {"attempted_model_families": ["a", "b"]}),
        ({"n_eff": None}, {"n_eff": 0.0}),
        ({"sample_size": None}, {"sample_size": 0}),
    ],
)
def test_the_snapshot_tells_apart_what_looks_alike(one: Row, other: Row) -> None:
    tables = [validate_candidates(_frame([ROWS[0], {**ROWS[1], **change}]), "t") for change in (one, other)]
    assert tables[0].snapshot != tables[1].snapshot


def test_rows_in_any_order_are_put_in_order_whoever_builds_the_table() -> None:
    known = validate_candidates(pl.DataFrame(ROWS, infer_schema_length=None), "t")
    shuffled = known.frame.sample(fraction=1.0, shuffle=True, seed=1).select(reversed(known.frame.columns))
    again = Candidates(frame=shuffled, provided=known.provided)
    assert again.frame.equals(known.frame)
    assert (again.snapshot, again.content_hash) == (known.snapshot, known.content_hash)
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        Candidates(frame=known.frame.drop("mode"), provided=known.provided)


@pytest.mark.parametrize("column", ["symbol", "target"])
def test_names_that_are_numbers_are_one_fault_and_no_repeated_rows(column: str) -> None:
    names = {"target": ["y", "y", "y"], "symbol": ["A", "B", "C"], column: [1, 2, 3]}
    table = pl.DataFrame({**names, "score": [0.5, 0.6, 1.7], "sample_size": [10, 20, 30]})
    with pytest.raises(CandidatesError) as caught:
        validate_candidates(table, "t.parquet")
    assert f"column {column}: expected text, got Int64" in str(caught.value)
    assert "1.7 lies outside [0, 1]" in str(caught.value)  # the other faults are still told
    assert "more than one row" not in str(caught.value)
