"""L3, in contract: counted where requests arrive, jittered, in any window, over the whole fleet and its kills."""

import pytest

from tests.composed.auditor import AMBIGUOUS, audit
from tests.composed.conftest import Plants
from tests.composed.kills import Kills
from tests.composed.plant import drawn_lots

pytestmark = [pytest.mark.kafka, pytest.mark.s3]

REQUESTS, WINDOW_SECONDS = 40, 6.0
CONTRACT = {"requests": REQUESTS, "window_seconds": WINDOW_SECONDS}


def test_two_workers_of_half_a_contract_never_break_it_though_one_is_killed_and_comes_back(plants: Plants) -> None:
    """Traps 9 and 19: any window, not clock minutes; no refill that forgets to take; a new life starts closed."""
    plant = plants(behaviour={"rate": CONTRACT, "arrival_jitter_seconds": 0.4})
    share = {
        "SKUSTREAM_QUOTA_REQUESTS": str(REQUESTS), "SKUSTREAM_QUOTA_SHARE": "1/2",
        "SKUSTREAM_QUOTA_STARTS_CLOSED": "true",
    }  # fmt: skip
    plant.worker(**share)
    plant.worker(**share)
    plant.send_new(7)
    plant.wait_jobs(8)
    rng, seed = drawn_lots()
    Kills(seed, rng).at_random(plant).start()
    plant.wait_ended(7)
    report = audit(plant.target(), contract=(REQUESTS, WINDOW_SECONDS))
    assert report.problems == [], f"seed {seed}"
    assert set(report.ends) <= {"completed", AMBIGUOUS}
    # Used, not only kept: at least half of what the two shares allow was sent in some window.
    assert report.most_in_window >= REQUESTS // 4


def test_a_provider_that_counts_more_than_we_thought_is_obeyed(plants: Plants) -> None:
    """Trap 18: 429 with `Retry-After` slows everybody down, spends no attempt and writes no letter."""
    unforeseen = {"requests": 5, "window_seconds": 2.0, "remaining_header": False, "reset_header": "none"}
    plant = plants(behaviour={"rate": unforeseen})
    plant.worker(SKUSTREAM_RETRY_ATTEMPTS="2")
    plant.send_new(2)
    plant.wait_ended(2)
    report = audit(plant.target())
    assert report.problems == []
    assert report.ends == {"completed": 2}
    assert plant.provider.summary()["throttled"] > 0
