"""The examples of the docs run as they stand."""

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from trainroute.panel.prepare import prepare

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("page", ["panel", "prepare"])
def test_examples_run(
    page: str, tmp_path: Path, bars: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bars").mkdir()
    bars(symbols=("AAPL", "MSFT", "KO", "PG", "XOM")).write_parquet(tmp_path / "bars" / "all.parquet")
    prepare(tmp_path / "bars", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, f"{page}.md", "exec"), names)  # noqa: S102 - the docs are ours


def test_every_feature_and_kind_is_documented(tmp_path: Path, bars: Callable[..., pl.DataFrame]) -> None:
    text = (DOCS / "prepare.md").read_text(encoding="utf-8")
    spelled = set(re.findall(r"`([a-z0-9_]+)`", text))
    for stem, choices in re.findall(r"`([a-z_]+)\{([a-z0-9_,]+)\}`", text):
        spelled.update(f"{stem}{choice}" for choice in choices.split(","))
    (tmp_path / "bars").mkdir()
    table = bars(symbols=("A", "B", "C", "D", "E")).with_columns(vwap=pl.col("close"))
    table.write_parquet(tmp_path / "bars" / "all.parquet")
    assert set(prepare(tmp_path / "bars", tmp_path / "data").features) <= spelled
