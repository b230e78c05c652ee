"""Tracing: what one event went through, told to whoever collects traces. Off, it is a look at two headers."""
