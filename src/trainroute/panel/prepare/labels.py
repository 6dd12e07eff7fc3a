"""Names of targets, what they ask for, and the labels."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from trainroute.errors import UsageError
from trainroute.panel.bars import TIME
from trainroute.panel.durations import format_duration, parse_duration
from trainroute.panel.manifest import PreparedTarget
from trainroute.panel.prepare.group import BarFacts
from trainroute.panel.prepare.kind import TargetKind, Window
from trainroute.registry import Registry

KINDS = Registry("target kind", "trainroute.panel.prepare.kinds", TargetKind)  # type: ignore[type-abstract]
_NAME = re.compile(r"(?P<prefix>.+?)_(?P<horizon>[0-9]+(?:s|min|m|h|d|w))(?:_(?P<size>[0-9]+(?:\.[0-9]+)?))?")
_DEFAULTS = (
    ("fwd_ret", 5, ""),
    ("fwd_vol", 5, ""),
    ("y_up", 5, ""),
    ("y_high_vol", 5, ""),
    ("y_high_vol", 20, ""),
    ("y_will_swing_low", 10, "_1.00"),
    ("y_will_swing_high", 10, "_1.00"),
    ("y_will_valley", 10, "_0.50"),
)


@dataclass(frozen=True, kw_only=True)
class TargetRequest:
    """A target that is to be built.

    Attributes
    ----------
    name : str
    kind : TargetKind
    horizon : str
        As in the name.
    bars : int
    size : float or None
    """

    name: str
    kind: TargetKind
    horizon: str
    bars: int
    size: float | None

    @property
    def label_end(self) -> str:
        """The column that records where the label's window ends."""
        return f"label_end_{self.horizon}"

    def describe(self) -> PreparedTarget:
        """Return what the manifest says of it."""
        return PreparedTarget(
            kind=self.kind.name,
            horizon=self.horizon,
            horizon_bars=self.bars,
            label_end=self.label_end,
            size=self.size,
        )


def default_targets(interval_us: int) -> tuple[str, ...]:
    """Return the names of the targets that are built when none is asked for: 5, 10 and 20 bars ahead."""
    return tuple(f"{prefix}_{format_duration(bars * interval_us)}{size}" for prefix, bars, size in _DEFAULTS)


def parse_target(name: str, interval_us: int) -> TargetRequest:
    """Read what a target's name asks for.

    Raises
    ------
    UsageError
        If no kind has such names, or the horizon is no multiple of the bar interval.

    Examples
    --------
    >>> parse_target("y_will_swing_low_10m_0.20", 60_000_000).bars
    10
    """
    match = _NAME.fullmatch(name)
    kind = next((k for k in KINDS.members() if match is not None and k.prefix == match["prefix"]), None)
    if match is None or kind is None or kind.sized is (match["size"] is None):
        patterns = sorted(f"{k.prefix}_<horizon>{'_<size>' if k.sized else ''}" for k in KINDS.members())
        raise UsageError(f"target {name!r} cannot be built; expected {', '.join(patterns)}, such as y_up_5d")
    try:
        horizon_us = parse_duration(match["horizon"])
    except ValueError as error:
        raise UsageError(f"target {name!r}: {error}") from None
    if horizon_us % interval_us:
        raise UsageError(
            f"target {name!r}: the horizon is no multiple of the bar interval {format_duration(interval_us)}; "
            "choose one that is, or resample"
        )
    return TargetRequest(
        name=name,
        kind=kind(),
        horizon=match["horizon"],
        bars=horizon_us // interval_us,
        size=None if match["size"] is None else float(match["size"]),
    )


def label_columns(bars: pl.DataFrame, requests: Sequence[TargetRequest], facts: BarFacts) -> pl.DataFrame:
    """Compute the labels of one symbol, and where their windows end.

    Parameters
    ----------
    bars : DataFrame
        Of one symbol, ascending, with the helper columns of ``recipe.with_helpers``.
    requests : sequence of TargetRequest
    facts : BarFacts

    Returns
    -------
    DataFrame
        The targets (Float32, or Int8 for 0 and 1) and the ``label_end`` columns (UTC). Both are null where the window
        is incomplete.
    """
    windows = {request.horizon: Window(bars=request.bars, facts=facts) for request in requests}
    labels = [request.kind.label(windows[request.horizon], request.size).alias(request.name) for request in requests]
    ends = {request.label_end: pl.col(TIME).shift(-windows[request.horizon].last) for request in requests}
    return bars.select(*labels, **ends)
