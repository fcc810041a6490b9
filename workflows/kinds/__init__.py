"""The kinds of case as pure processes: what happens when (docs/rules.md). Nothing here knows Temporal or a database."""
