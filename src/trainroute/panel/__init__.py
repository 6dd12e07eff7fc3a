"""Load a panel, check it, split it in time; build one from bars."""

from trainroute.panel.load import load_panel
from trainroute.panel.panel import Panel, SymbolRows, Target
from trainroute.panel.sources import data_fingerprint
from trainroute.panel.splits import WalkForward

__all__ = ["Panel", "SymbolRows", "Target", "WalkForward", "data_fingerprint", "load_panel"]
