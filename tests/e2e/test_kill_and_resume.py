"""Runs that are killed, lose their workers or their disk at a random moment end as if nobody had disturbed them."""

import random
from pathlib import Path

import pytest
from kill_and_resume import KINDS, Outcome, disturbed, undisturbed

N_JOBS = 20

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    found = undisturbed(tmp_path_factory.mktemp("undisturbed"), N_JOBS)
    assert len(found.files) == 2 * N_JOBS
    assert len(found.scores) == N_JOBS
    return found


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=[pytest.mark.long] * (kind == "worker")) for kind in KINDS])
def test_a_disturbed_run_is_resumed_to_the_same_models_and_scores(kind: str, expected: Outcome, tmp_path: Path) -> None:
    at = random.random()
    row = disturbed(kind, tmp_path, N_JOBS, expected, at)
    assert not row.wrong, f"disturbed at {at:.3f}"
    assert row.repeated <= row.running <= 2
    assert row.kept >= row.done
