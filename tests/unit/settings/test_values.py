"""Single values, what must fit together, and what is worked out from them."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from stream.core.errors import Misconfigured
from stream.settings import Delivery, FileStore, S3Store, describe, load


def _from(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Any:
    for name, value in environment.items():
        monkeypatch.setenv(f"SKUSTREAM_{name}", value)
    return load()


def test_values_arrive_in_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _from(
        monkeypatch, QUOTA_SHARE="1/3", SPOOL_BYTES="3GiB", FETCH_ALLOW="Pim.local:8080, 10.1.2.3/8",
        DELIVERY="AT-LEAST-ONCE", STORE_OVERRULE_CONDITIONS="true", LOG_LEVEL="DEBUG", PIPELINE="a/b.yaml",
    )  # fmt: skip
    assert settings.quota_share == Fraction(1, 3)
    assert settings.share_requests == 20
    assert settings.spool_bytes == 3 * 1024**3
    assert settings.fetch_allow == ("pim.local:8080", "10.0.0.0/8")
    assert settings.delivery is Delivery.AT_LEAST_ONCE
    assert settings.store_overrule_conditions is True
    assert settings.log_level == "debug"
    assert settings.pipeline == Path("a/b.yaml")


@pytest.mark.parametrize(
    ("text", "store"),
    [
        ("s3://bucket", S3Store("bucket", "")),
        ("s3://bucket/a/b/", S3Store("bucket", "a/b")),
        ("file:///srv/assets", FileStore(Path("/srv/assets"))),
    ],
)
def test_store_addresses(text: str, store: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _from(monkeypatch, STORE=text).need_store() == store


@pytest.mark.parametrize("text", ["/srv", "file://srv/x", "file:///", "s3://", "s3://k:s@b", "s3://b?x=1", "gs://b"])
def test_other_stores_are_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        Misconfigured, match=r"SKUSTREAM_STORE: got .*; expected s3://bucket/prefix or file:///absolute"
    ):
        _from(monkeypatch, STORE=text)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("QUOTA_SHARE", "0", "greater than 0"),
        ("SOURCE_BUCKETS", "photos,Not_A_Bucket", "bucket names .*'Not_A_Bucket' is none"),
        ("SOURCE_BUCKETS", "s3://photos", "bucket names"),
        ("NOTIFICATION_PATTERN", "{image}.jpg", r"a template of a key such as \*\*/\{sku\}/\{image\}"),
        ("NOTIFICATION_PATTERN", r"(?P<sku>.+)\.jpg", "a template of a key"),
        ("QUOTA_SHARE", "4/3", "less than or equal to 1"),
        ("QUOTA_SHARE", "1/0", "a share such as 1/3"),
        ("QUOTA_SHARE", "third", "a share such as 1/3"),
        ("SPOOL_BYTES", "2 fish", "a size such as 64MiB"),
        ("MAX_PIXELS", "0", "greater than or equal to 1"),
        ("DRAIN_SECONDS", "nan", "finite|greater than 0|less than"),
        ("DRAIN_SECONDS", "inf", "finite|less than"),
        ("DIALECT", "new", "'auto', 'image' or 'edit'"),
        ("CDN_BASE_URL", "cdn.example", "an http:// or https:// URL"),
        ("CDN_BASE_URL", "https://u:p@cdn.example", "without query, fragment, user name"),
        ("CDN_BASE_URL", "https://cdn.example:port", "an http:// or https:// URL"),
        ("FETCH_ALLOW", "10.0.0.0/99", "a network such as 10.0.0.0/8, but '10.0.0.0/99'"),
        ("FETCH_ALLOW", "https://pim", "but 'https://pim' is none"),
        ("RESULT_HOSTS", "*", "host or"),
        ("TOPIC_PREFIX", "a b", "match pattern"),
    ],
)
def test_a_wrong_value_is_answered_with_name_value_and_expectation(
    name: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Misconfigured, match=f"^SKUSTREAM_{name}: got '.*'; expected .*({expected})"):
        _from(monkeypatch, **{name: value})


def test_credentials_in_a_url_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match=r"got 'https://\*\*\*@cdn.example'"):
        _from(monkeypatch, CDN_BASE_URL="https://user:hush@cdn.example")


def test_every_wrong_value_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured) as refused:
        _from(monkeypatch, HTTP_PORT="x", MAX_PIXELS="y", STORE="z")
    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize(
    "environment",
    [
        {"CLAIM_LEASE_SECONDS": "59"},
        {"RETRY_CAP_SECONDS": "0.5"},
        {"COMMIT_INTERVAL_SECONDS": "10"},
        {"SPOOL_BYTES": "1MiB"},
        {"QUOTA_REQUESTS": "5", "QUOTA_SHARE": "1/6"},
    ],
)
def test_what_does_not_fit_together_is_refused(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match=f"SKUSTREAM_{list(environment)[-1]}"):
        _from(monkeypatch, **environment)


def test_half_an_aws_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    with pytest.raises(Misconfigured, match="belong together"):
        load()


@pytest.mark.parametrize(
    ("base", "hosts"),
    [
        ("https://api.pixelapi.dev/v1", ("api.pixelapi.dev", "*.pixelapi.dev")),
        ("https://example.co.uk", ("example.co.uk", "*.example.co.uk")),
        ("http://127.0.0.1:8089/v1", ("127.0.0.1",)),
        ("http://simulator:8089", ("simulator",)),
    ],
)
def test_results_come_from_the_apis_own_hosts_by_default(
    base: str, hosts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXELAPI_BASE", base)
    assert load().allowed_result_hosts == hosts


def test_named_result_hosts_replace_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _from(monkeypatch, RESULT_HOSTS="*.cdn.example,files.example:8443")
    assert settings.allowed_result_hosts == ("*.cdn.example", "files.example:8443")


def test_every_setting_is_described_once() -> None:
    names = [row.name for row in describe(load())]
    assert len(names) == len(set(names))
    assert {"PIXELAPI_KEY", "KAFKA_BOOTSTRAP_SERVERS", "SKUSTREAM_QUOTA_SHARE", "AWS_ENDPOINT_URL_S3"} <= set(names)


def test_photos_and_assets_may_share_a_bucket_only_where_they_can_be_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = _from(monkeypatch, SOURCE_BUCKETS="photos, shop", STORE="s3://shop/assets")
    assert settings.source_buckets == ("photos", "shop")
    with pytest.raises(Misconfigured, match=r"SKUSTREAM_SOURCE_BUCKETS names the bucket of SKUSTREAM_STORE.*a prefix"):
        _from(monkeypatch, STORE="s3://shop")
