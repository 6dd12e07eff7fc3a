"""Rules of the house that no linter knows."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LONGEST_FILE = 450


def _relative(path: Path) -> str:
    return path.relative_to(ROOT / "src").as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=_relative)
def test_a_file_is_one_thing(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_only_the_job_runner_and_the_loading_of_models_catch_everything() -> None:
    """There a family's own code runs, which may raise anything."""
    catching = {
        _relative(path)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    }
    assert catching == {"trainroute/train/worker.py", "trainroute/train/artifact.py"}


def test_nothing_is_pickled() -> None:
    banned = {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}
    found = [
        (_relative(path), name)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _imported(node)
        if name.split(".")[0] in banned
    ]
    assert not found


def test_only_config_reads_the_environment() -> None:
    """Workers may set limits for themselves; nothing else depends on the environment."""
    reading = {
        _relative(path)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "putenv"}
    }
    assert {name.split("/")[1] for name in reading} <= {"config", "train"}, reading


def test_the_packaged_config_is_the_one_in_the_repository() -> None:
    packaged = ROOT / "src/trainroute/config/routing_config.yaml"
    assert (ROOT / "CONFIG/training_config/routing_config.yaml").read_bytes() == packaged.read_bytes()


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module]
    return []
