"""The programs that judge rules. A missing one fails where CI is set, and skips loudly elsewhere."""

import os
from collections.abc import Callable

import pytest

from tests.services import ServiceMissing
from tests.services import prometheus as programs


def demanded(provide: Callable[[], str]) -> str:
    """What `provide` finds; without it the test fails in CI, and is skipped loudly at a desk."""
    try:
        return provide()
    except ServiceMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(f"a service is missing: {missing}", pytrace=False)
        pytest.skip(f"NOT PROVED HERE, a service is missing: {missing}")


@pytest.fixture(scope="session")
def promtool() -> str:
    """The real one's path."""
    return demanded(programs.promtool)


@pytest.fixture(scope="session")
def watchers() -> None:
    """Prometheus and Alertmanager are there."""
    demanded(lambda: programs.find("prometheus"))
    demanded(lambda: programs.find("prometheus-alertmanager", "alertmanager"))
