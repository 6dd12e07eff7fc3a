"""Load a panel, check it, split it in time; build one from bars. What a name needs is imported when it is asked for."""

from typing import TYPE_CHECKING

from trainroute.lazy import imported_when_asked

if TYPE_CHECKING:
    from trainroute.panel.bars import load_bars, read_bar_columns
    from trainroute.panel.load import load_panel, panel_interval
    from trainroute.panel.manifest import PrepareManifest, read_prepare_manifest
    from trainroute.panel.names import DataNames, data_columns, data_names, data_symbols
    from trainroute.panel.new_rows import label_column, read_new_rows, require_features
    from trainroute.panel.panel import Panel, SymbolRows, Target
    from trainroute.panel.prepare.recipe import recompute_features
    from trainroute.panel.sources import data_fingerprint
    from trainroute.panel.splits import WalkForward, walk_forward

_HOMES = {
    "DataNames": "trainroute.panel.names",
    "Panel": "trainroute.panel.panel",
    "PrepareManifest": "trainroute.panel.manifest",
    "SymbolRows": "trainroute.panel.panel",
    "Target": "trainroute.panel.panel",
    "WalkForward": "trainroute.panel.splits",
    "data_columns": "trainroute.panel.names",
    "data_fingerprint": "trainroute.panel.sources",
    "data_names": "trainroute.panel.names",
    "data_symbols": "trainroute.panel.names",
    "label_column": "trainroute.panel.new_rows",
    "load_bars": "trainroute.panel.bars",
    "load_panel": "trainroute.panel.load",
    "panel_interval": "trainroute.panel.load",
    "read_bar_columns": "trainroute.panel.bars",
    "read_new_rows": "trainroute.panel.new_rows",
    "read_prepare_manifest": "trainroute.panel.manifest",
    "recompute_features": "trainroute.panel.prepare.recipe",
    "require_features": "trainroute.panel.new_rows",
    "walk_forward": "trainroute.panel.splits",
}

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

__getattr__ = imported_when_asked(__name__, _HOMES)
