"""The real helm, and the chart as it renders; missing tools skip at a desk and fail in CI."""

import pytest

from tests.conftest import _demand
from tests.helm.rendered import Chart
from tests.services.helm import find_helm


@pytest.fixture(scope="session")
def chart() -> Chart:
    return Chart(_demand(find_helm))
