"""The benches still run. What they measure is never asserted."""
