"""Rank, select, route, plan: see the modules."""
