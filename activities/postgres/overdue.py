"""Open cases that should have moved on: past their deadline, or for too long in a stage that lasts seconds.

A case that is being paid has no deadline: its workflow tries until the gateway or the books answer. Where the workflow
was stopped at that moment, nothing but this limit tells of it.
"""

from typing import Final

PAST_DEADLINE: Final = """
SELECT case_id, work_list, due_rank AS since FROM casebook.cases
WHERE closed_at IS NULL AND due_rank < now() - interval '5 minutes'
"""
"""Their deadline passed long enough ago: one that passed a moment ago is being acted on. ``since`` it is over."""

PAYING_TOO_LONG: Final = """
SELECT case_id, work_list, coalesce(stage_since, opened_at) + interval '1 hour' AS since FROM casebook.cases
WHERE closed_at IS NULL AND work_list = 'payments' AND due_rank > now() + interval '100 years'
AND stage = 'paying' AND coalesce(stage_since, opened_at) < now() - interval '1 hour'
"""
"""Being paid for more than an hour; ``since`` that hour is over. Cases without a deadline rank behind all others."""
