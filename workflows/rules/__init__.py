"""Decisions as pure functions, and the rulebook's numbers as data. Nothing here knows of Temporal."""
