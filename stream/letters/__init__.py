"""Letters, read: whoever wrote them, one shape for the tools (`dlq`, `explain`, the console)."""
