"""trainroute: decide where to train, then train exactly that."""

from typing import TYPE_CHECKING

from trainroute.lazy import imported_when_asked

if TYPE_CHECKING:
    from trainroute.config import Config, load_config
    from trainroute.errors import TrainrouteError
    from trainroute.panel import Panel, load_panel
    from trainroute.pipeline import IntelligentTrainer, Predictions, RunResult, predict
    from trainroute.plan import compare_plans, load_training_plan, validate_plan
    from trainroute.records.plan import TrainingJob, TrainingPlan
    from trainroute.records.routing import RoutingPlan
    from trainroute.route.explaining import explain

__version__ = "0.1.0"

_HOMES = {
    "Config": "trainroute.config",
    "IntelligentTrainer": "trainroute.pipeline",
    "Panel": "trainroute.panel",
    "Predictions": "trainroute.pipeline",
    "RoutingPlan": "trainroute.records.routing",
    "RunResult": "trainroute.pipeline",
    "TrainingJob": "trainroute.records.plan",
    "TrainingPlan": "trainroute.records.plan",
    "TrainrouteError": "trainroute.errors",
    "compare_plans": "trainroute.plan",
    "explain": "trainroute.route.explaining",
    "load_config": "trainroute.config",
    "load_panel": "trainroute.panel",
    "load_training_plan": "trainroute.plan",
    "predict": "trainroute.pipeline",
    "validate_plan": "trainroute.plan",
}

__all__ = [
    "Config",
    "IntelligentTrainer",
    "Panel",
    "Predictions",
    "RoutingPlan",
    "RunResult",
    "TrainingJob",
    "TrainingPlan",
    "TrainrouteError",
    "__version__",
    "compare_plans",
    "explain",
    "load_config",
    "load_panel",
    "load_training_plan",
    "predict",
    "validate_plan",
]

__getattr__ = imported_when_asked(__name__, _HOMES)
