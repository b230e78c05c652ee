"""A PixelAPI that really processes pictures and behaves badly on request. Imports nothing else of `stream`.

A request walks: server (porter: late, written down, judged) → desks (submit, poll, account) → orders (what is wanted,
the photo fetched) → workshop (waits, makes the picture) → downloads. Money and requests are written into the book;
behaviour and faults say how badly each step goes; control is the back door for tests.
"""

from stream.simulator.behaviour import Behaviour, Latency, RateLimit, realistic
from stream.simulator.faults import ErrorShape, Fault, FaultKind, Match, Operation, Step
from stream.simulator.serve import ServeOptions, serve
from stream.simulator.server import Simulator

__all__ = [
    "Behaviour",
    "ErrorShape",
    "Fault",
    "FaultKind",
    "Latency",
    "Match",
    "Operation",
    "RateLimit",
    "ServeOptions",
    "Simulator",
    "Step",
    "realistic",
    "serve",
]
