"""Catalogs: many events at once. A file is read and checked, sent as one batch, and its batch is followed to its end.

Comes in: a CSV or JSONL file, the broker's door, the object store. Goes out: checked rows, a noted batch, its standing.
"""
