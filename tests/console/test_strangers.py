"""Strangers at the console: who may come in, whose forms count, what is served, and that nothing written runs."""

import base64
import json
import re
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from stream.console.guard import FORM_TOKEN
from stream.core.errors import Misconfigured, Reason
from stream.records import Asset
from tests.console.shop import SECRET, Browser, Shop, browsing, form_token, seen

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
TOKEN = {"console_token": SECRET}


async def log_in(browser: Browser, token: str = SECRET.get_secret_value(), **headers: str) -> int:
    page = await browser.get("/login")
    fields = {FORM_TOKEN: form_token(page), "person": "Ada", "token": token}
    return (await browser.post("/login", fields, **headers))[0]


async def test_every_answer_has_the_strict_headers(shop: Shop) -> None:
    async with shop.open() as opened, browsing(opened) as browser:
        for path in ("/batches", "/nothing", "/static/console.css", "/picture?key=x", "/batch?id=none"):
            async with browser.session.get(f"{browser.root}{path}") as answer:
                told = answer.headers
                policy = told["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert "frame-ancestors 'none'" in policy
                assert told["X-Content-Type-Options"] == "nosniff"
                assert told["X-Frame-Options"] == "DENY"
                assert told["Referrer-Policy"] == "same-origin"
                assert "Python" not in told["Server"]
        page = await browser.get("/batches")
        assert re.findall(r"\sstyle=|\son[a-z]+=|<style|https?://", page) == []


async def test_another_name_for_this_address_is_refused(shop: Shop) -> None:
    """DNS rebinding: a page of somebody else whose name leads to loopback."""
    async with shop.open() as opened, browsing(opened) as browser:
        for host in ("evil.example", "evil.example:9474", "localhost.evil.example", "127.0.0.1.evil.example"):
            await browser.get("/batches", status=403, Host=host)
        for host in ("localhost", "localhost:1234", "127.0.0.1", "[::1]:80"):
            await browser.get("/batches", Host=host)
    async with shop.open(console_hosts=("catalog.example.com",)) as opened, browsing(opened) as browser:
        await browser.get("/batches", Host="catalog.example.com")
        await browser.get("/batches", status=403, Host="other.example.com")


async def test_a_form_of_another_page_is_refused(shop: Shop) -> None:
    async with shop.open(**TOKEN) as opened, browsing(opened) as browser:
        for origin in ("https://evil.example", "null", "", "http://127.0.0.1", "http://127.0.0.1:1/", "file://"):
            assert await log_in(browser, Origin=origin) == 403
            await browser.get("/batches", status=303)


async def test_a_form_without_this_sessions_token_is_refused(shop: Shop) -> None:
    async with shop.open(**TOKEN) as opened, browsing(opened) as browser, browsing(opened) as other:
        assert (await browser.post("/login", {"person": "Ada", "token": SECRET.get_secret_value()}))[0] == 403
        foreign = form_token(await other.get("/login"))
        await browser.get("/login")
        for told in ("", "0" * 64, foreign):
            fields = {FORM_TOKEN: told, "person": "Ada", "token": SECRET.get_secret_value()}
            assert (await browser.post("/login", fields))[0] == 403
        assert await log_in(browser) == 303
        await browser.get("/batches")
        page = await browser.get("/batches")
        assert (await browser.post("/logout", {FORM_TOKEN: form_token(page)}))[0] == 303
        await browser.get("/batches", status=303)


async def test_without_the_token_nothing_is_told(shop: Shop) -> None:
    shop.sent("SECRET-SKU", batch_id="spring")
    async with shop.open(**TOKEN) as opened, browsing(opened) as browser:
        await seen(lambda: "spring" in opened.site.index.batches, "the batch")
        for path in ("/batches", "/batch?id=spring", "/gallery", "/image?sku=SECRET-SKU", "/nothing"):
            assert "SECRET-SKU" not in await browser.get(path, status=303)
        await browser.get("/picture?key=a", status=401, Accept="image/*")


async def test_a_cookie_is_ours_or_worth_nothing(shop: Shop) -> None:
    async with shop.open(**TOKEN) as opened, browsing(opened) as browser:
        await browser.get("/login")
        (cookie,) = list(browser.session.cookie_jar)
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        body, _, signature = cookie.value.partition(".")
        nonce, expires, person = json.loads(base64.urlsafe_b64decode(body))
        assert person == ""
        as_ada = base64.urlsafe_b64encode(json.dumps([nonce, expires, "Ada"]).encode()).decode()
        for forged in ("x", f"{as_ada}.{signature}", f"{body}.", body, "." * 3000, cookie.value):
            browser.session.cookie_jar.clear()
            await browser.get("/batches", status=303, Cookie=f"{cookie.key}={forged}")


async def test_guessing_the_token_is_slowed_down(shop: Shop) -> None:
    async with shop.open(**TOKEN) as opened, browsing(opened) as browser:
        answers = [await log_in(browser, token="wrong" * 4) for _ in range(6)]
        assert answers == [403] * 5 + [429]
        assert await log_in(browser) == 429


async def test_the_login_leads_nowhere_else(shop: Shop) -> None:
    async with shop.open(**TOKEN) as opened, browsing(opened) as browser:
        for place in ("//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", "javascript:alert(1)"):
            page = await browser.get(f"/login?next={quote(place)}")
            fields = {FORM_TOKEN: form_token(page), "person": "Ada", "token": SECRET.get_secret_value()}
            status, location = await browser.post(f"/login?next={quote(place)}", fields)
            assert (status, location) == (303, "/batches")
            browser.session.cookie_jar.clear()


async def test_a_large_or_strange_body_is_refused(shop: Shop) -> None:
    async with shop.open() as opened, browsing(opened) as browser:
        await browser.get("/batches")
        assert (await browser.post("/logout", {"a": "x" * 20_000}))[0] == 413
        url, sent = f"{browser.root}/logout", {"Origin": browser.root}
        async with browser.session.post(url, json={"a": 1}, headers=sent) as answer:
            assert answer.status == 415
        form = aiohttp.FormData({"a": "b"}, default_to_multipart=True)
        async with browser.session.post(url, data=form, headers=sent) as answer:
            assert answer.status == 415


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.com", "::"])
async def test_an_address_that_others_reach_needs_a_way_to_tell_who_they_are(shop: Shop, host: str) -> None:
    with pytest.raises(Misconfigured, match="SKUSTREAM_CONSOLE_TOKEN"):
        async with shop.open(console_host=host):
            pass


def proxied(address: str) -> dict[str, Any]:
    return {
        "console_proxy_header": "X-Forwarded-User", "console_proxy_addresses": (address,),
        "console_hosts": ("catalog.example.com",),
    }  # fmt: skip


async def test_a_proxys_word_counts_from_its_address_only(shop: Shop) -> None:
    async with shop.open(**proxied("127.0.0.1")) as opened, browsing(opened) as browser:
        await browser.get("/batches", status=401)
        assert "You are Grace." in await browser.get("/batches", X_Forwarded_User="Grace")
        await browser.get("/batches", status=401, X_Forwarded_User=" ")
        await browser.get("/batches", Host="catalog.example.com", X_Forwarded_User="Grace")
        await browser.get("/batches", status=403, Host="evil.example", X_Forwarded_User="Grace")
    async with shop.open(**proxied("192.0.2.0/24")) as opened, browsing(opened) as browser:
        await browser.get("/batches", status=403, X_Forwarded_User="Grace")
    async with shop.open() as opened, browsing(opened) as browser:
        assert "You are Mallory" not in await browser.get("/batches", X_Forwarded_User="Mallory")


async def test_what_strangers_wrote_does_not_run(shop: Shop) -> None:
    sku, batch = f"SKU{HOSTILE}", f"spring{HOSTILE}"
    sent = shop.sent(sku, batch_id=batch)
    made = await shop.asset(sku, "transparent")
    shop.publish(
        shop.finished(sent, **{f"transparent{HOSTILE}": made}),
        shop.failed(shop.sent(sku, batch_id=batch), Reason.BUG, error=f"\u202e{HOSTILE}", transparent=made),
    )
    async with shop.open() as opened, browsing(opened) as browser:
        await seen(lambda: len(opened.site.index.newest) == 1 and batch in opened.site.index.batches, "it")
        for path in (
            "/batches", f"/batch?id={quote(batch)}", "/gallery", f"/image?sku={quote(sku)}",
            f"/batches?q={quote(HOSTILE)}",
            f"/batch?id={quote(batch)}&sku={quote(HOSTILE)}&status={quote(HOSTILE)}&page={quote(HOSTILE)}",
            f"/gallery?sku={quote(HOSTILE)}&batch={quote(HOSTILE)}",
        ):  # fmt: skip
            page = await browser.get(path)
            assert "<script>alert" not in page
            assert "<img src=x" not in page
            assert "\u202e" not in page
            assert "5ec4e7" not in page
        await browser.get(f"/{quote(HOSTILE)}", status=404)


TRICKS = [
    "../secret.txt", "A/main/../../secret.txt", "/etc/passwd", "_ledger/jobs/ab/abcd.json", "_batches/spring.json",
    "A/main/manifest.json", "A/main/transparent-00000000000000000000.png", "A/main/%2e%2e/secret.txt", "",
    "A/main/transparent-00000000000000000000.png\0", "https://evil.example/a.png", "A//main/x", "~/main/a-b.png",
]  # fmt: skip


async def test_only_pictures_that_records_name_are_served(shop: Shop) -> None:
    (shop.folder / "store").mkdir(parents=True)
    (shop.folder / "secret.txt").write_text("secret")
    (shop.folder / "store/A/main").mkdir(parents=True)
    (shop.folder / "store/A/main/manifest.json").write_text("{}")
    shop.publish(shop.finished(shop.sent("A"), **{f"asset-{key}": lying(key) for key in TRICKS}))
    async with shop.open() as opened, browsing(opened) as browser:
        await seen(lambda: len(opened.site.index.newest) == 1, "the image")
        for key in TRICKS:
            for path in ("picture", "preview"):
                assert "secret" not in await browser.get(f"/{path}?key={quote(key)}", status=404)


def lying(key: str) -> Asset:
    return Asset(key=key, url="javascript:alert(1)", content_type="text/html", width=1, height=1, bytes=1, sha256="0")


async def test_a_picture_is_served_as_a_picture_and_a_page_in_its_place_is_not(shop: Shop) -> None:
    made, page = await shop.asset("A", "transparent"), await shop.asset("A", "lifestyle")
    (shop.folder / "store" / page.key).write_text("<script>alert(1)</script>")
    other = await shop.asset("B", "transparent")
    shop.publish(shop.finished(shop.sent("A"), transparent=made, lifestyle=page, stolen=other))
    async with shop.open() as opened, browsing(opened) as browser:
        await seen(lambda: len(opened.site.index.newest) == 1, "the image")
        async with browser.session.get(f"{browser.root}/picture", params={"key": made.key}) as answer:
            assert answer.headers["Content-Type"] == "image/png"
            assert await answer.read() == (shop.folder / "store" / made.key).read_bytes()
        async with browser.session.get(f"{browser.root}/picture", params={"key": page.key}) as answer:
            assert (answer.headers["Content-Type"], answer.headers["X-Content-Type-Options"]) == (
                "image/png",
                "nosniff",
            )
        async with browser.session.get(f"{browser.root}/preview", params={"key": made.key}) as answer:
            assert answer.headers["Content-Type"] == "image/webp"
            assert (await answer.read())[8:12] == b"WEBP"
        await browser.get(f"/preview?key={quote(page.key)}", status=404)
        await browser.get(f"/picture?key={quote(other.key)}", status=404)  # another image's: the record lied
        assert "javascript:" not in await browser.get("/image?sku=A")
