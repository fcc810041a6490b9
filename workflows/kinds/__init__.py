"""The kinds of case as pure processes: what happens when (docs/rules.md). Nothing here knows Temporal or a database."""

from workflows.kinds import kind as _all_kinds  # whoever reads a stage by its name finds those of every kind

del _all_kinds
