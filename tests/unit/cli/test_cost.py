"""The forecast as a person asks for it: the article's case exactly, routes of single events, unknown figures."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Skustream

HEADER = "sku_id,raw_url,version,stages\n"


def catalog(folder: Path, rows: int, *, stages: str = "") -> str:
    path = folder / "catalog.csv"
    lines = (f"SKU-{n},https://photos.example.com/{n}.jpg,1,{stages}\n" for n in range(rows))
    path.write_text(HEADER + "".join(lines))
    return str(path)


def reckoned(skustream: Skustream, *words: str) -> dict[str, Any]:
    told = skustream("cost", *words, "--json")
    assert told.exit_code == 0, told.output
    answer: dict[str, Any] = json.loads(told.stdout, parse_float=Decimal)
    return answer


def credits_of(answer: dict[str, Any]) -> list[Any]:
    return [line["credits"] for line in answer["operations"]]


def test_the_articles_case_is_the_articles_figures(skustream: Skustream, tmp_path: Path) -> None:
    """10,000 SKUs: 100,000 + 500,000 + 100,000 = 700,000 credits = 2.33 Scale plans."""
    answer = reckoned(skustream, catalog(tmp_path, 10_000), "--plan", "scale")
    assert answer["events"] == 10_000
    assert [(line["operation"], line["jobs"]) for line in answer["operations"]] == [
        ("remove-bg", 10_000), ("upscale", 10_000), ("replace-bg", 10_000),
    ]  # fmt: skip
    assert credits_of(answer) == [100_000, 500_000, 100_000]
    assert answer["credits"] == 700_000
    (scale,) = answer["plans"]
    assert (scale["purchases"], scale["whole_purchases"], scale["dollars"]) == (Decimal("2.33"), 3, 600)
    assert (answer["submits"], answer["polls"], answer["requests"]) == (30_000, 60_000, 90_000)
    assert scale["seconds"] == 90_000 / 200 * 60


@pytest.mark.parametrize(
    ("prices", "each", "total", "purchases"),
    [
        ("article", [100_000, 500_000, 100_000], 700_000, Decimal("2.33")),
        ("docs", [20_000, 200_000, 50_000], 270_000, Decimal("0.9")),
        ("may-2026", [100_000, 600_000, 750_000], 1_450_000, Decimal("4.83")),
    ],
)
def test_three_sources_three_bills(
    skustream: Skustream, monkeypatch: pytest.MonkeyPatch, prices: str, each: list[int], total: int, purchases: Decimal
) -> None:
    flagged = reckoned(skustream, "--skus", "10000", "--plan", "Scale", "--prices", prices)
    assert (credits_of(flagged), flagged["credits"], flagged["plans"][0]["purchases"]) == (each, total, purchases)
    monkeypatch.setenv("SKUSTREAM_PRICES", prices)
    assert reckoned(skustream, "--skus", "10000", "--plan", "scale") == flagged


def test_a_rate_nobody_tells_gives_no_time(skustream: Skustream) -> None:
    answer = reckoned(skustream, "--skus", "5", "--prices", "may-2026", "--plan", "scale")
    assert (answer["plans"][0]["requests_per_minute"], answer["plans"][0]["seconds"]) == (None, None)
    shown = skustream("cost", "--skus", "5", "--prices", "may-2026", "--plan", "scale").stdout
    assert "unknown" in shown
    assert "fair use" in shown


def test_a_run_that_outlasts_what_topics_keep_unread_is_told(skustream: Skustream) -> None:
    answer = reckoned(skustream, "--skus", "50000", "--prices", "article")
    assert {line["plan"] for line in answer["plans"] if line["outlasts_retention"]} == {"free"}
    shown = skustream("cost", "--skus", "50000", "--prices", "article").stdout
    assert "free takes longer than the 28 days" in shown
    assert "starter takes longer" not in shown


def test_every_event_pays_for_its_own_route(skustream: Skustream, tmp_path: Path) -> None:
    path = tmp_path / "catalog.jsonl"
    rows: list[dict[str, Any]] = [
        {"sku_id": "A", "raw_url": "https://p.example.com/a.jpg"},
        {"sku_id": "B", "raw_url": "https://p.example.com/b.jpg", "stages": ["remove-bg"]},
        {"sku_id": "C", "raw_url": "https://p.example.com/c.jpg", "stages": ["remove-bg", "upscale", "thumbnails"],
         "params": {"upscale": {"skip_if_longest_side": 2000}}},
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    answer = reckoned(skustream, str(path), "--polls-per-job", "1.5")
    assert [line["jobs"] for line in answer["operations"]] == [3, 2, 1]
    assert credits_of(answer) == [30, 100, 10]
    assert (answer["polls"], answer["at_most"]) == (9, ["upscale"])


def test_what_has_no_price_is_said_and_not_added(skustream: Skustream, tmp_path: Path) -> None:
    pipeline, prices = tmp_path / "pipeline.yaml", tmp_path / "prices.yaml"
    pipeline.write_text(
        "stages:\n- {name: cut, operation: remove-bg, needs: raw, makes: cutout}\n"
        "- {name: shade, operation: add-shadow, needs: cutout, makes: shaded}\n"
    )
    prices.write_text("credits: {remove-bg: 0.125}\n")
    words = ("--skus", "100", "--prices", str(prices), "--pipeline", str(pipeline))
    answer = reckoned(skustream, *words)
    assert (credits_of(answer), answer["credits"]) == ([Decimal("12.5"), None], Decimal("12.5"))
    assert (answer["unpriced"], answer["plans"]) == (["add-shadow"], [])
    assert "add-shadow has no price" in skustream("cost", *words).stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "one of the two"),
        (("x.csv", "--skus", "3"), "one of the two"),
        (("missing.csv",), "missing.csv cannot be read"),
        (("--skus", "3", "--plan", "scalle"), "did you mean scale?"),
        (("--skus", "3", "--prices", "doc"), "did you mean docs?"),
        (("--skus", "0"), "greater than or equal to 1"),
    ],
)
def test_wrong_usage_is_exit_2_with_a_way_out(skustream: Skustream, words: tuple[str, ...], complaint: str) -> None:
    told = skustream("cost", *words)
    assert told.exit_code == 2
    assert complaint in told.stderr


def test_wrong_rows_have_no_cost(skustream: Skustream, tmp_path: Path) -> None:
    told = skustream("cost", catalog(tmp_path, 30, stages="remove-gb"))
    assert told.exit_code == 2
    assert "did you mean" in told.stderr or "remove-bg (perhaps)" in told.stderr
    assert "and 10 more" in told.stderr
    assert told.stdout == ""


def test_the_table_names_every_figure(skustream: Skustream) -> None:
    shown = skustream("cost", "--skus", "10000", "--plan", "scale").stdout
    for figure in ("100,000", "500,000", "700,000", "2.33", "600", "90,000", "7 h 30 min"):
        assert figure in shown
