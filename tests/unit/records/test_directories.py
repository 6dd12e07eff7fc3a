"""A directory is replaced as a whole or not at all."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainroute.errors import PlanError
from trainroute.records import directories
from trainroute.records.directories import recover, replaced_directory, replaced_together

OWNED = {"a", "b"}


def _replace(directory: Path, content: str, name: str = "a") -> None:
    with replaced_directory(directory, owned=OWNED) as fresh:
        (fresh / name).write_text(content)


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_new_then_replaced_without_leftovers(tmp_path: Path) -> None:
    _replace(tmp_path / "plan", "one", "b")
    _replace(tmp_path / "plan", "two")
    assert _names(tmp_path / "plan") == ["a"]
    assert (tmp_path / "plan/a").read_text() == "two"
    assert _names(tmp_path) == ["plan"]


def test_an_error_leaves_the_old_directory(tmp_path: Path) -> None:
    _replace(tmp_path / "plan", "one")
    with pytest.raises(TypeError):
        _replace(tmp_path / "plan", 7, "b")  # type: ignore[arg-type]
    assert _names(tmp_path / "plan") == ["a"]
    assert _names(tmp_path) == ["plan"]


def test_foreign_files_are_never_removed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PlanError, match=r"holds files that trainroute did not write \(notes.txt\)"):
        _replace(tmp_path, "x")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "plan").write_text("x")
    with pytest.raises(PlanError, match="expected a directory, found a file"):
        _replace(tmp_path / "plan", "x")


def test_a_parent_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(PlanError, match="cannot be written"):
        _replace(tmp_path / "file" / "plan", "x")


def test_what_a_link_leads_to_is_replaced(tmp_path: Path) -> None:
    _replace(tmp_path / "real", "one", "b")
    (tmp_path / "plan").symlink_to("real")
    _replace(tmp_path / "plan", "two")
    assert (tmp_path / "plan").is_symlink()
    assert (tmp_path / "real/a").read_text() == "two"
    assert _names(tmp_path) == ["plan", "real"]


def test_behind_a_link_too_the_old_one_comes_back(tmp_path: Path) -> None:
    _replace(tmp_path / "real", "one")
    (tmp_path / "plan").symlink_to("real")
    (tmp_path / "real").rename(tmp_path / ".real.previous")
    recover(tmp_path / "plan")
    assert (tmp_path / "plan/a").read_text() == "one"


def test_an_error_of_the_system_says_where(tmp_path: Path) -> None:
    def full(filename: str | None) -> None:
        with replaced_directory(tmp_path / "plan", owned=OWNED):
            raise OSError(errno.ENOSPC, "No space left on device", filename)

    for filename, said in ((None, str(tmp_path / "plan")), ("elsewhere", "elsewhere")):
        with pytest.raises(OSError, match="No space left") as caught:
            full(filename)
        assert (caught.value.filename, caught.value.errno) == (said, errno.ENOSPC)


def test_directories_that_belong_together_take_their_places_when_all_are_whole(tmp_path: Path) -> None:
    def write(*names: str, broken: bool = False) -> None:
        with replaced_together() as together:
            for name in names:
                with together.directory(tmp_path / name, owned=OWNED) as fresh:
                    (fresh / "a").write_text("whole")
                assert not (tmp_path / name).exists()
            if broken:
                raise PlanError("one of them could not be written")

    with pytest.raises(PlanError, match="one of them"):
        write("plan", "other", broken=True)
    assert _names(tmp_path) == []
    write("plan", "other")
    assert _names(tmp_path) == ["other", "plan"]
    assert _names(tmp_path / "plan") == _names(tmp_path / "other") == ["a"]


def test_without_the_system_call_the_old_one_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "_exchanged", lambda *_: False)
    _replace(tmp_path / "plan", "one")
    _replace(tmp_path / "plan", "two")
    assert (tmp_path / "plan/a").read_text() == "two"
    assert _names(tmp_path) == ["plan"]


def test_killed_between_the_two_renames_the_old_one_comes_back(tmp_path: Path) -> None:
    aside = tmp_path / ".plan.previous"
    aside.mkdir()
    (aside / "a").write_text("old")
    recover(tmp_path / "plan")
    assert (tmp_path / "plan/a").read_text() == "old"
    assert _names(tmp_path) == ["plan"]


def test_a_killed_writer_leaves_the_old_plan_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    _replace(tmp_path / "plan", "old")
    script = (
        "import sys, time; from pathlib import Path; from trainroute.records.directories import replaced_directory\n"
        "with replaced_directory(Path(sys.argv[1]), owned={'a'}) as fresh:\n"
        "    (fresh / 'a').write_text('half'); print('ready', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "plan")], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        _replace(tmp_path / "other", "x")
        assert len(_names(tmp_path)) == 3  # the living writer's work is not swept
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    assert (tmp_path / "plan/a").read_text() == "old"
    deadline = time.monotonic() + 10
    while len(_names(tmp_path)) > 2 and time.monotonic() < deadline:
        _replace(tmp_path / "plan", "new")
    assert _names(tmp_path) == ["other", "plan"]
    assert (tmp_path / "plan/a").read_text() == "new"
