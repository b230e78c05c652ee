"""The street corner: a web server in a thread that leads astray, drips, lies and never ends. Each path is one trick."""

import gzip
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DRIPS = 40
DRIP_SECONDS = 0.1
GIGABYTES = 64


class Corner:
    """Listens on loopback. `asked`: paths and headers; `redirect` adds a path that leads away."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.targets: dict[str, str] = {}
        self.ending = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Stranger, self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        """Of one trick."""
        return f"http://127.0.0.1:{self.port}{path}"

    def redirect(self, name: str, target: str) -> str:
        """The URL of a new redirect to `target`."""
        self.targets[f"/to/{name}"] = target
        return self.url(f"/to/{name}")

    def close(self) -> None:
        """End, whoever still drips."""
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Stranger(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, corner: Corner, *args: object) -> None:
        self._corner = corner
        super().__init__(*args)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        self._corner.asked.append((self.path, dict(self.headers.items())))
        self.close_connection = True
        target = self._corner.targets.get(self.path)
        with suppress(OSError):
            if target is not None:
                self._head(302, Location=target, Content_Length="0")
            else:
                self._tricks().get(self.path, self._missing)()

    def _tricks(self) -> Mapping[str, Callable[[], None]]:
        return {
            "/html.jpg": self._html, "/gzip.jpg": self._gzip, "/long.jpg": self._long, "/endless.jpg": self._endless,
            "/drip.jpg": self._drip, "/nothing.jpg": lambda: self._head(200, Content_Length="0"),
        }  # fmt: skip

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Set-Cookie", "followed=everywhere; Path=/")
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _body(self, *pieces: bytes) -> None:
        if self.command != "HEAD":
            for piece in pieces:
                self.wfile.write(piece)

    def _missing(self) -> None:
        self._head(404, Content_Length="0")

    def _html(self) -> None:
        page = b"<!DOCTYPE html><html><body>Just a moment...</body></html>"
        self._head(200, Content_Type="image/jpeg", Content_Length=str(len(page)))
        self._body(page)

    def _gzip(self) -> None:
        bomb = gzip.compress(bytes(50_000_000))
        self._head(200, Content_Type="image/jpeg", Content_Encoding="gzip", Content_Length=str(len(bomb)))
        self._body(bomb)

    def _long(self) -> None:
        self._head(200, Content_Type="image/jpeg", Content_Length=str(GIGABYTES << 30))
        self._body(b"\xff\xd8\xff")
        self._corner.ending.wait(5)

    def _endless(self) -> None:
        self._head(200, Content_Type="image/jpeg", Transfer_Encoding="chunked")
        chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
        while self.command != "HEAD" and not self._corner.ending.is_set():
            self.wfile.write(chunk)

    def _drip(self) -> None:
        """Every byte comes in time, for seconds; together they are no picture."""
        self._head(200, Content_Type="image/jpeg", Content_Length=str(DRIPS))
        for _ in range(DRIPS if self.command != "HEAD" else 0):
            self.wfile.write(b"\xff")
            self._corner.ending.wait(DRIP_SECONDS)
