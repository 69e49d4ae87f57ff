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


DESK = {"width": 1280, "height": 900}


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


_running: list[Browser] = []


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium, or lend the one that runs: Playwright allows one in a process."""
    if _running:
        yield _running[0]
        return
    with sync_playwright() as playwright:
        _running.append(playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS))
        try:
            yield _running[0]
        finally:
            _running.pop().close()


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

    context = browser.new_context(viewport=DESK, color_scheme="light")
    context.route("**/*", local_only)
    page = context.new_page()
    page.on("response", lambda answer: complaints.missing.append(answer.url) if answer.status >= 400 else None)
    page.on("pageerror", lambda error: complaints.errors.append(str(error)))
    page.on("console", lambda line: complaints.errors.append(line.text) if line.type == "error" else None)
    page.goto(address, wait_until="load", timeout=120_000)
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.evaluate("() => document.fonts.ready")
    yield page, complaints
    context.close()


def rest(page: Page) -> None:
    """Undo what a test does to a page that others read after it: width, medium, theme, place and focus."""
    page.set_viewport_size(DESK)
    page.emulate_media(media="screen")
    page.evaluate(REST)


# The focus goes where it is in a page just loaded, so that the next Tab reaches the first thing there is.
REST = """() => {
    document.documentElement.dataset.theme = "light";
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
    scrollTo(0, 0);
}"""

# What a page holds, asked of the page itself.
FACTS = r"""() => {
    const article = document.querySelector("article");
    const prose = article.cloneNode(true);
    prose.querySelectorAll("code, pre, script, noscript, style, mjx-container").forEach(node => node.remove());
    return {
        formulas: article.querySelectorAll(".math").length,
        mathjax: Boolean(window.MathJax),
        typeset: article.querySelectorAll("mjx-container").length,
        failed: article.querySelectorAll("mjx-merror, [data-mjx-error]").length,
        prose: prose.textContent,
        images: [...article.querySelectorAll("img")].map(image => ({
            source: image.getAttribute("src"),
            alt: image.alt,
            loaded: image.naturalWidth > 0,
            caption: image.closest("figure")?.querySelector("figcaption")?.textContent.trim() ?? "",
        })),
        links: [...document.querySelectorAll("a[href]")].map(link => link.href),
    }
}"""

# What sticks out of the window without an ancestor that scrolls; the first number is the page's own overhang.
OVERHANG = """() => {
    const scrolled = node => {
        while ((node = node.parentElement)) if (getComputedStyle(node).overflowX !== "visible") return true;
        return false;
    };
    const wide = [...document.querySelectorAll("article *")]
        .filter(node => node.getBoundingClientRect().right > innerWidth + 1 && !scrolled(node));
    const root = document.documentElement;
    return [root.scrollWidth - root.clientWidth, wide.map(node => node.outerHTML.slice(0, 120))];
}"""

# Formulas that are seen and wider than their place, after a frame in which they have been fitted to it.
CUT = """() => new Promise(then => requestAnimationFrame(() => setTimeout(() => {
    const place = node => node.closest("p, li, dd, td, div").getBoundingClientRect().right;
    then([...document.querySelectorAll("article mjx-container")].filter(node => node.checkVisibility() && (
        node.tabIndex === 0 || (node.matches("[display=true]") ? node.scrollWidth > node.clientWidth + 1
            : node.getBoundingClientRect().right > place(node) + 2)
    )).map(node => node.closest("section")?.id + ": " + node.querySelector("math")?.textContent.slice(0, 60)));
}, 50)))"""

# Pairs of computed colours: every kind of text against the nearest ancestor that paints a background.
COLOURS = """() => {
    const kinds = "article p, article li, article h1, article h2, article figcaption, article a, article td, " +
        "article th, article dt, article .admonition-title, article strong, article code, nav a, article .sig-name";
    const painted = node => {
        for (; node; node = node.parentElement) {
            const color = getComputedStyle(node).backgroundColor;
            if (!/, 0\\)$|transparent/.test(color)) return color;
        }
        return "rgb(255, 255, 255)";
    };
    return [...document.querySelectorAll(kinds)].filter(node => node.checkVisibility() && node.innerText.trim())
        .map(node => [node.outerHTML.slice(0, 100), getComputedStyle(node).color, painted(node)]);
}"""
