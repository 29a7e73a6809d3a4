"""A small web server on this machine: files, a package index, and ways in which servers fail."""

import contextlib
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

S = TypeVar("S", bound=ThreadingHTTPServer)

JSON = "application/vnd.pypi.simple.v1+json"


class FileServer(ThreadingHTTPServer):
    """Serves `files`, and `files` as the release files of a project under /simple/PROJECT/.

    Attributes:
        files: path such as "/net.bin" -> content.
        listing: "html" or "json", the form of the index.
        cut: bytes after which a file breaks off; None for whole files.
        stall: None, or an event that a file waits for after its first half.
        started: set as soon as the first half of a file is sent.
        requests: how often each path was asked for.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.project = "fakenet"
        self.listing = "html"
        self.cut: int | None = None
        self.stall: threading.Event | None = None
        self.started = threading.Event()
        self.requests: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """Return the address, without a slash at its end."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address) -> None:
        """Say nothing: a client that goes away is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """Answers for a `FileServer`."""

    server: FileServer

    def do_GET(self) -> None:
        """Send a file, the page of the project, or 404."""
        self.server.requests[self.path] += 1
        if self.path == f"/simple/{self.server.project}/":
            self.send_listing()
        elif self.path in self.server.files:
            self.send_file(self.server.files[self.path])
        else:
            self.send_error(404)

    def send_listing(self) -> None:
        """Send the page of the project, with relative links, as indexes do."""
        files = [
            {"filename": path[1:], "url": f"../..{path}", "hashes": {"sha256": sha256(content)}}
            for path, content in self.server.files.items()
        ]
        if self.server.listing == "json":
            page = {"meta": {"api-version": "1.0"}, "name": self.server.project, "files": files}
            self.send_body(json.dumps(page).encode(), JSON)
        else:
            links = (
                f'<a href="{f["url"]}#sha256={f["hashes"]["sha256"]}">{f["filename"]}</a>'
                for f in files
            )
            self.send_body(f"<!DOCTYPE html><body>{''.join(links)}</body>".encode(), "text/html")

    def send_file(self, content: bytes) -> None:
        """Send a file, or as much of it as the server's temper allows."""
        if self.server.stall is None:
            self.send_body(content, cut=self.server.cut)
            return
        half = len(content) // 2
        self.send_body(content, cut=half)
        self.wfile.flush()
        self.server.started.set()
        self.server.stall.wait(20)
        self.wfile.write(content[half:])

    def send_body(self, body: bytes, kind: str = "application/octet-stream", cut=None) -> None:
        """Send a header that announces all of the body, and the body up to `cut`."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, *args) -> None:
        """Keep quiet."""


def running() -> AbstractContextManager[FileServer]:
    """Run a server of files for the length of a `with` block."""
    return serving(FileServer())


@contextlib.contextmanager
def serving(server: S) -> Iterator[S]:
    """Run a server, which may be stalled, for the length of a `with` block."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            if server.stall is not None:
                server.stall.set()
            server.shutdown()
            thread.join()


def sha256(content: bytes) -> str:
    """Return the sha256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
