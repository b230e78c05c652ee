"""docs/replay.md tells every cause, with its way out, and which of them a person may overrule."""

import re
from pathlib import Path

from stream.replays.held import DECIDED, FAILS_AGAIN, WAYS_OUT, Cause

PAGE = Path(__file__).parents[3] / "docs" / "replay.md"


def test_every_cause_is_told_with_a_way_out() -> None:
    told = re.findall(r"^\| (`.+?) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    causes = [cause for cell, _ in told for cause in re.findall(r"`([^`]+)`", cell)]
    assert sorted(causes) == sorted(Cause)
    starred = [cause for cell, _ in told if cell.endswith("*") for cause in re.findall(r"`([^`]+)`", cell)]
    assert sorted(starred) == sorted(FAILS_AGAIN)
    assert {cause for cause in Cause if cause not in DECIDED} == set(WAYS_OUT)
