"""The pixels are real: cut-outs have alpha where they should, sizes are right, scenes hold the product."""

import pytest
import pyvips

from stream.simulator.faults import Operation
from stream.simulator.pictures import BadPictureError, inspect, render
from stream.simulator.scenes import set_for
from tests.simulator import drawn


def cut(image: pyvips.Image) -> pyvips.Image:
    content = image.write_to_buffer(".png")
    return drawn.opened(render(Operation.REMOVE_BACKGROUND, content, {}, "jpeg").content)


def share_kept(image: pyvips.Image) -> float:
    return float((image.extract_band(3) > 127).avg()) / 255


@pytest.mark.parametrize("ground", [(244, 243, 240), (255, 255, 255), (40, 44, 60), (150, 190, 160)])
def test_the_product_stays_the_ground_goes_and_the_hole_opens(ground: tuple[int, int, int]) -> None:
    made = cut(drawn.photo(200, ground))
    assert (made.width, made.height, made.bands) == (200, 200, 4)
    assert made(100, 150)[3] == 255, "the ring"
    assert made(100, 34)[3] == 255, "the ball"
    assert made(100, 100)[3] == 0, "the hole"
    assert [made(*corner)[3] for corner in ((0, 0), (199, 0), (0, 199), (199, 199))] == [0, 0, 0, 0]
    assert 0.22 < share_kept(made) < 0.32
    assert made(100, 150)[:3] == pytest.approx([180, 40, 36], abs=12)


def test_edges_are_soft() -> None:
    values = cut(drawn.photo(200)).extract_band(3).hist_find()
    assert sum(values(value, 0)[0] > 0 for value in range(20, 236)) > 15


def test_a_wall_and_a_floor_are_both_ground() -> None:
    photo = drawn.photo(240)
    floor = (pyvips.Image.xyz(240, 240).extract_band(1) > 150).gaussblur(4) / 255
    made = cut((photo * (1 - floor * 0.2)).cast("uchar").copy(interpretation="srgb"))
    assert made(10, 230)[3] == 0
    assert made(10, 10)[3] == 0
    assert made(120, 180)[3] == 255


def test_an_empty_photo_gives_an_empty_cut_out_not_an_error() -> None:
    flat = pyvips.Image.black(64, 64, bands=3).linear([1, 1, 1], [200, 200, 200]).cast("uchar")
    assert share_kept(cut(flat.copy(interpretation="srgb"))) < 0.05


def test_what_is_already_cut_out_is_left_alone() -> None:
    once = cut(drawn.photo(96))
    twice = cut(once)
    assert (once - twice).abs().max() == 0


@pytest.mark.parametrize("scale", [2, 4])
def test_upscaling_keeps_alpha_and_multiplies_the_size(scale: int) -> None:
    once = cut(drawn.photo(96))
    grown = render(Operation.UPSCALE, once.write_to_buffer(".png"), {"scale": scale}, "jpeg")
    made = drawn.opened(grown.content)
    assert (made.width, made.height, made.bands, grown.suffix) == (96 * scale, 96 * scale, 4, "png")
    assert share_kept(made) == pytest.approx(share_kept(once), abs=0.02)
    assert made(48 * scale, 72 * scale)[:3] == pytest.approx([180, 40, 36], abs=16)


@pytest.mark.parametrize(("form", "suffix"), [("jpeg", "jpg"), ("png", "png")])
def test_a_scene_is_opaque_and_holds_the_product(form: str, suffix: str) -> None:
    scene = render(Operation.REPLACE_BACKGROUND, drawn.jpeg(200), {"prompt": "on a wooden table"}, form)
    made = drawn.opened(scene.content)
    assert (made.width, made.bands, scene.suffix) == (200, 3, suffix)
    assert made(100, 150) == pytest.approx([180, 40, 36], abs=16)
    assert made(8, 8) != pytest.approx([244, 243, 240], abs=4)


def test_the_prompt_decides_the_scene() -> None:
    assert set_for("On a wooden table").grain == "wood"
    assert set_for("white marble kitchen") == set_for("white")
    assert set_for("xyzzy") == set_for("xyzzy") != set_for("plugh")
    one, other = (
        render(Operation.REPLACE_BACKGROUND, drawn.jpeg(64), {"prompt": prompt}, "png").content
        for prompt in ("beach", "dark studio")
    )
    assert one != other


def test_a_shadow_falls_where_nothing_was() -> None:
    once = cut(drawn.photo(200))
    shadowed = render(Operation.ADD_SHADOW, once.write_to_buffer(".png"), {"shadow_offset_y": "6"}, "png")
    made = drawn.opened(shadowed.content)
    assert share_kept(made) == pytest.approx(share_kept(once), abs=0.05)
    assert 10 < made(100, 172)[3] < 200


@pytest.mark.parametrize("nonsense", ["NaN", "inf", "x", "-1e9", None])
def test_nonsense_shadow_parameters_do_no_harm(nonsense: object) -> None:
    params = dict.fromkeys(("shadow_opacity", "shadow_blur", "shadow_offset_x"), nonsense)
    assert drawn.opened(render(Operation.ADD_SHADOW, drawn.jpeg(64), params, "png").content).width == 64


def test_grey_webp_and_sixteen_bit_pictures_are_taken() -> None:
    photo = drawn.photo(64)
    for content in (
        photo.colourspace("b-w").write_to_buffer(".jpg"),
        photo.write_to_buffer(".webp"),
        photo.colourspace("rgb16").write_to_buffer(".png"),
    ):
        assert drawn.opened(render(Operation.REMOVE_BACKGROUND, content, {}, "jpeg").content).bands == 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"GIF89a", "could not be decoded"),
        (b"\xff\xd8\xffnonsense", "could not be decoded"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20 * 1024 * 1024), "larger than"),
        (drawn.photo(96).resize(0.15).write_to_buffer(".png"), "too small"),
    ],
)
def test_what_is_no_usable_picture_is_refused_by_its_header(content: bytes, words: str) -> None:
    with pytest.raises(BadPictureError, match=words):
        inspect(content, Operation.REMOVE_BACKGROUND, {})


def test_an_upscale_that_would_burst_is_refused() -> None:
    wide = pyvips.Image.black(3000, 20).write_to_buffer(".png")
    inspect(wide, Operation.UPSCALE, {"scale": 2})
    with pytest.raises(BadPictureError, match="too large"):
        inspect(wide, Operation.UPSCALE, {"scale": 4})


def test_a_picture_that_breaks_off_is_found_out_when_rendered() -> None:
    content = drawn.jpeg(200)
    with pytest.raises(BadPictureError, match="could not be decoded"):
        render(Operation.REMOVE_BACKGROUND, content[: len(content) // 2], {}, "jpeg")
