import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cyclopts import App

from trainroute.cli import entry
from trainroute.cli.app import build_app, build_compatibility_app
from trainroute.cli.commands import COMMANDS, COMPATIBILITY
from trainroute.errors import BrokenPlanError, BrokenResultError, DataError, TrainingError, TrainrouteError

pytestmark = pytest.mark.usefixtures("quiet_logger")


def _app(raising: BaseException | None = None, result: object = None) -> App:
    app = App(result_action="return_value", suppress_keyboard_interrupt=False)

    def work(*, verbose: bool = False) -> object:
        assert isinstance(verbose, bool)
        if raising is not None:
            raise raising
        return result

    app.command(work)
    return app


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (TrainrouteError("x"), 1),
        (TrainingError("x"), 1),
        (DataError("x"), 2),
        (BrokenPlanError("x"), 2),
        (BrokenResultError("x"), 2),
        (PermissionError(13, "Permission denied"), 2),
        (OSError(errno.ENAMETOOLONG, "File name too long"), 2),
        (OSError(28, "No space left on device"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_has_its_exit_code(raised: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.run_app(_app(raised), ["work"]) == code
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1


def test_a_message_of_several_lines_becomes_one(capsys: pytest.CaptureFixture[str]) -> None:
    entry.run_app(_app(DataError("first\n  second")), ["work"])
    assert capsys.readouterr().err == "error: first second\n"


def test_traceback_only_with_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    entry.run_app(_app(DataError("x")), ["work"])
    assert "Traceback" not in capsys.readouterr().err
    entry.run_app(_app(DataError("x")), ["work", "--verbose"])
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert printed.endswith("error: x\n")


def test_an_unexpected_error_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        entry.run_app(_app(ZeroDivisionError("division by zero")), ["work"])
    sys.excepthook(raised.type, raised.value, raised.tb)
    printed = capsys.readouterr().err
    assert (
        printed == "error: internal: ZeroDivisionError: division by zero; run again with --verbose for the traceback\n"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", "f/METRICS"),
            "f/METRICS: Not a directory; a file stands where a directory is expected: choose another path",
        ),
        (FileNotFoundError(errno.ENOENT, "No such file"), "[Errno 2] No such file"),
        (OSError(errno.ENOSPC, "No space left"), "[Errno 28] No space left; free some space"),
        (OSError(errno.EIO, "Input/output error", "f"), "f: Input/output error"),
    ],
)
def test_what_the_system_refuses_says_where_and_what_to_do(
    error: OSError, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.run_app(_app(error), ["work"]) == (2 if error.errno in {errno.ENOTDIR, errno.ENOENT} else 1)
    assert capsys.readouterr().err == f"error: {said}\n"


def test_a_working_directory_that_is_gone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    assert entry.run_app(_app(FileNotFoundError(errno.ENOENT, "No such file")), ["work"]) == 2
    assert capsys.readouterr().err == "error: the working directory is gone; change to another one\n"


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (1, 1)])
def test_exit_code_of_a_command_that_ends(result: object, code: int) -> None:
    assert entry.run_app(_app(result=result), ["work"]) == code


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run"], "--data-dir"),
        (["run", "--data-dir", "d", "--colour", "red"], "--colour"),
        (["runn"], "runn"),
        (["run", "--data-dir", "d", "--top-n-targets", "many"], "--top-n-targets"),
        (["run", "--data-dir", "d", "--model-types", "serial"], "--model-types"),
        (["run", "--data-dir", "d", "--symbols"], "--symbols"),
        (["run", "--data-dir", "d", "--executor", "cloud"], "--executor"),
        (["explain"], "--target"),
        (["route"], "--dry-run"),
        (["route", "--set", "x"], "key=value"),
        (["diff", "a", "b", "--limit", "-1"], "--limit"),
        (["diff", "a", "b", "--limit", "9" * 20], "--limit: expected a whole number up to"),
        (["route", "t.csv", "--max-jobs", "1.5"], "--max-jobs: expected a whole number, got '1.5'"),
        (["show", "--min-priority", "3.6"], "--min-priority: expected a whole number, got '3.6'"),
    ],
)
def test_wrong_usage_is_exit_code_2_in_one_line(
    arguments: list[str], named: str, program: Callable[..., object]
) -> None:
    ended = program(*arguments)
    assert ended.code == 2  # type: ignore[attr-defined]
    assert named in ended.error  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("families", "LightGBM", "XGBoost"), "'XGBoost': expected 'trainroute families [NAME]' and options"),
        (("diff", "a", "b", "c", "d"), "'c', 'd': expected 'trainroute diff BEFORE AFTER' and options"),
        (("train", "--data-dir", "data", "data"), "'data': 'trainroute train' takes options only"),
    ],
)
def test_an_argument_too_many_says_what_was_expected(
    arguments: tuple[str, ...], said: str, program: Callable[..., object]
) -> None:
    ended = program(*arguments)
    assert ended.code == 2  # type: ignore[attr-defined]
    expected = f"cannot use {said}; leave the rest out, or see 'trainroute {arguments[0]} --help'"
    assert ended.error == expected  # type: ignore[attr-defined]


_COMMANDS = {
    "trainroute": "from trainroute.cli import entry; entry.main(['families'])",
    "TRAINING": "import sys; sys.argv[1:] = ['--help']; from trainroute.cli import entry; "
    "entry.compatibility_main('TRAINING.training_strategies.main')",
}
_LOOKS_AT_STREAMS = """
import atexit, os, subprocess, sys
def look():
    with open(FOUND, "w") as found:
        print(found.fileno() > 2, file=found)
        print(*(os.get_inheritable(n) for n in range(3)), file=found)
        child = subprocess.run([sys.executable, "-c", "import sys; sys.exit(sys.stderr is None)"])
        print(child.returncode, file=found)
atexit.register(look)
"""


@pytest.mark.skipif(os.name != "posix", reason="a shell closes the streams")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", _COMMANDS.values(), ids=_COMMANDS)
def test_closed_streams_are_nowhere_and_stay_taken(closed: str, command: str, tmp_path: Path) -> None:
    found = tmp_path / "found"
    script = f"FOUND = {str(found)!r}{_LOOKS_AT_STREAMS}{command}"
    done = subprocess.run(["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, "-c", script], check=False)
    assert done.returncode == 0
    assert found.read_text() == "True\nTrue True True\n0\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "latin-1"])
def test_what_stdout_cannot_encode_is_escaped(encoding: str) -> None:
    script = """
from cyclopts import App
from trainroute.cli import app as cli, entry

app = App()
app.command(lambda: print("a × b → Ω \\N{SNOWMAN}"), name="work")
cli.build_app = lambda: app
entry.main(["work"])
"""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.rstrip().endswith(b"\\u2603")


def test_every_command_can_be_loaded_and_says_what_it_does() -> None:
    app = build_app()
    for name in COMMANDS:
        assert app[name].default_command is not None
        assert app[name].default_command.__doc__


def test_compatibility_commands_take_the_options_of_their_originals() -> None:
    originals = {"TRAINING.orchestration.intelligent_trainer": "run", "TRAINING.training_strategies.main": "train"}
    face, program = build_compatibility_app(), build_app()
    assert set(COMPATIBILITY) == set(originals)
    for module, name in originals.items():
        assert _options(face[module]).keys() == _options(program[name]).keys()


def test_an_option_means_the_same_everywhere() -> None:
    """The same name has the same type and the same help in every command."""
    app, seen = build_app(), {}
    written_there = {"--data-dir", "--symbols", "--targets", "--config"}  # `prepare`, `sample`, `init`, `validate`
    for command in COMMANDS:
        for name, facts in _options(app[command]).items():
            if name not in written_there:
                assert seen.setdefault(name, facts) == facts, (command, name)


def _options(app: App) -> dict[str, tuple[object, str | None]]:
    found = app.assemble_argument_collection()
    return {n: (a.hint, a.parameter.help) for a in found for n in a.names if n.startswith("--")}


def test_a_scheduler_that_ends_the_program_lets_it_clean_up() -> None:
    script = """
import os, signal
from cyclopts import App
from trainroute.cli import app as cli, entry

def work():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    finally:
        print("cleaned up", flush=True)

app = App()
app.command(work)
cli.build_app = lambda: app
entry.main(["work"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "cleaned up\n", "error: terminated\n")


@pytest.mark.parametrize("columns", ["0", "1", "2", "7"])
def test_help_ends_however_narrow_the_terminal_says_it_is(columns: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trainroute", "explain", "--help"],
        env=os.environ | {"COLUMNS": columns},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"--target" in done.stdout
