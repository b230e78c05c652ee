"""The runtime: lanes and tickets, verdicts, deliveries, letters, stopping. It knows Kafka and no business."""
