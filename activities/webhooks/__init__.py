"""Signed HTTP requests to whoever wants to be told: their signatures, where they may go, and events by them (X4)."""
