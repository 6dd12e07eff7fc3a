"""Panel to evidence, from the cache where it was measured before."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from trainroute import evaluate
from trainroute.config import Config
from trainroute.errors import CandidatesError, UnknownNameError, UsageError
from trainroute.evaluate import Evidence, cached_evidence, evidence_key, write_evidence
from trainroute.logs import LOGGER
from trainroute.panel import Panel, data_fingerprint, load_panel
from trainroute.progress import Progress, SilentProgress
from trainroute.provenance import git_commit, utc_now
from trainroute.records.candidates import Candidates
from trainroute.records.candidates_io import TableFormat, find_candidates, read_candidates, write_candidates
from trainroute.stages.common import METRICS


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What of a panel is measured and kept; None: all, or what the measurement chooses."""

    symbols: tuple[str, ...] | None
    targets: tuple[str, ...] | None
    features: tuple[str, ...] | None
    top_n_targets: int | None
    top_m_features: int | None

    @classmethod
    def checked(
        cls,
        *,
        symbols: Sequence[str] | None,
        targets: Sequence[str] | None,
        features: Sequence[str] | None,
        auto_targets: bool,
        auto_features: bool,
        top_n_targets: int,
        top_m_features: int,
    ) -> Self:
        """Check what the user asked for; a list takes the place of ranking or selection.

        Raises
        ------
        UsageError
            If a list and its ``auto`` option are both given, a list is empty, or a number is below 1.
        """
        for name, given, auto in (("targets", targets, auto_targets), ("features", features, auto_features)):
            if given is not None and auto:
                raise UsageError(f"--{name} and --auto-{name} exclude each other; give one of them")
        for name, given in (("symbols", symbols), ("targets", targets), ("features", features)):
            if given is not None and not given:
                raise UsageError(f"--{name}: expected at least one name, got none; leave it out for all")
        for name, number in (("top-n-targets", top_n_targets), ("top-m-features", top_m_features)):
            if number < 1:
                raise UsageError(f"--{name} must be at least 1, got {number}")
        return cls(
            symbols=_unique(symbols),
            targets=_unique(targets),
            features=_unique(features),
            top_n_targets=top_n_targets if targets is None else None,
            top_m_features=top_m_features if features is None else None,
        )


def _unique(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(dict.fromkeys(names))


def measure(
    data_dir: Path,
    config: Config,
    choice: Choice,
    *,
    output_dir: Path,
    force_refresh: bool = False,
    progress: Progress | None = None,
) -> tuple[Evidence, Panel | None]:
    """Take the evidence from the cache, or measure it; write the ``METRICS`` files.

    Returns
    -------
    evidence : Evidence
    panel : Panel or None
        None where the evidence came from the cache: nothing was read but the bytes of the data.
    """
    progress = progress or SilentProgress()
    fingerprint = data_fingerprint(data_dir, choice.symbols)
    key = evidence_key(
        fingerprint,
        config,
        symbols=choice.symbols,
        targets=choice.targets,
        features=choice.features,
        top_n_targets=choice.top_n_targets,
        top_m_features=choice.top_m_features,
    )
    evidence, panel = None if force_refresh else cached_evidence(output_dir, key), None
    if evidence is not None:
        LOGGER.info("Ranking, selection and scores served from the cache: same data, settings and code")
    else:
        panel = load_panel(
            data_dir,
            config.data,
            symbols=choice.symbols,
            targets=choice.targets,
            features=choice.features,
            progress=progress,
        )
        evidence = evaluate.evaluate_panel(
            panel,
            config,
            data_dir=data_dir,
            output_dir=output_dir,
            top_n_targets=choice.top_n_targets,
            top_m_features=choice.top_m_features,
            timestamp=utc_now(),
            git_commit=git_commit(),
            progress=progress,
        )
    write_evidence(evidence, output_dir, key, table_format=config.routing.dump_candidates_as)
    return evidence, panel


class MetricsAggregator:
    """The routing candidates that a measurement left in an output directory.

    Parameters
    ----------
    output_dir : Path
        The directory that holds ``METRICS/``.
    """

    def __init__(self, output_dir: Path | str) -> None:
        self.output_dir = Path(output_dir)

    def measured(self) -> Candidates:
        """Return the candidates of everything that was measured.

        Raises
        ------
        CandidatesError
            If there is no candidates table.
        """
        folder = self.output_dir / METRICS
        path = find_candidates(folder)
        if path is None:
            raise CandidatesError(f"{folder}: holds no routing_candidates table; run 'trainroute run' to write one")
        return read_candidates(path)

    def aggregate_routing_candidates(
        self, targets: Sequence[str], symbols: Sequence[str], git_commit: str | None = None
    ) -> Candidates:
        """Return the candidates of these targets and symbols.

        Parameters
        ----------
        targets, symbols : sequence of str
        git_commit : str, optional
            Stamped on the rows where it is given.

        Raises
        ------
        CandidatesError
            If there is no candidates table.
        UnknownNameError
            If a target or symbol is not in it.
        """
        known = self.measured()
        frame = known.frame
        for kind, names in (("target", targets), ("symbol", symbols)):
            there = frame[kind].drop_nulls().unique().sort().to_list()
            for name in names:
                if name not in there:
                    raise UnknownNameError(f"{kind} in {self.output_dir / METRICS}", name, there)
        wanted = pl.col("symbol").is_null() | pl.col("symbol").is_in(list(symbols))
        frame = frame.filter(pl.col("target").is_in(list(targets)) & wanted)
        if git_commit is not None:
            frame = frame.with_columns(git_commit=pl.lit(git_commit))
        return Candidates(frame=frame, provided=known.provided)

    def save_routing_candidates(
        self, candidates: Candidates, output_path: Path | str | None = None, *, table_format: TableFormat = "PARQUET"
    ) -> Path:
        """Write ``routing_candidates.{parquet,json}`` (or ``.csv``) into ``output_path``, else ``METRICS/``."""
        folder = self.output_dir / METRICS if output_path is None else Path(output_path)
        return write_candidates(candidates, folder, table_format=table_format)
