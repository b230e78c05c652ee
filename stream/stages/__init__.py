"""The stages: the only business code. A stage sees a record and a desk; never Kafka, offsets, retries or Prometheus."""
