"""Pixels only: inspect a file, make thumbnails. Knows no Kafka, no HTTP, no store."""
