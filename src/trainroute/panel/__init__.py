"""Load a panel, check it, split it in time; build one from bars."""

from trainroute.panel.bars import load_bars, read_bar_columns
from trainroute.panel.load import load_panel, panel_interval
from trainroute.panel.manifest import PrepareManifest, read_prepare_manifest
from trainroute.panel.names import DataNames, data_columns, data_names, data_symbols
from trainroute.panel.new_rows import label_column, read_new_rows, require_features
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
    "data_symbols",
    "label_column",
    "load_bars",
    "load_panel",
    "panel_interval",
    "read_bar_columns",
    "read_new_rows",
    "read_prepare_manifest",
    "recompute_features",
    "require_features",
    "walk_forward",
]
