"""Putting letters back: what it would cost, and each one exactly once."""
