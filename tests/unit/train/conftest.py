"""Fabricated panels and plans, small enough to train in a second."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainroute.panel import Panel, SymbolRows, Target
from trainroute.records.plan import (
    TRAINING_PLAN_SCHEMA_VERSION,
    FeatureSet,
    JobMetadata,
    TrainingJob,
    TrainingPlan,
    TrainingPlanMetadata,
    TrainingPlanSummary,
)
from trainroute.records.vocabulary import RouteState, Task, TrainingType

MINUTE = 60_000_000
TASKS = (Task.BINARY, Task.MULTICLASS, Task.REGRESSION)
CLASSES = {Task.BINARY: (0.0, 1.0), Task.MULTICLASS: (-1.0, 0.0, 1.0), Task.REGRESSION: ()}


def _labels(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noisy = signal + rng.normal(size=len(signal))
    return np.stack([noisy > 0, np.digitize(noisy, [-0.7, 0.7]) - 1.0, noisy], axis=1).astype(np.float32)


def _rows(symbol: str, first: int, n_times: int, horizon: int, seed: int) -> SymbolRows:
    rng = np.random.default_rng(seed)
    time_index = np.arange(first, n_times, dtype=np.int32)
    features = rng.normal(size=(len(time_index), 4)).astype(np.float32)
    targets = _labels(1.5 * features[:, 0], rng)
    features[rng.random(features.shape) < 0.03] = np.nan
    targets[-horizon:] = np.nan
    label_end = ((time_index.astype(np.int64) + horizon) * MINUTE)[:, None]
    return SymbolRows(symbol=symbol, time_index=time_index, features=features, targets=targets, label_end=label_end)


@pytest.fixture
def make_panel() -> Callable[..., Panel]:
    """Symbols S0, S1, …; targets y_binary, y_multiclass, y_regression led by feature f0; horizon of 5 bars."""

    def make(
        n_symbols: int = 3, n_times: int = 800, horizon: int = 5, starts: dict[str, int] | None = None, seed: int = 0
    ) -> Panel:
        names = [f"S{number}" for number in range(n_symbols)]
        return Panel(
            timestamps=np.arange(n_times, dtype=np.int64) * MINUTE,
            bar_interval_us=MINUTE,
            rows=tuple(
                _rows(name, (starts or {}).get(name, 0), n_times, horizon, 1000 * seed + number)
                for number, name in enumerate(names)
            ),
            features=("f0", "f1", "f2", "f3"),
            targets=tuple(
                Target(
                    name=f"y_{task}",
                    task=task,
                    classes=CLASSES[task],
                    horizon_us=horizon * MINUTE,
                    horizon_bars=horizon,
                    horizon_index=0,
                )
                for task in TASKS
            ),
            fingerprint="0" * 64,
        )

    return make


@pytest.fixture
def make_job() -> Callable[..., TrainingJob]:
    """A pooled job (``symbol`` None) of all ``symbols``, or a local one."""

    def make(
        target: str = "y_binary",
        symbol: str | None = None,
        *,
        symbols: tuple[str, ...] = ("S0", "S1", "S2"),
        families: tuple[str, ...] = ("LightGBM",),
        priority: int = 10,
        **metadata: Any,
    ) -> TrainingJob:
        pooled = symbol is None
        pool: dict[str, Any] = {"symbols": symbols, "training_symbols": symbols} if pooled else {}
        return TrainingJob(
            job_id=f"cs_{target}" if pooled else f"sym_{target}_{symbol}",
            target=target,
            symbol=symbol,
            route=RouteState.ROUTE_CROSS_SECTIONAL if pooled else RouteState.ROUTE_SYMBOL_SPECIFIC,
            training_type=TrainingType.CROSS_SECTIONAL if pooled else TrainingType.SYMBOL_SPECIFIC,
            model_families=families,
            priority=priority,
            reason="test",
            metadata=JobMetadata(**{**pool, **metadata}),
        )

    return make


@pytest.fixture
def make_plan() -> Callable[..., TrainingPlan]:
    """A plan of some jobs; feature set ``two`` holds f0 and f1."""

    def make(*jobs: TrainingJob, plan_id: str = "a" * 16, blocked: dict[str, int] | None = None) -> TrainingPlan:
        return TrainingPlan(
            metadata=TrainingPlanMetadata(
                schema_version=TRAINING_PLAN_SCHEMA_VERSION,
                generated_at="2024-01-01T00:00:00+00:00",
                run_id="run",
                git_commit=None,
                config_hash="c",
                routing_plan_path="routing_plan.json",
                routing_plan_id="r",
                metrics_snapshot="m",
                data_fingerprint=None,
                symbols=("S0", "S1", "S2"),
                targets=("y_binary", "y_multiclass", "y_regression"),
                code_version="0",
                total_jobs=len(jobs),
                model_families=("LightGBM", "XGBoost", "Ensemble"),
                plan_id=plan_id,
            ),
            feature_sets={"two": FeatureSet(features=("f1", "f0"))},
            jobs=jobs,
            summary=TrainingPlanSummary(
                by_route={},
                by_type={},
                by_priority={},
                total_cs_jobs=0,
                total_symbol_jobs=0,
                total_blocked=sum((blocked or {}).values()),
                blocked_reasons=blocked or {},
            ),
        )

    return make
