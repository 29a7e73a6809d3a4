"""A server for a folder of static files on this machine alone, with strict headers."""

import errno
import functools
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from zoo.errors import ConfigError

HOST = "127.0.0.1"

# The page loads nothing from elsewhere and sends nothing. WebAssembly counts as a script.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self' blob:; img-src 'self' blob:; media-src 'self' blob:; style-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    # A page that is isolated from others may use threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # the browser keeps files and asks whether they have changed
}


class Handler(SimpleHTTPRequestHandler):
    """Hands out files; no listings of folders, no log, no other host name than this machine's."""

    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".css": "text/css; charset=utf-8",
        ".gz": "application/gzip",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".mjs": "text/javascript; charset=utf-8",
        ".flac": "audio/flac",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        """Add the headers that every answer has."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def send_head(self) -> Any:
        """Refuse other host names, with which a foreign page could reach this server."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in (HOST, "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN, "this server answers to localhost only")
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        """Refuse to list a folder."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""


def open_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server for a folder, which listens; `serve_forever` makes it answer.

    Args:
        folder: with the files.
        port: on this machine; 0 for any that is free.

    Raises:
        ConfigError: the port is taken, or must not be used.
    """
    try:
        return ThreadingHTTPServer((HOST, port), functools.partial(Handler, directory=str(folder)))
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "another program uses it",
            errno.EACCES: "ports below 1024 need special rights",
        }.get(error.errno or 0, error.strerror or str(error))
        raise ConfigError(
            f"the page cannot be served on port {port}: {reason}. Give another one, such as "
            "--port 8765, or --port 0 for any that is free."
        ) from error
