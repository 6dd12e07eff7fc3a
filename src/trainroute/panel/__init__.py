"""Load a panel, check it, split it in time; build one from bars."""

from trainroute.panel.bars import load_bars, read_bar_columns
from trainroute.panel.load import load_panel
from trainroute.panel.manifest import PrepareManifest, read_prepare_manifest
from trainroute.panel.names import DataNames, data_columns, data_names
from trainroute.panel.panel import Panel, SymbolRows, Target
from trainroute.panel.prepare.recipe import recompute_features
from trainroute.panel.sources import data_fingerprint
from trainroute.panel.splits import WalkForward, walk_forward

__all__ = [
    "DataNames",
    "Panel",
    "PrepareManifest",
    "SymbolRows",
    "Target",
    "WalkForward",
    "data_columns",
    "data_fingerprint",
    "data_names",
    "load_bars",
    "load_panel",
    "read_bar_columns",
    "read_prepare_manifest",
    "recompute_features",
    "walk_forward",
]
