"""Which fault strikes: the order of the list, counts, and draws that do not depend on the order of arrival."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from stream.simulator import Behaviour, Fault, FaultKind, Operation, Step
from stream.simulator.faults import Mischief, Question


def ask(picture: str, operation: Operation = Operation.UPSCALE, host: str = "a") -> Question:
    return Question(Step.SUBMIT, operation, f"https://{host}.example/{picture}.png?signature={host}", None)


def test_the_same_pictures_meet_the_same_fate_in_any_order_and_from_any_host() -> None:
    faults = (Fault(kind=FaultKind.DROP, probability=0.4),)
    pictures = [f"sku-{number}" for number in range(60)]

    def fates(order: list[str], seed: int, host: str) -> dict[str, bool]:
        mischief = Mischief()
        return {picture: mischief.pick(faults, ask(picture, host=host), seed) is not None for picture in order}

    assert fates(pictures, 3, "a") == fates(pictures[::-1], 3, "b")
    assert fates(pictures, 3, "a") != fates(pictures, 4, "a")
    assert 10 < sum(fates(pictures, 3, "a").values()) < 40


def test_the_first_fitting_fault_of_the_list_strikes_and_times_run_out() -> None:
    first = Fault(kind=FaultKind.BUSY, operation=Operation.UPSCALE, times=2)
    second = Fault(kind=FaultKind.ERROR)
    mischief = Mischief()
    picked = [mischief.pick((first, second), ask("x"), 1) for _ in range(3)]
    assert picked == [first, first, second]
    assert mischief.pick((first, second), ask("x", Operation.ADD_SHADOW), 1) is second


def test_nth_and_every_count_what_fits_the_other_conditions() -> None:
    third = (Fault(kind=FaultKind.DROP, match={"url": "mug", "nth": 3}),)
    mischief = Mischief()
    struck = [mischief.pick(third, ask(name), 1) is not None for name in ("mug", "can", "mug", "can", "mug", "mug")]
    assert struck == [False, False, False, False, True, False]
    second = (Fault(kind=FaultKind.DROP, match={"every": 2}),)
    mischief = Mischief()
    assert [mischief.pick(second, ask("x"), 1) is not None for _ in range(4)] == [False, True, False, True]


def test_a_fault_matches_the_file_name_of_an_upload() -> None:
    fault = Fault(kind=FaultKind.FAILED, match={"picture": "BROKEN"})
    question = Question(Step.JOB, Operation.UPSCALE, None, "mug-BROKEN.png")
    assert Mischief().pick((fault,), question, 1) is fault
    assert Mischief().pick((fault,), Question(Step.JOB, Operation.UPSCALE, None, "mug.png"), 1) is None


def test_a_fault_that_could_never_strike_is_refused() -> None:
    with pytest.raises(ValidationError, match="strikes at job only"):
        Fault(kind=FaultKind.BLOCKED, at=Step.POLL)
    with pytest.raises(ValidationError, match="cannot strike at job"):
        Fault(kind=FaultKind.ERROR, at=Step.JOB)


def test_a_behaviour_survives_json_and_takes_partial_changes() -> None:
    before = Behaviour(faults=(Fault(kind=FaultKind.DROP, match={"nth": 2}),), balance_credits=Decimal(7))
    assert Behaviour.model_validate_json(before.model_dump_json()) == before
    after = before.changed({"rate": {"requests": 5}, "prices_credits": {"upscale": "2.5"}})
    assert after.rate.requests == 5
    assert after.rate.window_seconds == before.rate.window_seconds
    assert str(after.price_credits(Operation.UPSCALE)) == "2.5"
    assert after.price_credits(Operation.REMOVE_BACKGROUND) == 10
    assert after.faults == before.faults
    with pytest.raises(ValidationError):
        before.changed({"no_such_setting": 1})
