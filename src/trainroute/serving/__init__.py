"""New rows to predictions: each (target, symbol) is answered by the models that the plan gave it."""

from trainroute.serving.models import find_models, load_job
from trainroute.serving.run import Asked, Served, serve
from trainroute.serving.services import Decision, Service, Unseen, Weights, find_services

__all__ = [
    "Asked",
    "Decision",
    "Served",
    "Service",
    "Unseen",
    "Weights",
    "find_models",
    "find_services",
    "load_job",
    "serve",
]
