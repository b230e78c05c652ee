"""One room at a time: no network, no services."""
