"""The steps that lead from an empty database to the schema that this code knows.

A step is a module in ``versions`` named ``NNNN_subject.py``, with ``revision``, ``down_revision``,
``upgrade()`` and ``downgrade()``. It is plain SQL, run by `run_script` (the driver refuses several statements
in ``op.execute``), and never changes once it is released.
"""

from activities.postgres.migrations.sql_script import run_script

__all__ = ["run_script"]
