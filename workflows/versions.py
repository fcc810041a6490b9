"""Whether a workflow stays with the version of the workers that it began on: by how long it lasts.

It matters only where workers have versions (docs/running.md). Each workflow says at its definition which it is; a
versioned worker refuses one that says nothing.
"""

from typing import Final

from temporalio.common import VersioningBehavior

LASTS_WEEKS: Final = VersioningBehavior.PINNED
"""A case. It ends on the code that it began on, so that no rule changes under it and no change of the code needs a
patch; a dispute begins on the version of the case that it is about. The price: workers of that version stay until its
last case has ended, some weeks."""

LASTS_MONTHS: Final = VersioningBehavior.AUTO_UPGRADE
"""What would keep old workers for months. It moves to the current version with its next task, so a change of its
commands needs a patch; recorded histories stand guard."""

LASTS_MINUTES: Final = VersioningBehavior.PINNED
"""An errand. It is over before an old version's workers are gone, and the next one begins on the current version."""
