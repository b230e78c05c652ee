import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.objects import keys

HOSTILE = st.text(max_size=60) | st.text(alphabet="~/.\\%_- Aa0\x00é", max_size=300)
SEGMENT = re.compile(r"[A-Za-z0-9.~_-]+")
WORD = st.from_regex(r"[a-z0-9]{1,64}", fullmatch=True)


@given(HOSTILE, HOSTILE)
def test_different_ids_give_different_segments(one: str, other: str) -> None:
    assert (keys.quote(one) == keys.quote(other)) == (one == other)


@given(HOSTILE)
def test_a_segment_needs_no_percent_encoding_and_leads_nowhere_else(part: str) -> None:
    segment = keys.quote(part)
    assert SEGMENT.fullmatch(segment)
    assert segment[0] not in "._"
    assert len(segment) <= 120


@given(HOSTILE)
def test_what_is_not_shortened_reads_back(part: str) -> None:
    segment = keys.quote(part)
    if "~~" in segment:
        with pytest.raises(ValueError, match="too long"):
            keys.unquote(segment)
    else:
        assert keys.unquote(segment) == part


@pytest.mark.parametrize("segment", ["~2", "~zz", "~41", "a/b", "a%41", ".a", "_a", "~2e", "~7E~", "é", ""])
def test_a_segment_nobody_wrote_is_refused_or_empty(segment: str) -> None:
    with pytest.raises(ValueError, match=r"not a quoted id|codec"):
        keys.unquote(segment or "~~")


@given(HOSTILE, HOSTILE, HOSTILE, WORD, st.sampled_from(["jpg", "png", "webp"]))
def test_every_key_is_short_and_stays_in_its_own_folder(
    sku: str, image: str, asset: str, recipe: str, extension: str
) -> None:
    made = [
        keys.asset_key(sku, image, asset, recipe, extension),
        keys.manifest_key(sku, image),
        keys.newest_path(sku, image),
        keys.job_key_path(recipe.ljust(4, "0")),
    ]
    assert len(set(made)) == len(made)
    for key in made:
        assert len(key.encode()) < 900, "S3 takes 1,024, and a prefix comes before it"
        assert max(map(len, key.split("/"))) <= 255, "as file systems do"
        assert all(SEGMENT.fullmatch(part) and part[0] != "." for part in key.split("/"))
    assert [key.startswith("_ledger/") for key in made] == [False, False, True, True]


@given(st.tuples(HOSTILE, HOSTILE), st.tuples(HOSTILE, HOSTILE))
def test_units_of_order_never_share_a_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    for make in (keys.newest_path, keys.manifest_key):
        assert (make(*one) == make(*other)) == (one == other)


@given(st.tuples(HOSTILE, HOSTILE, HOSTILE, WORD), st.tuples(HOSTILE, HOSTILE, HOSTILE, WORD))
def test_assets_never_share_a_key(one: tuple[str, str, str, str], other: tuple[str, str, str, str]) -> None:
    assert (keys.asset_key(*one, "jpg") == keys.asset_key(*other, "jpg")) == (one == other)


def test_ordinary_names_stay_readable() -> None:
    assert keys.asset_key("SKU-4711", "main", "transparent", "3f9a", "png") == "SKU-4711/main/transparent-3f9a.png"
    assert keys.manifest_key("SKU 4711/rot", "main") == "SKU~204711~2Frot/main/manifest.json"
    assert keys.job_key_path("3f9ac0") == "_ledger/jobs/3f/3f9ac0.json"
    assert keys.quote("..") == "~2E."
    assert keys.quote("_ledger") == "~5Fledger"


@pytest.mark.parametrize(("recipe", "extension"), [("a/b", "png"), ("ab", "p/g"), ("", "png"), ("ab", "..")])
def test_a_hash_or_extension_that_is_no_word_is_refused(recipe: str, extension: str) -> None:
    with pytest.raises(ValueError, match="letters and digits"):
        keys.asset_key("sku", "main", "asset", recipe, extension)


@given(HOSTILE, HOSTILE, HOSTILE, st.from_regex(r"[0-9a-f]{64}", fullmatch=True), st.integers(0, 999_999))
def test_an_assets_key_tells_its_image_its_job_and_its_generation(
    sku: str, image: str, asset: str, job_key: str, generation: int
) -> None:
    key = keys.asset_key(sku, image, asset, keys.recipe_hash(job_key, generation), "webp")
    unit = f"{keys.quote(sku)}/{keys.quote(image)}"
    assert keys.read_asset_key(key) == keys.AssetName(unit, job_key[:20], generation)
    assert keys.job_key_path(job_key).startswith(keys.job_prefix(job_key[:20]))


@given(HOSTILE, HOSTILE, st.text(max_size=80))
def test_documents_and_foreign_keys_are_no_assets(sku: str, image: str, foreign: str) -> None:
    made = [keys.manifest_key(sku, image), keys.newest_path(sku, image), keys.version_path(sku, sku, image), foreign]
    assert [keys.read_asset_key(key) for key in made] == [None] * len(made)


def test_two_generations_of_a_job_never_share_a_key() -> None:
    assert keys.recipe_hash("3fcaa17bb55a6e29b8ac" + "0" * 44, 0) == "3fcaa17bb55a6e29b8ac"
    assert keys.recipe_hash("3fcaa17bb55a6e29b8ac" + "0" * 44, 2) == "3fcaa17bb55a6e29b8acx2"


@pytest.mark.parametrize("job_key", ["", "abc", "../..", "a/bcd", "x" * 129])
def test_a_job_key_that_is_none_is_refused(job_key: str) -> None:
    with pytest.raises(ValueError, match="job key"):
        keys.job_key_path(job_key)
