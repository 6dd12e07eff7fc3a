import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trainroute import __version__, provenance
from trainroute.provenance import code_version, git_commit, run_id, utc_now


def test_now_is_utc_to_the_second() -> None:
    now = datetime.fromisoformat(utc_now())
    assert now.tzinfo == UTC
    assert now.microsecond == 0
    assert abs((datetime.now(tz=UTC) - now).total_seconds()) < 5


def test_run_ids_are_file_names_and_differ_within_a_second() -> None:
    ids = {run_id("2026-01-02T03:04:05+00:00") for _ in range(20)}
    assert len(ids) == 20
    assert all(name.startswith("20260102T030405-") and name.replace("-", "").isalnum() for name in ids)


def test_commit_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit() is None
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert git_commit() is None
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert git_commit() == head


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_commit() is None


def test_another_source_file_is_another_code_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_version().startswith(f"{__version__}+")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/one.py").write_text("x = 1")
    first = code_version.__wrapped__()
    assert code_version.__wrapped__() == first
    (tmp_path / "deep/one.py").write_text("x = 2")
    second = code_version.__wrapped__()
    (tmp_path / "deep/one.py").rename(tmp_path / "deep/two.py")
    assert len({first, second, code_version.__wrapped__(), code_version()}) == 4
