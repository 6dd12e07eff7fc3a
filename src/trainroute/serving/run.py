"""Predict new rows, target by target and symbol by symbol.

1. Per target: the features that its models read, and no other column, are read one symbol at a time.
2. The pooled models are loaded once per target, those of a symbol's own when it comes.
3. A job answers with the mean of its families, a symbol with the weighted mean of its jobs (`services.py`).
4. Rows go to the file in the order target, symbol, time; nothing is held but one group of rows.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainroute.config import Config
from trainroute.errors import DataError
from trainroute.panel import data_symbols, label_column, panel_interval, read_new_rows, read_prepare_manifest
from trainroute.panel.reading import SymbolFrame
from trainroute.panel.repairs import Repairs
from trainroute.progress import Progress
from trainroute.records.plan import TrainingJob
from trainroute.records.predictions import TargetEvaluation
from trainroute.serving.evaluation import LOCAL, POOLED, ROUTED, TargetEvaluator
from trainroute.serving.models import JobModels, LoadedJob, latest_start, load_job, read_features
from trainroute.serving.rows import AskedRows
from trainroute.serving.services import Service
from trainroute.serving.table import pair_rows, write_predictions


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be predicted.

    Attributes
    ----------
    data_dir : Path
    services : mapping of str to mapping of str to Service
        By target and symbol.
    found : mapping of str to JobModels
        The models of every job that answers, by job id.
    timeline_symbols : sequence of str
        The plan's symbols: their timestamps say what is a gap, for families that read history.
    since : int
        Rows from this time on (µs UTC).
    evaluated : bool
        Read labels too and score the rows of the holdout.
    """

    data_dir: Path
    services: Mapping[str, Mapping[str, Service]]
    found: Mapping[str, JobModels]
    timeline_symbols: Sequence[str]
    since: int
    evaluated: bool = False

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols asked for, sorted."""
        return tuple(sorted({symbol for services in self.services.values() for symbol in services}))

    def models_of(self, services: Mapping[str, Service]) -> list[JobModels]:
        """Return the models that answer for some symbols."""
        ids = dict.fromkeys(job.job_id for service in services.values() for job, _ in service.jobs)
        return [self.found[job_id] for job_id in ids]


@dataclass(kw_only=True)
class Served:
    """What was predicted.

    Attributes
    ----------
    rows : int
        Rows of the file.
    predicted : int
        Those of them with a prediction.
    unanswered : Counter of str
        (target, symbol) without a prediction, by reason.
    evaluations : list of TargetEvaluation
    """

    rows: int = 0
    predicted: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    evaluations: list[TargetEvaluation] = field(default_factory=list)


def serve(asked: Asked, config: Config, *, output: Path, metadata: Mapping[str, object], progress: Progress) -> Served:
    """Predict what is asked for into a Parquet file with ``metadata`` in it.

    Raises
    ------
    DataError
        If the data cannot be used, or hold no row that is asked for.
    TrainingError
        If a model is not the one that training wrote, or the file cannot be written.
    """
    served = Served()
    write_predictions(output, _Serving(asked, config, served).frames(progress), metadata)
    return served


class _Serving:
    def __init__(self, asked: Asked, config: Config, served: Served) -> None:
        self._asked, self._config, self._served = asked, config, served
        self._threads = config.training.threads_per_worker
        self._repairs = Repairs()
        history = any(model.family.reads_history for job in asked.found.values() for model in job.models)
        self._timeline = self._all_times() if history else None
        self._interval = self._bar_interval() if asked.evaluated else 0

    def frames(self, progress: Progress) -> Iterator[pl.DataFrame]:
        """Yield the rows of each (target, symbol)."""
        total = sum(map(len, self._asked.services.values()))
        with progress.step("Predicting", total) as step:
            for target, services in sorted(self._asked.services.items()):
                for frame in self._target(target, services):
                    step.advance()
                    if len(frame):
                        self._count(frame)
                        yield frame
        self._repairs.log()
        if total and not self._served.rows:
            moment = np.datetime64(self._asked.since, "us")
            raise DataError(
                f"{self._asked.data_dir}: no row on or after {moment}; rows before the holdout were seen in training: "
                "give newer data, or an earlier --since to predict these all the same"
            )

    def _count(self, frame: pl.DataFrame) -> None:
        missing = frame["prediction"].null_count()
        self._served.rows += len(frame)
        self._served.predicted += len(frame) - missing
        if missing == len(frame):
            self._served.unanswered[frame["reason"][0]] += 1

    def _target(self, target: str, services: Mapping[str, Service]) -> Iterator[pl.DataFrame]:
        asked, symbols = self._asked, sorted(services)
        models = asked.models_of(services)
        features = tuple(read_features(models))
        evaluator = self._evaluator(target, symbols, models) if asked.evaluated and features else None
        column = None if evaluator is None else evaluator.column
        pooled: dict[str, LoadedJob] = {}
        for frame in read_new_rows(asked.data_dir, symbols, features, labels=column, repairs=self._repairs):
            rows = AskedRows(frame=frame, names=features, timeline=self._timeline, since=asked.since)
            yield self._pair(target, services[frame.symbol], rows, pooled, evaluator)
        if evaluator is not None:
            self._served.evaluations.append(evaluator.result())

    def _pair(
        self,
        target: str,
        service: Service,
        rows: AskedRows,
        pooled: dict[str, LoadedJob],
        evaluator: TargetEvaluator | None,
    ) -> pl.DataFrame:
        there = [(job, weight) for job, weight in service.jobs if self._asked.found[job.job_id].models]
        if not there or not len(rows):
            return pair_rows(rows, target, service, reason=self._why_not(service))
        loaded = [(self._loaded(job, pooled), weight) for job, weight in there]
        each = [job.predict(rows, threads=self._threads) for job, _ in loaded]
        prediction = blended(each, [weight for _, weight in loaded])
        if evaluator is not None:
            kinds = {ROUTED: prediction, **(dict(zip((POOLED, LOCAL), each, strict=True)) if len(each) > 1 else {})}
            evaluator.add(rows, loaded[0][0].stored.models[0].manifest.task, loaded[0][0].classes, kinds)
        return pair_rows(
            rows,
            target,
            service,
            prediction=prediction,
            classes=loaded[0][0].classes,
            model=_label(loaded),
            reason=service.reason if len(there) == len(service.jobs) else self._why_not(service),
        )

    def _loaded(self, job: TrainingJob, pooled: dict[str, LoadedJob]) -> LoadedJob:
        if job.symbol is not None:
            return load_job(self._asked.found[job.job_id])
        if job.job_id not in pooled:
            pooled[job.job_id] = load_job(self._asked.found[job.job_id])
        return pooled[job.job_id]

    def _why_not(self, service: Service) -> str | None:
        """Say why a service is not given, or only by one of its two jobs."""
        lacking = [self._asked.found[job.job_id] for job, _ in service.jobs]
        said = [f"{found.job_id}: {', '.join(found.absent)}" for found in lacking if not found.models]
        return f"no model of {'; '.join(said)}" if said else service.reason

    def _evaluator(self, target: str, symbols: Sequence[str], models: Sequence[JobModels]) -> TargetEvaluator:
        column = label_column(self._asked.data_dir, symbols, self._config.data, target)
        start = latest_start(models) or self._asked.since
        return TargetEvaluator(column=column, interval_us=self._interval, holdout_start=start)

    def _all_times(self) -> NDArray[np.int64]:
        there = sorted(data_symbols(self._asked.data_dir).intersection(self._asked.timeline_symbols))
        times = np.empty(0, dtype=np.int64)
        for frame in self._times(there):
            times = np.union1d(times, frame.time)
        return times

    def _bar_interval(self) -> int:
        times = {frame.symbol: frame.time for frame in self._times(self._asked.symbols)}
        return panel_interval(times, self._config.data, read_prepare_manifest(self._asked.data_dir))

    def _times(self, symbols: Sequence[str]) -> Iterator[SymbolFrame]:
        if symbols:
            yield from read_new_rows(self._asked.data_dir, symbols, ())


def blended(each: Sequence[NDArray[np.float64]], weights: Sequence[float]) -> NDArray[np.float64]:
    """Return the weighted mean of some predictions; a single one comes back as it is.

    Examples
    --------
    >>> blended([np.array([0.2, 0.4]), np.array([0.6, 0.8])], [0.25, 0.75]).round(9).tolist()
    [0.5, 0.7]
    """
    if len(each) == 1:
        return each[0]
    return np.asarray(np.average(np.stack(each), axis=0, weights=weights), dtype=np.float64)


def _label(loaded: Sequence[tuple[LoadedJob, float]]) -> str:
    if len(loaded) == 1:
        return loaded[0][0].stored.label()
    return " + ".join(f"{weight:.4g} × {job.stored.label()}" for job, weight in loaded)
