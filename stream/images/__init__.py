"""Pixels only: inspect a file, judge a cut-out, make thumbnails. Knows no Kafka, no HTTP, no store.

`harden` is called once at start, before the first foreign file is opened.
"""
