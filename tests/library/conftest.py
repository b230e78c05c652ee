"""The files of docs/library.md in a folder of their own, as a reader would lay them down."""

import re
from pathlib import Path

import pytest

from tests.deploy.rendered import ROOT

PAGE = ROOT / "docs/library.md"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The page's files."""
    for name, text in re.findall(r"<!-- file: (\S+) -->\n```[a-z]+\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "shop" / "__init__.py").write_text('"""A shop."""\n')
    return tmp_path
