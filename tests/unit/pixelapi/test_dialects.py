"""Which words a request uses, and how the right dialect and poll path are found without asking twice."""

import pytest

from stream.core.errors import Misconfigured, Resource, Transient, Unavailable
from stream.operations import OPERATIONS
from stream.pixelapi.dialects import Dialect, DialectMemory, Form, PollPaths, as_form_text, form_of
from stream.pixelapi.port import Order

URL = "https://cdn.example/a.png"


@pytest.mark.parametrize(
    ("order", "image", "edit"),
    [
        (Order("remove-bg", URL), Form("image/remove-background", {}), Form("edit", {"operation": "remove-bg"})),
        (
            Order("upscale", URL, {"scale": 4}),
            Form("image/upscale", {"scale": 4}),
            Form("edit", {"operation": "upscale", "scale": 4}),
        ),
        (
            Order("replace-bg", URL, {"prompt": "a desk"}),
            Form("image/replace-background", {"prompt": "a desk"}),
            Form("edit", {"operation": "replace-bg", "prompt": "a desk"}),
        ),
        (
            Order("add-shadow", URL, {"shadow_type": "soft", "shadow_opacity": 0.5, "shadow_blur": None}),
            Form("image/add-shadow", {"shadow_type": "soft", "shadow_opacity": 0.5}),
            Form("edit", {"operation": "add-shadow", "shadow_type": "soft", "shadow_opacity": 0.5}),
        ),
    ],
)
def test_each_operation_has_its_words_in_both_dialects(order: Order, image: Form, edit: Form) -> None:
    assert form_of(Dialect.IMAGE, order) == image
    assert form_of(Dialect.EDIT, order) == edit


def test_the_prompts_name_is_a_setting() -> None:
    form = form_of(Dialect.IMAGE, Order("replace-bg", URL, {"prompt": "p"}), "scene_prompt")
    assert form.fields == {"scene_prompt": "p"}


@pytest.mark.parametrize("name", ["skip_if_longest_side", "prompt", "operation", "image_url", "webhook"])
def test_a_parameter_outside_the_list_is_a_bug_and_never_sent(name: str) -> None:
    for dialect in Dialect:
        with pytest.raises(ValueError, match=name):
            form_of(dialect, Order("upscale", URL, {"scale": 2, name: 1}))


def test_a_parameter_left_open_is_not_sent() -> None:
    assert form_of(Dialect.IMAGE, Order("upscale", URL, {"skip_if_longest_side": None})).fields == {}


def test_every_operation_the_pipeline_can_buy_is_known() -> None:
    for operation in (card.name for card in OPERATIONS.values() if not card.local):
        assert form_of(Dialect.IMAGE, Order(operation, URL)).path.startswith("image/")


def test_an_unknown_operation_is_a_bug() -> None:
    with pytest.raises(ValueError, match="thumbnails"):
        form_of(Dialect.IMAGE, Order("thumbnails", URL))


def test_form_fields_are_text() -> None:
    assert [as_form_text(value) for value in (True, False, 4, 0.5, "a")] == ["true", "false", "4", "0.5", "a"]


def test_auto_tries_the_documented_dialect_and_then_the_articles() -> None:
    memory = DialectMemory("auto")
    assert memory.choose() is Dialect.IMAGE
    error = memory.missing(Dialect.IMAGE, "404")
    assert isinstance(error, Transient)
    assert error.free
    assert memory.choose() is Dialect.EDIT
    memory.understood(Dialect.EDIT)
    assert memory.settled is memory.choose() is Dialect.EDIT


def test_auto_pauses_when_neither_is_understood_and_begins_anew() -> None:
    memory = DialectMemory("auto")
    memory.missing(Dialect.IMAGE, "404")
    error = memory.missing(Dialect.EDIT, "404")
    assert isinstance(error, Unavailable)
    assert error.resource is Resource.API_CONTRACT
    assert memory.choose() is Dialect.IMAGE


def test_many_submits_that_miss_at_once_do_not_condemn_the_dialect_not_tried() -> None:
    memory = DialectMemory("auto")
    assert all(isinstance(memory.missing(Dialect.IMAGE, "404"), Transient) for _ in range(5))
    assert memory.choose() is Dialect.EDIT


def test_a_late_miss_in_the_wrong_dialect_simply_goes_again() -> None:
    memory = DialectMemory("auto")
    memory.missing(Dialect.IMAGE, "404")
    memory.understood(Dialect.EDIT)
    error = memory.missing(Dialect.IMAGE, "404")
    assert isinstance(error, Transient)
    assert error.free


@pytest.mark.parametrize("choice", ["image", "edit"])
def test_a_settled_dialect_that_misses_is_a_broken_contract(choice: str) -> None:
    memory = DialectMemory(choice)  # type: ignore[arg-type]
    assert memory.choose().value == choice
    assert isinstance(memory.missing(memory.choose(), "404"), Unavailable)
    assert memory.choose().value == choice


def test_an_unknown_dialect_is_a_persons_mistake() -> None:
    with pytest.raises(Misconfigured, match="expected auto, image or edit"):
        DialectMemory("klingon")  # type: ignore[arg-type]


def test_poll_paths_move_on_after_a_miss_until_one_is_proven() -> None:
    paths = PollPaths()
    seen = []
    for _ in range(4):
        number, path = paths.path("upscale", "g:1")
        seen.append(path)
        paths.missed("upscale", number)
    assert seen == ["image/g%3A1", "image/upscale/g%3A1", "generation/g%3A1", "image/g%3A1"]
    number, path = paths.path("upscale", "g")
    paths.found("upscale", number)
    paths.missed("upscale", number)
    assert paths.path("upscale", "g") == (number, path)
    assert paths.path("remove-bg", "g")[0] == number


def test_polls_that_miss_together_move_on_once() -> None:
    paths = PollPaths()
    for _ in range(5):
        paths.missed("remove-bg", 0)
    assert paths.path("remove-bg", "g")[1] == "image/remove-background/g"


@pytest.mark.parametrize("job_id", ["", "..", ".", "a/b", "a?b", "a b", "ä", "a\n", "x" * 257, "%2e%2e"])
def test_an_id_unfit_for_a_path_is_not_asked_after(job_id: str) -> None:
    with pytest.raises(ValueError, match="unfit for a path"):
        PollPaths().path("upscale", job_id)
