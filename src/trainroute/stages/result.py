"""What the commands that route and train give back."""

from dataclasses import dataclass
from pathlib import Path

from trainroute.records.candidates_io import find_candidates
from trainroute.records.plan import TrainingPlan
from trainroute.records.routing import RoutingPlan
from trainroute.stages.common import METRICS, ROUTING_PLAN, TRAINING_PLAN
from trainroute.train import TrainingOutcome


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run made.

    Attributes
    ----------
    output_dir : Path
    plan : TrainingPlan
    routing : RoutingPlan or None
        None where `train` ran by itself.
    outcome : TrainingOutcome or None
        None where training was skipped.
    from_cache : bool
        Whether the evidence was measured before.
    """

    output_dir: Path
    plan: TrainingPlan
    routing: RoutingPlan | None = None
    outcome: TrainingOutcome | None = None
    from_cache: bool = False

    @property
    def exit_code(self) -> int:
        """0, or 1 where a planned job × family failed."""
        return 0 if self.outcome is None else self.outcome.exit_code

    @property
    def files(self) -> dict[str, Path]:
        """Where to look, by what it is."""
        found = {}
        if self.routing is not None:
            metrics, routing, training = (self.output_dir / place for place in (METRICS, ROUTING_PLAN, TRAINING_PLAN))
            found["candidates"] = find_candidates(metrics) or metrics
            found["routing plan"] = _readable(routing / "routing_plan.md", routing / "routing_plan.json")
            found["training plan"] = _readable(training / "training_plan.md", training / "master_training_plan.json")
        if self.outcome is not None:
            found["models"] = self.outcome.models_dir
            found["training report"] = self.outcome.report_path.with_suffix(".md")
            found["ledger"] = self.outcome.ledger_path
        return found


def _readable(markdown: Path, json: Path) -> Path:
    """Return the page for people, or the data where no page was asked for."""
    return markdown if markdown.is_file() else json
