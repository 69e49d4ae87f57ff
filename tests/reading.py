"""What Chromium shows of a built book: the pages as a reader gets them, and what the browser complained about."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Route, sync_playwright

CHROMIUM = shutil.which("chromium")
# The last three keep the browser itself from calling home, so that every request seen is the page's.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the access log out of the tests' output."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve ``folder`` on 127.0.0.1; yield the address, ending in a slash."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Complaints:
    """What went wrong while a page was open."""

    foreign: list[str] = field(default_factory=list)  # requests that would leave this machine
    missing: list[str] = field(default_factory=list)  # answers of 400 and above
    errors: list[str] = field(default_factory=list)  # console errors and uncaught exceptions


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[tuple[Page, Complaints]]:
    """Open a page as a new visitor, mathematics typeset; yield it and the complaints, which fill while it is open."""
    complaints = Complaints()

    def local_only(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            complaints.foreign.append(route.request.url)
            route.abort()

    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    context.route("**/*", local_only)
    page = context.new_page()
    page.on("response", lambda answer: complaints.missing.append(answer.url) if answer.status >= 400 else None)
    page.on("pageerror", lambda error: complaints.errors.append(str(error)))
    page.on("console", lambda line: complaints.errors.append(line.text) if line.type == "error" else None)
    page.goto(address, wait_until="load")
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.evaluate("() => document.fonts.ready")
    yield page, complaints
    context.close()
