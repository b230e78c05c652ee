"""The observer's door: domain verbs on one side, Prometheus on the other. Nobody else knows a metric's name."""
