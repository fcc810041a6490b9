"""Trying a version of a profile, or a pause, on what has happened: cases of the book are told again in memory (G7)."""
