"""The product beside a bare workflow, another engine and an earlier build, in turns on one machine (``make bench``)."""
