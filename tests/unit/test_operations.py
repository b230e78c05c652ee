"""Cards: the house's operations and their classes agree, and a foreign class is taken or refused by name and reason."""

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stream.core.errors import Misconfigured
from stream.metrics.catalogue import Known
from stream.operations import OPERATIONS, Card, Params, card_of
from stream.pipeline import Pipeline, read_pipeline
from stream.pixelapi.dialects import ENDPOINTS
from stream.stages.handler import HOUSE, operation_of
from stream.stages.local import DrawnOperation
from stream.topics import Topics

GREY = """
from pathlib import Path

from stream.operations import Params
from stream.stages.local import DrawnOperation


class GreyParams(Params):
    contrast: float = 1.0


class Grey(DrawnOperation[GreyParams]):
    name = "grey"
    params = GreyParams

    def draw(self, source: Path, params: GreyParams) -> bytes:
        return source.read_bytes()
"""
STAGE = {"name": "grey", "needs": "raw", "makes": "grey-copy"}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable folder; modules in it are written as `<folder>/<name>.py`, named so that nobody else has them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", "") and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def module(folder: Path, text: str) -> str:
    name = f"shop_{secrets.token_hex(4)}"
    (folder / f"{name}.py").write_text(text)
    return name


def pipeline(operation: str, **fields: object) -> Pipeline:
    return read_pipeline(yaml.safe_dump({"stages": [{**STAGE, "operation": operation, **fields}]}), source="mine.yaml")


def test_each_operation_of_the_house_has_a_class_with_the_same_card() -> None:
    assert {name: (each.name, each.params, each.local) for name, each in HOUSE.items()} == {
        name: (card.name, card.params, card.local) for name, card in OPERATIONS.items()
    }
    assert set(ENDPOINTS) == {card.name for card in OPERATIONS.values() if not card.local}


def test_a_foreign_class_is_a_card_a_worker_and_a_label(shop: Path) -> None:
    operation = f"{module(shop, GREY)}:Grey"
    line = pipeline(operation, params={"contrast": 1.5})
    stage = line.stages[0]
    assert (stage.card.name, stage.local) == ("grey", True)
    assert isinstance(operation_of(stage), DrawnOperation)
    assert Known.of(line, Topics()).values["operation"] == ()


def test_a_foreign_bought_operation_is_a_label_from_the_start(shop: Path) -> None:
    text = GREY.replace("DrawnOperation", "BoughtOperation").replace("stages.local", "stages.bought")
    name = module(shop, text.replace("    params =", "    path = 'image/grey'\n    params ="))
    line = pipeline(f"{name}:Grey")
    assert line.stages[0].card.path == "image/grey"
    assert Known.of(line, Topics()).values["operation"] == ("grey",)


def test_its_parameters_are_linted_by_its_own_model(shop: Path) -> None:
    operation = f"{module(shop, GREY)}:Grey"
    with pytest.raises(Misconfigured, match=r"params\.contrst: unknown field.*; grey takes contrast"):
        pipeline(operation, params={"contrst": 1.5})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("class Grey(", "class Gray("), "has no Grey; did you mean Gray?"),
        (("    def draw", "    def paint"), "draw is not defined"),
        (('    name = "grey"\n', ""), "name is None, expected small letters, digits and hyphens"),
        (('name = "grey"', 'name = "Grey Copy"'), "name is 'Grey Copy', expected small letters"),
        (('name = "grey"', 'name = "upscale"'), "the name 'upscale' is taken by an operation of the house"),
        (("    params = GreyParams\n", ""), "params is None, expected a class derived from Params"),
        (("    params = GreyParams\n", "    params = dict\n"), "params is <class 'dict'>, expected a class derived"),
        (("    params = GreyParams\n", "    params = GreyParams\n    local = 1\n"), "local is 1, expected True"),
        (("    params = GreyParams\n", "    params = GreyParams\n    local = False\n"), "path is None, expected where"),
        (("from pathlib", "import no_such_package\nfrom pathlib"), "No module named 'no_such_package'"),
        (("from pathlib", "class :\nfrom pathlib"), "cannot be imported (SyntaxError"),
        (("from pathlib", "1 / 0\nfrom pathlib"), "cannot be imported (ZeroDivisionError: division by zero)"),
    ],
)
def test_what_is_wrong_with_a_foreign_class_is_said_in_one_sentence(
    shop: Path, change: tuple[str, str], complaint: str
) -> None:
    assert change[0] in GREY
    with pytest.raises(Misconfigured) as wrong:
        pipeline(f"{module(shop, GREY.replace(*change))}:Grey")
    assert str(wrong.value).startswith("mine.yaml: stage grey: operation 'shop_")
    assert complaint in str(wrong.value)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    ("operation", "complaint"),
    [
        ("json:dumps", "no class of an operation; derive it from DrawnOperation or BoughtOperation"),
        ("json:JSONEncoder", "no class of an operation"),
        ("no_such_shop:Grey", "PYTHONPATH"),
        ("shop.watermark:", "expected package.module:Class"),
        (":Grey", "expected package.module:Class"),
        ("../shop:Grey", "expected package.module:Class"),
    ],
)
def test_a_word_that_leads_nowhere_is_refused(operation: str, complaint: str) -> None:
    with pytest.raises(Misconfigured) as wrong:
        pipeline(operation)
    assert complaint in str(wrong.value)


def test_two_classes_of_one_name_would_share_their_jobs_and_are_refused(shop: Path) -> None:
    stages = [
        {**STAGE, "operation": f"{module(shop, GREY)}:Grey"},
        {**STAGE, "name": "b", "makes": "b", "operation": f"{module(shop, GREY)}:Grey"},
    ]
    with pytest.raises(Misconfigured, match="has the name of another operation here, 'grey'"):
        read_pipeline(yaml.safe_dump({"stages": stages}), source="mine.yaml")


def test_a_class_that_only_looks_like_an_operation_is_refused_before_work(shop: Path) -> None:
    text = "from stream.operations import Params\nclass Odd:\n    name = 'odd'; params = Params; local = True\n"
    line = pipeline(f"{module(shop, text + '    def make(self): ...')}:Odd")
    with pytest.raises(Misconfigured, match="Odd is not derived from"):
        operation_of(line.stages[0])


def test_an_operation_of_the_house_is_known_by_its_word() -> None:
    assert card_of("remove-bg") == Card("remove-bg", OPERATIONS["remove-bg"].params)
    assert issubclass(card_of("upscale").params, Params)
