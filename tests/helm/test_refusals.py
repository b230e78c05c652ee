"""L3 in the chart, and values that must not be taken: each is refused with the value's name and a way out."""

import json
import math
from fractions import Fraction
from pathlib import Path

import pytest

from tests.helm.cluster import cluster_with
from tests.helm.rendered import CHART, FULL, MINIMAL, SETS, STAGES, Chart, environment, of_kind, options, worker

SCALED = ["autoscaling.enabled=true", "autoscaling.prometheusUrl=http://prometheus:9090"]
PIPELINE = "stages: [{name: a, operation: remove-bg, needs: raw, makes: cut}]"


def as_value(name: str, value: object) -> str:
    return f"{name}={json.dumps(value)}"


def stage(name: str, replicas: int, percent: int, most: int = 0) -> dict[str, object]:
    return {"name": name, "replicas": replicas, "maxReplicas": most, "quotaPercent": percent}


@pytest.mark.parametrize("values", SETS, ids=lambda path: path.stem)
def test_all_workers_together_keep_the_contract_at_their_most(chart: Chart, values: Path) -> None:
    total = Fraction(0)
    most = {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]["maxReplicaCount"]
        for one in of_kind(chart.objects(values), "ScaledObject")
    }
    for one in of_kind(chart.objects(values), "Deployment"):
        (container,) = one["spec"]["template"]["spec"]["containers"]
        if container["name"] == "worker":
            share = Fraction(environment(container)["SKUSTREAM_QUOTA_SHARE"])
            total += share * (most.get(one["metadata"]["name"]) or one["spec"]["replicas"])
            assert one["spec"]["strategy"] in (
                {"type": "Recreate"}, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            )  # fmt: skip
            assert one["spec"]["minReadySeconds"] >= 60 + 5  # the window, and how long a request may be under way
    assert 0 < total <= 1


@pytest.mark.parametrize(
    ("sets", "share"),
    [
        ([], Fraction(1)),
        (["replicas=3"], Fraction(1, 3)),
        (["replicas=2", "maxReplicas=5"], Fraction(1, 5)),
        (["replicas=3", "quota.percent=60"], Fraction(1, 5)),
        (["replicas=0"], Fraction(1)),
        (["replicas=7", "maxReplicas=7"], Fraction(1, 7)),
    ],
)
def test_the_share_follows_the_workers(chart: Chart, sets: list[str], share: Fraction) -> None:
    assert Fraction(environment(worker(chart.objects(MINIMAL, *sets)))["SKUSTREAM_QUOTA_SHARE"]) == share


def test_each_stage_is_given_the_part_it_was_given(chart: Chart) -> None:
    objects = chart.objects(STAGES)
    shares = {
        name: Fraction(environment(worker(objects, f"shop-skustream-{name}"))["SKUSTREAM_QUOTA_SHARE"])
        for name in ("remove-bg", "upscale", "lifestyle", "thumbnails")
    }
    assert shares == {
        "remove-bg": Fraction(30, 400), "upscale": Fraction(30, 200), "lifestyle": Fraction(28, 300),
        "thumbnails": Fraction(2, 100),
    }  # fmt: skip
    assert all(math.floor(300 * share) >= 1 for share in shares.values())
    assert worker(objects, "shop-skustream-upscale")["args"] == ["run", "--stage=upscale"]


REFUSALS: list[tuple[list[str], str]] = [
    # L3
    (["replicas=3", "maxReplicas=2"], "all stages: 3 replicas, but the contract is cut for maxReplicas 2"),
    ([as_value("stages", [stage("upscale", 5, 10, 4)])], "upscale: 5 replicas, but the contract is cut for"),
    ([as_value("stages", [stage("upscale", 1, 60), stage("lifestyle", 1, 41)])], "up to 101, more than quota.percent"),
    (["quota.percent=50", as_value("stages", [stage("upscale", 1, 51)])], "add up to 51, more than quota.percent (50)"),
    (["replicas=61"], "all stages: 100 % of 60 requests for 61 workers is less than one request each"),
    ([as_value("stages", [stage("upscale", 1, 1)])], "upscale: 1 % of 60 requests for 1 workers is less than one"),
    (["autoscaling.enabled=true"], "autoscaling.prometheusUrl is not set: http://prometheus.monitoring:9090"),
    ([*SCALED, "maxReplicas=1"], "the contract has room for one worker only: raise maxReplicas"),
    ([*SCALED, "autoscaling.requestsPerWorker=40"], "the contract has room for one worker only"),
    ([*SCALED, "maxReplicas=61"], "100 % of 60 requests for 61 workers is less than one request each"),
    (["autoscaling.prometheusUrl=prometheus:9090"], "autoscaling.prometheusUrl"),
    (["autoscaling.minReplicas=0"], "minReplicas"),
    ([as_value("prometheusRule.runbookUrl", "https://a.example/ b")], "prometheusRule.runbookUrl"),
    (["settings.quota_share=1/2"], "quota_share"),
    (["settings.quota_starts_closed=false"], "quota_starts_closed"),
    (["quota.percent=101"], "quota.percent"),
    (["updateStrategy=RollingUpdateFast"], "updateStrategy"),
    # Stages
    ([as_value("stages", [stage("upscaled", 1, 50)])], "has no stage upscaled; it has remove-bg, upscale,"),
    ([as_value("stages", [stage("upscale", 1, 50), stage("upscale", 1, 50)])], "upscale is named twice"),
    ([as_value("pipeline", PIPELINE), as_value("stages", [stage("upscale", 1, 50)])], "has no stage upscale; it has a"),
    (["stages=some"], "stages"),
    (["stages=[]"], "stages"),
    ([as_value("stages", [{"name": "upscale", "replicas": 1}])], "quotaPercent"),
    (['pipeline="- a"'], "pipeline: not a pipeline file"),
    (['pipeline="stages: {"'], "pipeline: not a pipeline file"),
    (['pipeline="stages: [a]"'], "each of its stages needs a name"),
    # What is missing
    (['image.repository=""'], "image.repository is not set: build the Dockerfile"),
    (['kafka.bootstrapServers=""'], "kafka.bootstrapServers is not set: host:port"),
    (['store.url=""'], "store.url is not set: s3://bucket/prefix"),
    (['pixelapi.existingSecret=""'], "pixelapi.existingSecret is not set: kubectl create secret"),
    (["console.enabled=true"], "name a Secret in console.token.existingSecret, or set console.proxy"),
    (["console.enabled=true", "console.proxy.header=X-User"], "header and addresses belong together"),
    (
        ["console.enabled=true", "console.token.existingSecret=a",
         as_value("pipeline", PIPELINE.replace("a,", "console,")), as_value("stages", [stage("console", 1, 50)])],
        "the stage console would have a Deployment of the same name",
    ),
    (["kafka.sasl.existingSecret=a"], "security.protocol PLAINTEXT: SASL_SSL was expected"),
    (["kafka.tls.existingSecret=a"], "security.protocol PLAINTEXT: SSL or SASL_SSL was expected"),
    (["kafka.tls.certificateKey=a"], "certificateKey and privateKeyKey belong together"),
    (["serviceAccount.create=false", as_value("serviceAccount.annotations", {"a": "b"})], "set serviceAccount.create"),
    # What is wrong
    (["store.url=file:///data"], "store.url"),
    (["drainSeconds=0"], "drainSeconds"),
    (["drainSeconds=forty"], "drainSeconds"),
    (["drainSeconds=30"], "drainSeconds is 30, and a submit may take 30 s"),
    (["settings.submit_timeout_seconds=45"], "drainSeconds is 45, and a submit may take 45 s"),
    (["terminationGracePeriodSeconds=10"], "terminationGracePeriodSeconds"),
    (["resources.memory=512M"], "resources.memory"),
    (["resources.limits.cpu=1"], "limits"),
    (["httpPort=0"], "httpPort"),
    (["settings.flood_letter=7"], "flood_letter"),
    (["settings.log_level=loud"], "log_level"),
    (["settings.pixelapi_key=pk_1"], "pixelapi_key"),
    (["settings.aws_secret_access_key=x"], "aws_secret_access_key"),
    (["image.digest=latest"], "image.digest"),
    ([as_value("kafka.options", {"sasl.password": "x"})], "kafka.options: sasl.password is a secret"),
    ([as_value("kafka.options", {"SSL.Key.Pem": "x"})], "kafka.options: SSL.Key.Pem is a secret"),
    ([as_value("kafka.options", {"group.id": "x"})], "kafka.options: group.id cannot be set: a law rests on it"),
    (["store.endpointUrl=https://me:secret@s3.example.com"], "store.endpointUrl"),
    (["pixelapi.base=https://me:secret@api.example.com/v1"], "pixelapi.base"),
    (["tracing.endpoint=http://me:secret@collector:4318"], "tracing.endpoint"),
    ([*SCALED, "autoscaling.prometheusUrl=http://me:secret@prometheus:9090"], "autoscaling.prometheusUrl"),
    (["podMonitor.interval=5m"], "podMonitor.interval"),
    (["podMonitor.interval=121s"], "podMonitor.interval"),
    (
        ["networkPolicy.enabled=true", "kafka.bootstrapServers=kafka-1:9092\\,kafka-2:9093"],
        "networkPolicy.kafkaPorts: Kafka's port 9093",
    ),
    ([as_value("podLabels", {"app.kubernetes.io/name": "x"})], "podLabels: app.kubernetes.io/name is the chart's own"),
    ([as_value("podAnnotations", {"skustream/quota-share": "1"})], "skustream/quota-share is the chart's own"),
]  # fmt: skip


@pytest.mark.parametrize(("sets", "words"), REFUSALS, ids=[" ".join(sets)[:60] for sets, _ in REFUSALS])
def test_bad_values_are_refused_in_words(chart: Chart, sets: list[str], words: str) -> None:
    said = chart.refusal(MINIMAL, *sets)
    # The schema names a value as a path with slashes.
    assert words in said or f"/{words.replace('.', '/')}" in said, said
    assert "nil pointer" not in said
    assert "pk_1" not in said


def test_a_release_whose_name_no_service_may_have_is_refused(chart: Chart) -> None:
    done = chart.helm.run(
        "template", "10", str(CHART), "--values", str(MINIMAL),
        *options(["console.enabled=true", "console.token.existingSecret=a"]),
    )  # fmt: skip
    assert "begins with a letter, and 10-skustream-console does not: set fullnameOverride" in done.stderr


def upgrade(
    chart: Chart,
    folder: Path,
    before: list[str],
    after: list[str],
    values: Path = MINIMAL,
    status: dict[str, int] | None = None,
) -> str:
    """What helm says of an upgrade from the values `before`; empty where it is taken."""
    running = [{**one, "status": status or {}} for one in of_kind(chart.objects(values, *before), "Deployment")]
    with cluster_with(running, folder) as kubeconfig:
        done = chart.helm.run(
            "template", "shop", str(CHART), "--values", str(values), "--dry-run=server",
            "--disable-openapi-validation", "--is-upgrade", *options(after),
            settings={"KUBECONFIG": str(kubeconfig)},
        )  # fmt: skip
    assert (done.returncode == 0) == (done.stderr == ""), done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([], ["settings.flood_letters=7"], ""),
        (["replicas=2"], ["replicas=2", "maxReplicas=3"], ""),
        (["replicas=2", "maxReplicas=3"], ["replicas=3"], ""),
        (["replicas=2", "maxReplicas=3"], ["replicas=1", "maxReplicas=3"], ""),
        (["replicas=2"], ["replicas=3"], "changes from 100/200 to 100/300 while old and new workers run side by side"),
        (["replicas=3"], ["replicas=2"], "changes from 100/300 to 100/200"),
        (["replicas=2"], ["replicas=3", "updateStrategy=Recreate"], ""),
        (["replicas=0"], ["replicas=3"], ""),
        ([], [as_value("pipeline", PIPELINE)], "stages change from remove-bg,upscale,lifestyle,thumbnails to a"),
        ([], [as_value("pipeline", PIPELINE), "updateStrategy=Recreate"], ""),
        ([as_value("pipeline", PIPELINE)], [as_value("pipeline", PIPELINE.replace("cut", "other"))], ""),
        (["replicas=2", "maxReplicas=3"], [*SCALED, "maxReplicas=3"], ""),
        (["replicas=2"], [*SCALED, "maxReplicas=3"], "to 100/300, and the autoscaler may add new workers beside old"),
        (["replicas=2"], [*SCALED, "maxReplicas=3", "updateStrategy=Recreate"], ""),
    ],
)  # fmt: skip
def test_an_upgrade_that_could_break_a_law_is_refused_where_the_cluster_can_be_asked(
    chart: Chart, tmp_path: Path, before: list[str], after: list[str], words: str
) -> None:
    said = upgrade(chart, tmp_path, before, after)
    assert words in said
    assert bool(words) == bool(said)
    assert not said or "set updateStrategy=Recreate for this upgrade" in said


@pytest.mark.parametrize("updated", [2, 1])
def test_workers_are_added_only_after_the_last_roll_out(chart: Chart, tmp_path: Path, updated: int) -> None:
    """Until then some of them may have the larger share of before."""
    sets = ["replicas=2", "maxReplicas=3"]
    status = {"replicas": 2, "updatedReplicas": updated}
    said = upgrade(chart, tmp_path, sets, ["replicas=3"], status=status)
    assert (said == "") == (updated == 2)
    assert updated == 2 or "wait for `kubectl rollout status deployment/shop-skustream`" in said


def test_a_stage_that_is_given_more_is_seen_too(chart: Chart, tmp_path: Path) -> None:
    more = [
        stage("remove-bg", 2, 20, 4), stage("upscale", 2, 40, 2), stage("lifestyle", 1, 28, 3),
        stage("thumbnails", 1, 2),
    ]  # fmt: skip
    said = upgrade(chart, tmp_path, [], [as_value("stages", more)], STAGES)
    assert "shop-skustream-upscale: each worker's share of the contract changes from 30/200 to 40/200" in said


def test_the_notes_say_what_comes_next(chart: Chart) -> None:
    done = chart.helm.run("install", "shop", str(CHART), "--values", str(FULL), "--dry-run=client")
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    assert "catalog: 2 x 50/300 = 20 requests each" in notes
    assert "service/catalog-console" in notes
    assert "WARNING" not in notes
    partly = json.dumps([stage("upscale", 1, 50), stage("lifestyle", 1, 50)])
    done = chart.helm.run(
        "install", "shop", str(CHART), "--values", str(MINIMAL), "--dry-run=client", "--set-json", f"stages={partly}"
    )
    assert "WARNING: stage remove-bg of the pipeline runs in no Deployment" in done.stdout
