"""However many SKUs pass and however they fail, the number of series stays what it was before the first one."""

import secrets
from pathlib import Path

from tests.oncall.site import STAGE, Series, open_site
from tests.services.waiting import until

SKUS = 60
LANES = ("skustream_lag_records", (("stage", STAGE),))


def of_ours(series: Series) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Which series there are. A partition's lag is there once it was asked for: those are counted apart."""
    return {key for key in series if key[0].startswith("skustream_") and key[0] != LANES[0]}


def test_random_skus_make_no_series(tmp_path: Path) -> None:
    names = [f"{secrets.token_hex(6)}-{number}" for number in range(SKUS)]
    with open_site(tmp_path) as site:
        before = of_ours(site.series())
        good = site.photo("mug.jpg")
        site.provider.behave(balance_credits=0)  # nothing is sold yet, so that there is something to be seen waiting
        site.send(*(
            {"sku_id": name, "image_id": name, "batch_id": name, "version": name,
             "raw_url": (good, f"{site.provider.root}/photos/{name}", f"http://{name}.example/")[number % 3]}
            for number, name in enumerate(names)
        ))  # fmt: skip
        until(lambda: site.total("skustream_useful_replicas") > 0, timeout_seconds=150, what="work for a worker")
        until(lambda: site.total("skustream_balance_credits") == 0, timeout_seconds=150, what="the empty account")
        site.provider.behave(balance_credits=300_000)
        until(
            lambda: site.total("skustream_events_finished_total") >= SKUS, timeout_seconds=120, what=f"{SKUS} ends",
        )  # fmt: skip
        until(lambda: site.total("skustream_balance_credits") > 0, timeout_seconds=150, what="the balance")
        page, after = site.page(), site.series()
    assert of_ours(after) == before
    lanes = [dict(labels) for name, labels in after if name == LANES[0]]
    assert {each["topic"].startswith("product-images.") for each in lanes} <= {True}
    assert not [name for name in names if name in page]
    assert "_created" not in page
    lettered = sum(value for (name, _), value in after.items() if name == "skustream_dead_letters_total")
    assert lettered == SKUS * 2 / 3
    forwarded = ("skustream_events_finished_total", (("outcome", "forwarded"), ("priority", "live"), ("stage", STAGE)))
    assert after[forwarded] == SKUS / 3
