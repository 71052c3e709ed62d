"""A headless Chromium that reaches this machine only and keeps what went wrong in a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, sync_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium; where there is none, the one that playwright installed."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Tab:
    """One page, with what it complained of and whom it asked."""

    page: Page
    errors: list[str] = field(default_factory=list)
    hosts: set[str | None] = field(default_factory=set)

    def faults(self) -> list[str]:
        """Errors of the console, uncaught exceptions and hosts that are not this machine."""
        return [*self.errors, *(f"asked {host}" for host in self.hosts - {"127.0.0.1"})]


@contextmanager
def tab(browser: Browser, **options: Any) -> Iterator[Tab]:
    """A fresh tab that remembers nothing of the others."""
    context = browser.new_context(**{"locale": "zh-CN", **options})
    opened = Tab(context.new_page())

    def asked(request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")):
            opened.hosts.add(urlsplit(request.url).hostname)

    opened.page.on("request", asked)
    opened.page.on(
        "console",
        lambda said: opened.errors.append(said.text) if said.type in ("error", "warning") else None,
    )
    opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
    yield opened
    context.close()
