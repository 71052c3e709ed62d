"""The live page in a browser, on a running stack: what a reader and an attacker find."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from consumers.simulations import note_simulation
from producers.simulate.city import City
from schemas.clock import ZONE
from tests.e2e.browser import Tab, chromium, tab
from tests.e2e.stack import OWN_PORTS, RunningStack

CITY = City(seed=11, scale=0.0002, start=datetime.now(ZONE).date() - timedelta(days=60))
SECONDS = 60_000
"""Milliseconds for which something is awaited on a busy machine."""


@pytest.fixture(scope="module")
def url(stack: RunningStack) -> str:
    """The page of a stack that holds a small city of invented people."""
    note_simulation(stack.store, tag=CITY.tag, seed=CITY.seed, scale=CITY.scale, start=CITY.start)
    last = CITY.start + timedelta(days=45)
    stack.publish(
        (each.topic, each.timestamp_ms, each.value or b"", each.key)
        for each in CITY.days(CITY.start, last)
    )
    stack.settle()
    return str(stack.ready["page"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def opened(browser: Browser, url: str) -> Iterator[Tab]:
    """The page in Chinese and light, with every panel drawn."""
    with tab(browser, viewport={"width": 1440, "height": 900}) as fresh:
        fresh.page.goto(f"{url}?lang=zh&theme=light#key=migrants_known&window=1d")
        drawn(fresh.page)
        yield fresh
        assert fresh.faults() == []


def drawn(page: Page) -> None:
    """Wait until figures stand in the cards and the table, and the map is painted."""
    page.wait_for_selector(
        "#pulse-connection:has-text('已连接'), #pulse-connection:has-text('connected')"
    )
    page.wait_for_selector("#places-table tbody tr:nth-child(11)", timeout=SECONDS)
    page.wait_for_selector("#map canvas", timeout=SECONDS)


def permits(number: int, district: str, name: str) -> list[bytes]:
    """First registrations of people that nobody knew, as of today."""
    now = datetime.now(ZONE)
    return [
        json.dumps(
            {
                "kind": "permit",
                "record_id": f"page-{name}-{place}/1",
                "revision": 1,
                "source": "police.permits",
                "recorded_at": now.isoformat(timespec="seconds"),
                "person": f"{time.time_ns() + place:032x}",
                "action": "register",
                "effective_on": now.date().isoformat(),
                "district": district,
                "valid_until": (now.date() + timedelta(days=364)).isoformat(),
            }
        ).encode()
        for place in range(number)
    ]


def whole(text: str) -> int:
    """A whole number as the page writes it."""
    return int(re.sub(r"[^\d]", "", text))


def city_row(page: Page) -> int:
    return whole(page.locator("#places-table tr.city td").first.inner_text())


def test_every_panel_has_something_to_say(opened: Tab) -> None:
    page = opened.page
    for place in ("#migrants-table tr", "#feeds tr", "#legend svg", "#definition p"):
        page.wait_for_selector(place, timeout=SECONDS)
    assert "在管流动人口 ÷ 已知流动人口" in page.locator("#migrants-formula").inner_text()
    expect(page.locator("#trend canvas")).to_be_visible(timeout=SECONDS)
    expect(page.locator("#revisions canvas")).to_be_visible(timeout=SECONDS)


def test_it_says_that_the_city_is_simulated(opened: Tab) -> None:
    notice = opened.page.locator(".notice.simulated").last
    expect(notice).to_contain_text("模拟数据")
    expect(notice).to_contain_text("1/5,000")


def test_language_and_theme_are_switched_and_kept(opened: Tab, url: str) -> None:
    page = opened.page
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.click("#language")
    expect(page.locator("h1")).to_have_text("Suzhou population monitor")
    assert page.locator("html").get_attribute("lang") == "en"
    assert not re.search("[一-鿿]", page.locator("#places").inner_text())
    page.select_option("#theme", "dark")
    assert page.evaluate(paper) != light
    page.goto(url)
    drawn(page)
    expect(page.locator("h1")).to_have_text("Suzhou population monitor")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.click("#language")
    expect(page.locator("h1")).to_have_text("苏州市人口事件监测")


def test_a_district_opens_with_its_figures_and_cells(opened: Tab) -> None:
    page = opened.page
    page.locator("#places-table button", has_text="昆山市").click()
    sheet = page.locator("#district")
    expect(sheet).to_be_visible()
    expect(page.locator("#district-title")).to_have_text("昆山市")
    page.wait_for_selector("#district-body table >> nth=1", timeout=SECONDS)
    expect(page.locator("#district-body")).to_contain_text("户籍人口")
    assert page.locator("#district-body table").nth(1).locator("tbody tr").count() > 3
    assert "area=320583" in page.url
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()


def test_the_map_opens_a_district_too(opened: Tab) -> None:
    page = opened.page
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.click("#map", position={"x": box["width"] * 0.55, "y": box["height"] * 0.8})
    expect(page.locator("#district")).to_be_visible()
    page.click("#district-close")


def test_the_slider_shows_what_was_known_then(opened: Tab) -> None:
    page = opened.page
    now = city_row(page)
    before = CITY.start + timedelta(days=2)
    page.focus("#known")
    page.keyboard.press("Home")
    for _ in range((before - first_known(page)).days):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".notice.past")).to_contain_text(before.isoformat())
    expect(page.locator("#places-table caption")).to_contain_text(
        before.isoformat(), timeout=SECONDS
    )
    assert city_row(page) != now
    assert f"known={before}" in page.url
    page.click("#known-now")
    expect(page.locator(".notice.past")).to_have_count(0)
    expect(page.locator("#places-table tr.city td").first).to_have_text(
        re.compile(rf"^{now:,}$"), timeout=SECONDS
    )


def first_known(page: Page) -> date:
    minimum = page.locator("#as-of").get_attribute("min")
    return date.fromisoformat(minimum or "")


def test_numbers_follow_an_event(opened: Tab, stack: RunningStack) -> None:
    page = opened.page
    accepted = whole(page.locator("#pulse-accepted").inner_text())
    known = city_row(page)
    for value in permits(20, "320583", f"live-{time.time_ns()}"):
        stack.producer.send("population.permits.v1", value)
    stack.producer.flush()
    page.wait_for_function(
        "was => Number(document.getElementById('pulse-accepted').textContent.replaceAll(',', ''))"
        " >= was + 20",
        arg=accepted,
        timeout=SECONDS,
    )
    page.wait_for_function(
        "was => Number(document.querySelector('#places-table tr.city td').textContent"
        ".replaceAll(',', '')) > was",
        arg=known,
        timeout=SECONDS,
    )


def test_a_refused_message_is_counted_with_what_to_do(opened: Tab, stack: RunningStack) -> None:
    page = opened.page
    stack.producer.send("population.births.v1", b'{"page": "no event"}')
    stack.producer.flush()
    expect(page.locator("#refused")).to_contain_text("字段不符", timeout=SECONDS)
    expect(page.locator("#refused")).to_contain_text("schemas/README")


def test_everything_is_reached_by_keyboard(opened: Tab) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.dataset.key || document.activeElement.id"))
    assert {"migrant_management_rate", "key", "place-320583"} <= seen


def test_paper_is_light(browser: Browser, url: str) -> None:
    with tab(browser) as fresh:
        fresh.page.goto(f"{url}?theme=dark")
        drawn(fresh.page)
        theme = "document.documentElement.dataset.theme"
        fresh.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert fresh.page.evaluate(theme) == "light"
        fresh.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert fresh.page.evaluate(theme) == "dark"
        assert fresh.faults() == []


@pytest.mark.parametrize("look", ["lang=zh&theme=light", "lang=en&theme=dark"])
def test_axe_finds_no_serious_fault(browser: Browser, url: str, look: str) -> None:
    with tab(browser, viewport={"width": 1280, "height": 900}) as fresh:
        fresh.page.goto(f"{url}?{look}")
        drawn(fresh.page)
        fresh.page.wait_for_selector("#trend canvas", timeout=SECONDS)
        serious(fresh.page)
        fresh.page.locator("#places-table button").nth(2).click()
        fresh.page.wait_for_selector("#district-body table >> nth=1", timeout=SECONDS)
        serious(fresh.page)
        assert fresh.faults() == []


def serious(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [
        (fault["id"], fault["nodes"][0]["html"][:200])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ] == []


def ask(url: str, path: str, **headers: str) -> tuple[int, Any, Any]:
    request = urllib.request.Request(url + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_answers_carry_the_headers_of_safety(url: str) -> None:
    for path in ("", "static/js/main.js", "api/quality", "api/trend", "nothing"):
        _, headers, _ = ask(url, path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in {name.lower() for name in headers}


def test_another_name_for_this_machine_is_refused(url: str) -> None:
    assert ask(url, "api/quality", Host="attacker.example")[0] == 400


def test_it_listens_on_this_machine_only(url: str) -> None:
    assert urlsplit(url).hostname == "127.0.0.1"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("indicator?key=brith_rate", "there is no indicator 'brith_rate'"),
        ("trend?key=birth_rate&base=everybody", "has no base 'everybody'"),
        ("trend?key=birth_rate&window=3d", "has no window '3d'"),
        ("district?district=310115", "there is no district '310115'"),
        ("targets?known_on=yesterday", "a date as YYYY-MM-DD"),
        ("targets?known_on=2999-01-01", "lies in the future"),
        ("targets?known_on=2020-01-01&as_of=2020-02-01", "is after known_on"),
        ("targets?as_of=0001-01-01", "is before 1950"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_in_a_sentence(
    url: str, question: str, said: str
) -> None:
    status, _, body = ask(url, f"api/{question}")
    assert status == 400
    assert said in json.loads(body)["error"]


def test_the_public_view_shows_what_is_released_only(browser: Browser, url: str) -> None:
    with tab(browser, viewport={"width": 1280, "height": 900}) as fresh:
        page = fresh.page
        page.goto(f"{url}?lang=zh#view=public&key=migrants_known&window=1d")
        expect(page.locator(".notice", has_text="公开口径")).to_be_visible(timeout=SECONDS)
        page.wait_for_selector("#places-table tbody tr:nth-child(11)", timeout=SECONDS)
        expect(page.locator("#known")).to_be_hidden()
        expect(page.locator("#cusum")).to_have_text("不公开。", timeout=SECONDS)
        assert whole(page.locator("#pulse-accepted").inner_text()) % 10 == 0
        page.locator("#places-table button").nth(1).click()
        page.wait_for_selector("#district-body table >> nth=1", timeout=SECONDS)
        counts = page.locator("#district-body table").nth(1).locator("tbody td:last-child")
        shown = [text for text in counts.all_inner_texts() if text != "已抑制"]
        assert {whole(text) % 10 for text in shown} <= {0}
        page.click("#district-close")
        page.select_option("#view", "office")
        expect(page.locator("#known")).to_be_visible()
        assert fresh.faults() == []


def test_no_past_day_of_knowledge_is_released(url: str) -> None:
    status, _, body = ask(url, "api/targets?view=public&known_on=2024-01-01")
    assert status == 400
    assert "not released" in json.loads(body)["error"]


@pytest.mark.long
@pytest.mark.parametrize("width", [1440, 1024, 390])
@pytest.mark.parametrize("look", ["lang=zh&theme=light", "lang=en&theme=dark"])
def test_nothing_is_wider_than_the_screen(
    browser: Browser, url: str, width: int, look: str
) -> None:
    with tab(browser, viewport={"width": width, "height": 900}) as fresh:
        fresh.page.goto(f"{url}?{look}")
        drawn(fresh.page)
        fresh.page.wait_for_selector("#trend canvas", timeout=SECONDS)
        assert fresh.page.evaluate("document.documentElement.scrollWidth") <= width
        serious(fresh.page)
        assert fresh.faults() == []


@pytest.mark.long
def test_a_store_that_is_away_makes_the_page_say_that_it_is_stale(
    tmp_path: Path, browser: Browser
) -> None:
    alone = RunningStack(tmp_path / "alone", env=OWN_PORTS).start()
    try:
        with tab(browser) as fresh:
            fresh.page.goto(f"{alone.ready['page']}?lang=en")
            expect(fresh.page.locator("#pulse-connection")).to_have_text(
                "connected", timeout=SECONDS
            )
            alone.send("store", signal.SIGSTOP)
            alone.send("page", signal.SIGKILL)
            expect(fresh.page.locator(".notice")).to_contain_text(["may be stale"], timeout=SECONDS)
            alone.send("store", signal.SIGCONT)
            expect(fresh.page.locator("#pulse-connection")).to_have_text(
                "connected", timeout=SECONDS
            )
    finally:
        assert alone.stop() == 0
