"""The fuzzer: inputs drawn by Hypothesis, round after round, until the time is up.

Comes in: a strategy and a check that raises on what must not be. Goes out: how many inputs, and their seed.
"""

import os
import secrets
import time
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

Input = TypeVar("Input")

EXAMPLES_A_ROUND = 500
SECONDS_AN_INPUT = 20.0
"""CPU time that no single input may take, on any machine: honest ones take milliseconds."""


def seconds() -> float:
    """How long each target is fuzzed: `SKUSTREAM_FUZZ_SECONDS`, default 30."""
    return float(os.environ.get("SKUSTREAM_FUZZ_SECONDS", "30"))


def fuzz(strategy: st.SearchStrategy[Input], check: Callable[[Input], None]) -> str:
    """Check inputs until the time is up; what to tell. Repeat a run with its seed in `SKUSTREAM_FUZZ_SEED`.

    A failure is made small by Hypothesis and printed as code, and its seed stands in the note.
    """
    first = int(os.environ.get("SKUSTREAM_FUZZ_SEED") or secrets.randbelow(2**32))
    end = time.monotonic() + seconds()
    count = rounds = 0

    def checked(value: Input) -> None:
        nonlocal count
        count += 1
        started = time.process_time()
        check(value)
        taken = time.process_time() - started
        assert taken < SECONDS_AN_INPUT, f"{taken:.1f} CPU seconds for one input"

    while rounds == 0 or time.monotonic() < end:
        play = settings(
            max_examples=EXAMPLES_A_ROUND, database=None, deadline=None, print_blob=False,
            phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        try:
            seed(first + rounds)(play(given(strategy)(checked)))()
        except BaseException as error:
            error.add_note(f"SKUSTREAM_FUZZ_SEED={first + rounds}")
            raise
        rounds += 1
    return f"{count} inputs in {seconds():g} s, seed {first}"


@st.composite
def mutated(draw: st.DrawFn, samples: st.SearchStrategy[bytes], dictionary: tuple[bytes, ...] = ()) -> bytes:
    """A sample with a few bytes flipped, cut out, repeated, or replaced by a word of the `dictionary`."""
    content = bytearray(draw(samples))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.integers(0, 40))
        match draw(st.integers(0, 4)):
            case 0:
                content[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case 1:
                del content[at : at + length]
            case 2:
                content[at:at] = content[at : at + length] * draw(st.integers(1, 20))
            case 3:
                content[at : at + length] = draw(st.binary(max_size=40))
            case _ if dictionary:
                content[at : at + draw(st.sampled_from((0, length)))] = draw(st.sampled_from(dictionary))
    return bytes(content)
