"""One suite per door, run on each of its implementations."""
