"""The quota's door: no grant, no call. Rate, running jobs and priorities are decided in one place, at once."""
