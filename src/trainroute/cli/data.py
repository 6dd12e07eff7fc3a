"""Commands that write inputs: `prepare`, `sample`, `init`."""

from pathlib import Path
from typing import TYPE_CHECKING

from trainroute.cli.options import VERBOSITY, Flag, Names, Verbosity
from trainroute.config import WORKING_DIRECTORY_CONFIG
from trainroute.errors import UsageError
from trainroute.text import print_lines

if TYPE_CHECKING:
    from trainroute.panel.prepare import PrepareSummary


def prepare(
    *,
    bars: Path,
    data_dir: Path = Path("data"),
    targets: Names = None,
    symbols: Names = None,
    resample: str | None = None,
    verbosity: Verbosity = VERBOSITY,
) -> int:
    """Turn OHLCV bars into features and targets: features known at the bar's close, labels from the next bar on.

    Parameters
    ----------
    bars
        File or directory of bars (Parquet or CSV): symbol, time, close, and what there is of open, high, low, volume.
    data_dir
        Where symbol=X/X.parquet are written.
    targets
        Targets by name, such as fwd_ret_5d or y_will_swing_low_10m_0.20; a standard set when not given.
    symbols
        Only these symbols.
    resample
        Make longer bars first, such as 5m.
    """
    del verbosity
    from trainroute.panel.prepare import prepare as prepare_data
    from trainroute.report.progress import terminal_progress

    summary = prepare_data(
        bars, data_dir, targets=targets, resample=resample, symbols=symbols, progress=terminal_progress()
    )
    return _prepared(summary)


def sample(*, data_dir: Path = Path("data"), verbosity: Verbosity = VERBOSITY) -> int:
    """Write the real sample data: daily closes of 20 US stocks, 1990 to 2022, with features and targets.

    Parameters
    ----------
    data_dir
        Where symbol=X/X.parquet are written.
    """
    del verbosity
    from trainroute.panel.sample import write_sample
    from trainroute.report.progress import terminal_progress

    return _prepared(write_sample(data_dir, progress=terminal_progress()))


def init(
    *,
    config: Path = WORKING_DIRECTORY_CONFIG,
    force: Flag = False,
    verbosity: Verbosity = VERBOSITY,
) -> int:
    """Write the default config, commented, for editing.

    Parameters
    ----------
    config
        Where to.
    force
        Replace the file that is there.
    """
    del verbosity
    if config.exists() and not force:
        raise UsageError(f"{config}: is there already; give --force to replace it, or --config for another place")
    from trainroute.config import default_config_text
    from trainroute.records.artifacts import write_atomically

    write_atomically(config, default_config_text().encode())
    print_lines(f"wrote {config}")
    return 0


def _prepared(summary: "PrepareSummary") -> int:
    n_symbols, n_features = len(summary.symbols), len(summary.features)
    print_lines(
        f"{summary.data_dir}: {n_symbols} symbols, {summary.n_rows:,} rows, {n_features} features",
        f"targets: {', '.join(summary.targets)}",
    )
    return 0
