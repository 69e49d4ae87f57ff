"""Serve the built book on this machine: ``python -m book.tools.serve [--port 8000] [--folder _build/html]``."""

from __future__ import annotations

import argparse
import errno
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from book.tools.project import HERE
from physnn.lab.running import command

HOST = "127.0.0.1"


class _Pages(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of pages that are read."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that does not wait for the end of a film."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C; return the exit status."""
    parser = argparse.ArgumentParser(description="Serve the built book on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="the port (8000)")
    parser.add_argument("--folder", type=Path, default=HERE / "_build" / "html", help="the pages")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        parser.error(f"--port must be from 0 to 65535, got {options.port}")
    return command.run("make serve", lambda: _serve(options.folder, options.port), "the book is as it was")


def _serve(folder: Path, port: int) -> int:
    try:
        server = _Server((HOST, port), partial(_Pages, directory=str(folder)))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        told = "is in use" if error.errno == errno.EADDRINUSE else "is not for every user"
        print(f"port {port} {told}; take another: make serve PORT=8001", file=sys.stderr)
        return 1
    with server:
        print(f"The book is at http://{HOST}:{server.server_port}/ (stop with Ctrl-C)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
