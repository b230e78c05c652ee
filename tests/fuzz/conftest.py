"""Fuzzing is part of the long counts, each target bounded by time."""

from collections.abc import Callable

import pytest
from hypothesis import strategies as st

from tests.fuzz import fuzzer
from tests.fuzz.fuzzer import Input

Fuzz = Callable[[st.SearchStrategy[Input], Callable[[Input], None]], None]


@pytest.fixture
def fuzz(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Fuzz:  # type: ignore[type-arg]
    """`fuzz(strategy, check)`; how many inputs it was, and the seed, go into the run's closing lines."""

    def run(strategy: st.SearchStrategy[Input], check: Callable[[Input], None]) -> None:
        record_property("told", f"fuzz {request.node.name}: {fuzzer.fuzz(strategy, check)}")

    return run
