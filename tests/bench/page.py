"""The live page in a browser: how soon something is painted, and how soon an event is on it."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from typing import Any

import orjson
from playwright.sync_api import Page

from producers.simulate.progress import today
from tests.e2e.browser import chromium, tab
from tests.e2e.stack import RunningStack

LOADS = 5
EVENTS = 20
PATIENCE_MS = 60_000
_SIZE = {"viewport": {"width": 1440, "height": 900}, "bypass_csp": True}
"""Its own rules forbid the page what measuring does: evaluating text as a program."""
_COUNT = "Number(document.getElementById('pulse-accepted')?.textContent.replaceAll(',', ''))"
_PAINTED = (
    "performance.getEntriesByType('paint').find(each => each.name === 'first-contentful-paint')"
)


def page_figures(stack: RunningStack) -> dict[str, float]:
    """Milliseconds: ``page_first_paint_ms`` and ``page_update_ms``, medians."""
    with chromium() as browser:
        paints = []
        for _ in range(LOADS):
            with tab(browser, **_SIZE) as opened:
                opened.page.goto(stack.ready["page"])
                opened.page.wait_for_function(_PAINTED, timeout=PATIENCE_MS)
                paints.append(float(opened.page.evaluate(f"{_PAINTED}.startTime")))
        with tab(browser, **_SIZE) as opened:
            opened.page.goto(stack.ready["page"])
            opened.page.wait_for_function(f"{_COUNT} >= 0", timeout=PATIENCE_MS)
            updates = [_update(stack, opened.page, place) for place in range(EVENTS)]
    return {
        "page_first_paint_ms": statistics.median(paints),
        "page_update_ms": statistics.median(updates),
    }


def _update(stack: RunningStack, page: Page, place: int) -> float:
    """From sending a birth to the changed number in the document."""
    page.evaluate(f"window.before = {_COUNT}")
    began = time.perf_counter()
    stack.producer.send("population.births.v1", _birth(place))
    stack.producer.flush()
    page.wait_for_function(f"{_COUNT} > window.before", timeout=PATIENCE_MS, polling=10)
    return (time.perf_counter() - began) * 1000


def _birth(place: int) -> bytes:
    event: dict[str, Any] = {
        "kind": "birth",
        "record_id": f"page-{time.time_ns()}",
        "revision": 1,
        "source": "health.birth-certificates",
        "recorded_at": f"{today()}T00:00:00+08:00",
        "person": f"{time.time_ns():032x}",
        "born_on": (today() - timedelta(days=1)).isoformat(),
        "district": "320583",
        "residency": "hukou",
        "sex": "12"[place % 2],
        "mother": "e" * 32,
    }
    return orjson.dumps(event)
