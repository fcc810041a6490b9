"""The light client as a distribution of its own, ``aftersales-client``, with one import name: ``aftersales``.

Every team with Temporal has packages called ``workflows`` and ``activities``, and ours are called so too. So what the
light client needs of ours is copied under a name of its own, its imports rewritten; the code stays in one place.
"""

from starter.client_wheel.building import built_wheel
from starter.client_wheel.sources import files

__all__ = ["built_wheel", "files"]
