"""Slow, obvious implementations that the fast ones are compared with, and the coverage benchmark."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

Partners = Callable[[NDArray, NDArray], tuple[NDArray, NDArray]]


@pytest.fixture(scope="session")
def pair_loop() -> Partners:
    """Concordant (ties one half) and comparable partners of each row, by comparing every pair."""

    def count(prediction: NDArray, outcome: NDArray) -> tuple[NDArray, NDArray]:
        concordant, comparable = np.zeros(len(outcome)), np.zeros(len(outcome))
        for i in range(len(outcome)):
            for j in range(len(outcome)):
                if outcome[i] == outcome[j]:
                    continue
                comparable[i] += 1
                agreement = (prediction[i] - prediction[j]) * (outcome[i] - outcome[j])
                concordant[i] += 1.0 if agreement > 0 else 0.5 if agreement == 0 else 0.0
        return concordant, comparable

    return count


@pytest.fixture(scope="session")
def benchmark_module() -> ModuleType:
    """The script ``benchmarks/interval_coverage.py`` as a module."""
    path = Path(__file__).parents[3] / "benchmarks" / "interval_coverage.py"
    spec = importlib.util.spec_from_file_location("interval_coverage", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
