"""Every test of pixels runs behind the hardened gate, as the worker does."""

import pytest

from stream.images.loading import harden


@pytest.fixture(autouse=True)
def hardened() -> None:
    harden()
