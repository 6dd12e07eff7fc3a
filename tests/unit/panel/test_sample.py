import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from trainroute.config.schema import DataConfig
from trainroute.errors import MissingLibraryError
from trainroute.panel import load_panel
from trainroute.panel.sample import SAMPLE_TARGETS, write_sample


def test_the_sample_is_ready_to_run(tmp_path: Path) -> None:
    if find_spec("skfolio") is None:
        pytest.skip("skfolio is not installed")
    imported = "skfolio" in sys.modules
    summary = write_sample(tmp_path / "data")
    assert ("skfolio" in sys.modules) is imported
    assert (tmp_path / "data" / "symbol=AAPL" / "AAPL.parquet").is_file()
    panel = load_panel(tmp_path / "data", DataConfig())
    assert len(panel.symbols) == 20
    assert {"AAPL", "MSFT"} <= set(panel.symbols)
    assert {target.name for target in panel.targets} == set(SAMPLE_TARGETS)
    assert panel.n_rows == summary.n_rows > 150_000
    assert panel.features == tuple(sorted(summary.features))


def test_without_skfolio_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainroute.panel.sample.find_spec", lambda _: None)
    with pytest.raises(MissingLibraryError, match=r"skfolio; pip install 'trainroute\[demo\]'"):
        write_sample(tmp_path / "data")
