"""Tests against the real Kafka and the real S3 server of `tests.services`."""
