"""The contract for services in other languages: schemas of all messages, names of all workflows and commands.

``python -m starter.contract`` writes what is derived from the code into ``docs/contract``; ``docs/contract/README.md``
says how to use it.
"""
