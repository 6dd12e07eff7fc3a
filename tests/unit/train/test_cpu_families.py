"""Families of the CPU stage that need more of their rows than features and labels, trained by a plan."""

from collections.abc import Callable
from pathlib import Path

from trainroute.config import Config
from trainroute.config.schema import TrainingConfig
from trainroute.panel import Panel
from trainroute.records.plan import TrainingJob, TrainingPlan
from trainroute.records.results import FamilyState
from trainroute.train import load_model, train_plan

FAMILIES = ("QuantileLightGBM", "RewardBased", "FTRLProximal", "MetaLearning")


def test_they_are_trained_scored_and_saved(
    make_plan: Callable[..., TrainingPlan],
    make_job: Callable[..., TrainingJob],
    make_panel: Callable[..., Panel],
    tmp_path: Path,
) -> None:
    plan = make_plan(make_job("y_regression", families=FAMILIES), make_job("y_binary", "S1", families=FAMILIES[1:]))
    outcome = train_plan(plan, make_panel(), Config(training=TrainingConfig(workers=1)), output_dir=tmp_path)
    scores = {(row.job_id, row.family): row.score for row in outcome.results if row.state is FamilyState.DONE}
    assert len(scores) == 7, outcome.results
    assert min(score for score in scores.values() if score is not None) > 0.65
    _, manifest = load_model(tmp_path / "models/cs_y_regression/MetaLearning")
    assert int(manifest.details["out_of_fold_rows"]) > 300, "the rows of a job say from when their labels may be used"
