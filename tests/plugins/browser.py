"""A real browser for stories: Debian's Chromium, driven by Playwright, with axe for accessibility.

Sizes are those of the counter (1280x800) and of a telephone (390x844). The pages keep their strict content security
policy: only the copy that `axe` looks at is opened with the policy set aside, because axe has to be injected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
COUNTER = {"width": 1280, "height": 800}
TELEPHONE = {"width": 390, "height": 844}
LANGUAGES = ("zh-TW", "en", "zh-CN")
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
WAIT_MS = 10_000


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patched:
        # Its profile lies where the other files of tests do.
        patched.setenv("TMPDIR", str(tmp_path_factory.mktemp("browser")))
        playwright = sync_playwright().start()
    try:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()
    finally:
        playwright.stop()


@pytest.fixture
def new_context(browser) -> Iterator[Callable[..., BrowserContext]]:
    """`new_context(viewport=TELEPHONE, locale="en", has_touch=True)`: a person's own browser, without cookies.

    A story that ends well leaves no error in the browser's console: page errors and violations of the content
    security policy fail it.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def make(**options: object) -> BrowserContext:
        context = browser.new_context(**({"viewport": COUNTER, "locale": LANGUAGES[0]} | options))
        context.set_default_timeout(WAIT_MS)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("console", lambda message: _note(message, complaints))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


def _note(message, complaints: list[str]) -> None:
    if message.type == "error" and "Content Security Policy" in message.text:
        complaints.append(message.text)


@pytest.fixture
def page(new_context) -> Page:
    """A page at the counter's size, in Traditional Chinese."""
    return new_context().new_page()


@pytest.fixture
def axe(browser) -> Callable[..., None]:
    """`axe(page)`: the page as it stands has no violation of WCAG 2.0 to 2.2, A and AA.

    Looks at a copy: the same markup, at the same address, with the person's cookies.
    """

    def check(page: Page, exclude: tuple[str, ...] = ()) -> None:
        options = {"viewport": page.viewport_size, "storage_state": page.context.storage_state(), "bypass_csp": True}
        context = browser.new_context(**options)
        try:
            copy = context.new_page()
            markup = page.content()
            copy.route(
                lambda url: url == page.url,
                lambda route: route.fulfill(body=markup, content_type="text/html; charset=utf-8"),
            )
            copy.goto(page.url, wait_until="load")
            copy.add_script_tag(path=AXE)
            found = copy.evaluate(
                "([exclude, tags]) => axe.run({exclude}, {runOnly: {type: 'tag', values: tags}})",
                [[[each] for each in exclude], AXE_TAGS],
            )
        finally:
            context.close()
        assert not found["violations"], _report(page.url, found["violations"])

    return check


def _report(url: str, violations: list[dict]) -> str:
    lines = [f"axe at {url}:"]
    for violation in violations:
        lines.append(f"  {violation['id']} ({violation['impact']}): {violation['help']}")
        lines += [f"    {node['html'][:160]}" for node in violation["nodes"][:5]]
    return "\n".join(lines)


def on_screen(page: Page, selector: str) -> bool:
    """Whether the whole element is visible without scrolling."""
    box = page.locator(selector).first.bounding_box()
    size = page.viewport_size
    return (
        box is not None
        and box["x"] >= 0
        and box["y"] >= 0
        and box["x"] + box["width"] <= size["width"]
        and box["y"] + box["height"] <= size["height"]
    )
