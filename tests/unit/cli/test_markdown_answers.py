"""Answers as Markdown, rendered as a forge renders a comment: tables and headings, and no name that is markup."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from trainroute import pipeline
from trainroute.text import printable

Program = Callable[..., Any]
NAMES = [
    "\x1b[2J<b>",
    "a|b",
    "`code`",
    "[link](http://example.com)",
    "![image](x)",
    "@everyone",
    "**bold**",
    "_under_",
    "~~gone~~",
    "# heading",
    "<script>alert(1)</script>",
    "&lt;",
    "line\nbreak",
    "\u202eright to left",
    "| --- |",
    "\\",
    "$x$",
]
GOOD = {"score": 0.56, "score_shrunk": 0.56, "score_ci_low": 0.53, "p_skill": 0.995, "sample_size": 9000}
GOOD |= {"n_eff": 500.0, "minority_events": 400, "stability": "STABLE", "leakage_status": "SAFE"}
GOOD |= {"cs_score_shrunk": 0.55, "p_cs_skill": 0.9, "p_local_better": 0.9}


def _routed(place: Path, score: float = 0.56) -> Path:
    """Route a target of each name with a symbol of each name; one of them is blocked for leakage."""
    rows: list[dict[str, Any]] = []
    for target in NAMES:
        rows += [{**GOOD, "target": target, "symbol": symbol, "mode": "SYMBOL"} for symbol in NAMES]
        rows[-1]["leakage_status"] = "BLOCKED"
        rows[-2]["score_shrunk"] = score
        rows.append({**GOOD, "target": target, "symbol": None, "mode": "CROSS_SECTIONAL"})
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(place / "table.parquet")
    pipeline.route(place / "table.parquet", output_dir=place / "run")
    return place / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _routed(tmp_path_factory.mktemp("names"))


def _tokens(page: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)


def _text(token: Token) -> str:
    return "".join(child.content for child in token.children or () if child.type in {"text", "text_special"})


def _texts(page: str) -> list[str]:
    """Return what a reader sees, piece by piece; fail where a name became markup."""
    tokens, found = _tokens(page), []
    marked = {"link_open", "image", "code_inline", "s_open", "strong_open"}
    for token in tokens:
        assert token.type not in {"html_block", "fence", "code_block"} or token.content.startswith(("<details", "</de"))
        for child in token.children or ():
            assert child.type not in marked, child
            assert child.type != "html_inline" or child.content == "<!-- -->", child
        if token.type == "inline":
            found.append(_text(token))
    assert "\x1b" not in page
    assert "\u202e" not in page
    return found


def _seen(name: str) -> str:
    return printable(" ".join(name.split()))


def _rows_are_whole(page: str) -> None:
    """Hold each row of a table to as many cells as its headings."""
    cells: list[int] = []
    for token in _tokens(page):
        if token.type == "tr_open":
            cells.append(0)
        elif token.type in {"td_open", "th_open"}:
            cells[-1] += 1
        elif token.type == "table_close":
            assert len(set(cells)) == 1, page
            cells.clear()


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_is_explained_in_tables_whatever_its_name(run: Path, program: Program, name: str) -> None:
    asked = ("explain", "--output-dir", run, f"--target={name}", f"--symbol={name}", "--format", "markdown")
    page = program(*asked).out
    texts = _texts(page)
    _rows_are_whole(page)
    assert texts[0].startswith(f"{_seen(name)} · {_seen(name)}: ROUTE_")
    headings = [token.tag for token in _tokens(page) if token.type == "heading_open"]
    assert headings == ["h2", "h3", "h3", "h3", "h3"]
    assert texts.count("rule") >= 6  # a table for each level of rules
    assert {"pass", "FAIL"}.isdisjoint(texts)
    assert {"yes", "routing.symbol.min_score"} & set(texts)
    assert any(text.startswith("metric ") for text in texts)


@pytest.mark.parametrize("asked", [["--target=a|b"], ["--symbol=a|b"], ["--blocked"]])
def test_many_pairs_are_tables_with_all_names(run: Path, program: Program, asked: list[str]) -> None:
    page = program("explain", "--output-dir", run, *asked, "--format", "markdown", "--limit", 1000).out
    texts = _texts(page)
    _rows_are_whole(page)
    assert {_seen(name) for name in NAMES} <= set(texts) or asked == ["--blocked"]
    assert "nearest threshold" in texts
    short = program("explain", "--output-dir", run, *asked, "--format", "markdown", "--limit", 2).out
    assert short.count("\n") < page.count("\n")
    assert "more, see --limit." in short


def test_a_difference_is_tables_with_all_names(run: Path, program: Program, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = _routed(tmp_path / "other", score=0.5)
    page = program("diff", run, other, "--format", "markdown", "--limit", 1000).out
    texts = _texts(page)
    _rows_are_whole(page)
    assert {_seen(name) for name in NAMES} <= set(texts)


def test_the_pages_beside_the_plans_are_tables_too(run: Path) -> None:
    for path in ("METRICS/routing_plan/routing_plan.md", "globals/training_plan/training_plan.md"):
        page = (run / path).read_text()
        _rows_are_whole(page)
        assert "\x1b" not in page
        assert "<script>" not in page.replace("\\<script", "")
