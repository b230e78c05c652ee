"""What the PIM's tests stand on beside Kafka."""

import pytest

from tests.conftest import _demand
from tests.services.asyncapi_parser import AsyncApiParser, open_parser


@pytest.fixture(scope="session")
def asyncapi_parser() -> AsyncApiParser:
    """AsyncAPI's own parser."""
    return _demand(open_parser)
