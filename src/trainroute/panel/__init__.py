"""Load a panel, check it, split it in time; build one from bars."""
