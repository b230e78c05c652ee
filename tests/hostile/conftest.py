"""The plant of the composed tests, and the street corner where strangers stand."""

from collections.abc import Iterator

import pytest

from tests.composed.conftest import plants, pytest_runtest_makereport
from tests.hostile.corner import Corner

__all__ = ["corner", "plants", "pytest_runtest_makereport"]


@pytest.fixture
def corner() -> Iterator[Corner]:
    """A web server that misbehaves by path."""
    opened = Corner()
    yield opened
    opened.close()
