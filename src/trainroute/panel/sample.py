"""Real data for a first run: daily closes of 20 US stocks, 1990 to 2022, from the files of the package skfolio."""

from importlib.util import find_spec
from pathlib import Path

import polars as pl

from trainroute.errors import MissingLibraryError
from trainroute.panel.bars import SYMBOL, TIME, TIME_TYPE
from trainroute.panel.prepare.build import PrepareSummary, prepare_bars
from trainroute.panel.prepare.clean import bar_facts, clean_bars
from trainroute.panel.repairs import Repairs
from trainroute.progress import Progress, SilentProgress

SAMPLE_TARGETS = (
    "fwd_ret_5d",
    "fwd_vol_5d",
    "y_high_vol_20d",
    "y_up_5d",
    "y_will_swing_low_10d_1.00",
)
_INSIDE_SKFOLIO = Path("datasets", "data", "sp500_dataset.csv.gz")


def write_sample(
    data_dir: Path,
    *,
    progress: Progress = SilentProgress(),  # noqa: B008 - stateless
) -> PrepareSummary:
    """Write the sample with features and targets, ready for ``trainroute run``.

    The closes are adjusted for splits and dividends; the stocks are members that survived (BSD-3, from skfolio).

    Raises
    ------
    MissingLibraryError
        If skfolio is not installed.
    DataError
        If ``data_dir`` holds other data.
    """
    path = _packaged_file()
    wide = pl.read_csv(path, try_parse_dates=True)
    long = wide.unpivot(index="Date", variable_name=SYMBOL, value_name="close").drop_nulls()
    bars = long.select(SYMBOL, pl.col("Date").cast(TIME_TYPE).alias(TIME), pl.col("close").cast(pl.Float64))
    repairs = Repairs()
    clean = clean_bars(bars.sort(SYMBOL, TIME), path, repairs)
    return prepare_bars(clean, bar_facts(clean), data_dir, targets=SAMPLE_TARGETS, repairs=repairs, progress=progress)


def _packaged_file() -> Path:
    # Importing skfolio takes seconds and loads most of scientific Python; its file is all that is needed.
    spec = find_spec("skfolio")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        path = Path(folder) / _INSIDE_SKFOLIO
        if path.is_file():
            return path
    raise MissingLibraryError("the sample data come with the package skfolio; pip install 'trainroute[demo]'")
