"""Fuzzing by time: whatever comes in, only the documented errors come out. `make chaos` runs it."""
