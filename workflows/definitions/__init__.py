"""The workflows of the kinds of case: their names, and what starts them. What they do is in ``workflows.kinds``.

Each has a file of its own: the sandbox of a case loads its class anew, and no other.
"""
