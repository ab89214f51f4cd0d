"""A headless Chromium on Superset: logs in, opens dashboards, waits for every chart and tells what each shows."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Request, Response, sync_playwright

from tests.stack.services import require_program

# Tall enough for every dashboard: Superset does not draw what is out of sight.
VIEWPORT = {"width": 1440, "height": 4400}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
WAIT_SECONDS = 180
POLL_MS = 300
# Charts draw themselves a little after their data came.
SETTLED_POLLS = 5
CHARTS_SHOWN = """() => [...document.querySelectorAll('[data-test-chart-id]')].map(holder => ({
    id: Number(holder.dataset.testChartId),
    name: holder.dataset.testChartName,
    error: [...holder.querySelectorAll('.ant-alert-error')].map(alert => alert.innerText).join(' '),
    is_empty: holder.querySelector('.ant-empty') !== null,
    is_loading: holder.querySelector('.loading') !== null,
    is_drawn: holder.querySelector('.slice_container') !== null,
    text: holder.innerText,
}))"""
BOTTOM = "() => document.querySelector('.grid-content').getBoundingClientRect().bottom"


@dataclass(frozen=True)
class ShownChart:
    """What a chart shows: data, an error's text, or that there is nothing."""

    id: int
    name: str
    error: str
    is_empty: bool
    is_loading: bool
    is_drawn: bool
    text: str

    @property
    def is_done(self) -> bool:
        """Whether it shows data, an error or that there is nothing."""
        return not self.is_loading and (self.is_drawn or bool(self.error))


@dataclass
class Opened:
    """An open dashboard: its charts and when all were done; by the chart's number in Superset what each asked for.

    Attributes:
        cached: whether all answers to a chart came from the cache.
        rows: how many rows each answer to a chart had.
    """

    charts: list[ShownChart]
    asked: dict[int, dict[str, Any]]
    cached: dict[int, bool]
    rows: dict[int, list[int]]
    done_at: float

    def chart(self, name: str) -> ShownChart:
        """The chart with this title."""
        [found] = [chart for chart in self.charts if chart.name == name]
        return found


@dataclass
class Browser:
    """A browser that is logged in.

    Attributes:
        page: its only page.
        problems: errors that the page itself reported.
    """

    address: str
    page: Page
    problems: list[str] = field(default_factory=list)
    asked: dict[int, dict[str, Any]] = field(default_factory=dict)
    cached: dict[int, bool] = field(default_factory=dict)
    rows: dict[int, list[int]] = field(default_factory=dict)

    def open(self, slug: str) -> Opened:
        """Open a dashboard and wait for every chart."""
        # Ends what the page before still asks for.
        self.page.goto("about:blank")
        self._forget()
        self.page.goto(f"{self.address}/superset/dashboard/{slug}/")
        return self.shown()

    def shows(self, slug: str) -> bool:
        """Whether this dashboard is open."""
        return f"/dashboard/{slug}/" in self.page.url

    def shown(self) -> Opened:
        """The open dashboard once every chart is done."""
        charts: list[ShownChart] = []
        deadline, settled, done_at = time.monotonic() + WAIT_SECONDS, 0, 0.0
        while settled < SETTLED_POLLS:
            assert time.monotonic() < deadline, [chart.name for chart in charts if not chart.is_done]
            self.page.wait_for_timeout(POLL_MS)
            before, charts = charts, [ShownChart(**chart) for chart in self.page.evaluate(CHARTS_SHOWN)]
            is_settled = bool(charts) and len(charts) == len(before) and all(chart.is_done for chart in charts)
            if not settled:
                done_at = time.monotonic()
            settled = settled + 1 if is_settled else 0
        return Opened(charts, dict(self.asked), dict(self.cached), dict(self.rows), done_at)

    def choose(self, name: str, *values: str) -> Opened:
        """Choose values of a native filter, apply, and wait for the charts that follow it."""
        self._forget()
        item = self.page.locator("[data-test=form-item-value]").nth(self._filter_names().index(name))
        item.locator(".ant-select-selector").click()
        for value in values:
            self.page.locator(f".ant-select-item-option[title='{value}']").click()
        self.page.keyboard.press("Escape")
        self.page.locator("[data-test=filter-bar__apply-button]").click()
        return self.shown()

    def clear(self) -> Opened:
        """Clear all filters, and wait for the charts that follow them."""
        self._forget()
        self.page.locator("[data-test=filter-bar__clear-button]").click()
        return self.shown()

    def screenshot(self, path: Path) -> None:
        """Keep the whole dashboard as a picture."""
        path.parent.mkdir(parents=True, exist_ok=True)
        height = min(self.page.evaluate(BOTTOM) + 20, VIEWPORT["height"])
        self.page.screenshot(path=path, clip={"x": 0, "y": 0, "width": VIEWPORT["width"], "height": height})

    def note_request(self, request: Request) -> None:
        """Keep what a chart asks for."""
        if request.method == "POST" and "/api/v1/chart/data" in request.url and request.post_data:
            body = json.loads(request.post_data)
            if number := (body.get("form_data") or {}).get("slice_id"):
                self.asked[number] = body

    def note_response(self, response: Response) -> None:
        """Keep whether a chart's answer came from the cache, and its number of rows."""
        if "/api/v1/chart/data" in response.url and response.ok:
            number = (json.loads(response.request.post_data or "{}").get("form_data") or {}).get("slice_id")
            if number:
                results = response.json()["result"]
                self.cached[number] = all(result["is_cached"] for result in results)
                self.rows[number] = [result["rowcount"] for result in results]

    def _filter_names(self) -> list[str]:
        return [name.strip() for name in self.page.locator("[data-test=filter-control-name]").all_inner_texts()]

    def _forget(self) -> None:
        self.asked.clear()
        self.cached.clear()
        self.rows.clear()
        self.problems.clear()


@contextmanager
def browser(address: str, user: str, password: str) -> Iterator[Browser]:
    """A headless Chromium that is logged in."""
    chromium = require_program(shutil.which("chromium"), "Chromium", "make stack-packages")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            page = started.new_context(viewport=VIEWPORT).new_page()  # type: ignore[arg-type]
            page.set_default_timeout(WAIT_SECONDS * 1000)
            opened = Browser(address, page)
            page.on("request", opened.note_request)
            page.on("response", opened.note_response)
            page.on("pageerror", lambda error: opened.problems.append(str(error)))
            page.goto(f"{address}/login/")
            page.fill("#username", user)
            page.fill("#password", password)
            page.click("button[type=submit]")
            # Logged in; what the page of welcome goes on to load is of no use.
            page.wait_for_url(lambda url: "login" not in url, wait_until="commit")
            yield opened
        finally:
            started.close()
