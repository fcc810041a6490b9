"""Notices: queued with the step that they tell of, put into words, sent after it, and sent again if need be."""
