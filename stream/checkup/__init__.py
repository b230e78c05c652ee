"""The check-up before the first event: settings, pipeline, Kafka, store, PixelAPI, each asked and told in findings."""
