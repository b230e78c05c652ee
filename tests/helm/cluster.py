"""As much of Kubernetes' API as helm's `lookup` asks: a version, one kind, and the Deployments that are said to run.

It is no cluster and creates nothing; it lets the chart see what an upgrade would meet.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.services.waiting import free_ports

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments/"


KINDS = {
    "v1": {"configmaps": "ConfigMap", "serviceaccounts": "ServiceAccount"},
    "apps/v1": {"deployments": "Deployment"},
    "keda.sh/v1alpha1": {"scaledobjects": "ScaledObject"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
}
"""Group and version → plural → kind: what the smallest set of values renders."""


def _answers(deployments: Mapping[str, Any]) -> dict[str, Any]:
    versions = [{"groupVersion": name, "version": name.partition("/")[2]} for name in KINDS if "/" in name]
    groups = [
        {"name": one["groupVersion"].partition("/")[0], "versions": [one], "preferredVersion": one} for one in versions
    ]
    resources = {
        name: [{"name": plural, "namespaced": True, "kind": kind, "verbs": ["get"]} for plural, kind in kinds.items()]
        for name, kinds in KINDS.items()
    }
    return {
        "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
        **{
            f"/{'apis' if '/' in name else 'api'}/{name}": {
                "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": found,
            }
            for name, found in resources.items()
        },
        **{f"{DEPLOYMENTS}{name}": found for name, found in deployments.items()},
    }  # fmt: skip


@contextmanager
def cluster_with(deployments: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[Path]:
    """The path of a kubeconfig, as long as the context lasts."""
    answers = _answers({one["metadata"]["name"]: one for one in deployments})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0])
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            body = json.dumps(missing if found is None else found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", free_ports(1)[0]), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield _kubeconfig(folder, server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _kubeconfig(folder: Path, port: int) -> Path:
    found = folder / "kubeconfig"
    found.write_text(
        json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {}}],
        })
    )  # fmt: skip
    found.chmod(0o600)
    return found
