"""Hostile input: what a stranger may send, and what becomes of it. README.md has the whole table."""
