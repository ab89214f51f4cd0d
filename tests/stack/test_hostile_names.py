"""Names that are HTML, formulas or templates go through every chart, export and SQL Lab, and stay names."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from playwright.sync_api import Request

from lakehouse.contract import Table
from tests.stack.browser import Browser, browser
from tests.stack.changed_tables import changed_tables
from tests.stack.chart_data import forget_cached
from tests.stack.services import Api, SupersetServer
from tests.superset.bundle import dashboards, datasets

MARK = "Mallory"
HOSTILE = (
    f'<div style="position:fixed;inset:0;z-index:9999">{MARK} <form action="/evil"><input name="a"></form></div>',
    f'<img src="/logout/">{MARK}',
    f'<a href="javascript:alert(1)">{MARK}</a>',
    f"{{{{ current_user_id() }}}} {MARK} {{% raw %}}",
    f'=HYPERLINK("http://evil.example", "{MARK}")',
    f'+{MARK}\'" onmouseover="alert(1)',
    f"</script><script>alert(1)</script>{MARK}",
    f"I <3 {MARK}",
)
NAMES = (
    "track_name", "artist_name", "album_name", "artists", "track_genre", "recommendation_reason", "insight", "song",
    "closest_artist", "widest_gap_artist", "source_file", "raw",
)  # fmt: skip
SONG = "https://open.spotify.com/track/4cOdK2wGLETKBW3PvgPWqT"
# Elements that only a rendered name makes.
RENDERED = f"""() => [...document.querySelectorAll('form, img, a, div[style], script')].filter(element =>
    (element.innerText || '').includes('{MARK}') && (element.style.position === 'fixed'
        || (element.getAttribute('href') || '').startsWith('javascript') || element.action?.includes?.('evil'))
    || (element.getAttribute('src') || '').includes('logout')).map(element => element.outerHTML)"""


def hostile_rows(table: Table, delta: DeltaTable) -> pa.Table | None:
    """Each name of a table replaced by a hostile one, and links, which made-up songs lack."""
    names = {column.name for column in table.columns} & set(NAMES)
    return _hostile(delta.to_pyarrow_table(), names) if names and table.layer != "bronze" else None


def _hostile(rows: pa.Table, names: set[str]) -> pa.Table:
    for place, field in enumerate(rows.schema):
        if field.name in names:
            values = [HOSTILE[number % len(HOSTILE)] for number in range(len(rows))]
            rows = rows.set_column(place, field, pa.array(values, field.type))
        if field.name == "spotify_url":
            rows = rows.set_column(place, field, pa.array([SONG] * len(rows), field.type))
    return rows


@pytest.fixture(scope="module")
def admin(superset: SupersetServer) -> Iterator[Api]:
    admin = superset.login()
    with changed_tables(superset.settings, hostile_rows, "overwrite"):
        forget_cached(admin)
        yield admin
    forget_cached(admin)


@pytest.fixture(scope="module")
def opened(superset: SupersetServer, admin: Api) -> Iterator[Browser]:
    with browser(superset.address, "admin", superset.admin_password) as started:
        yield started


@pytest.mark.parametrize("slug", dashboards())
def test_a_dashboard_shows_hostile_names_as_text(opened: Browser, slug: str) -> None:
    left: list[str] = []

    def note(request: Request) -> None:
        if re.search(r"logout|evil", request.url):
            left.append(request.url)

    opened.page.on("request", note)
    shown = opened.open(slug)
    assert opened.page.evaluate(RENDERED) == []
    assert left == []
    assert opened.shows(slug)
    assert [chart.error for chart in shown.charts if chart.error] == []
    if slug in ("daily-overview", "recommendations"):
        # Readable, with a bracket that begins nothing.
        assert any(MARK in chart.text and "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}" in chart.text
                   for chart in shown.charts)  # fmt: skip


def test_links_to_songs_still_open(opened: Browser) -> None:
    opened.open("recommendations")
    assert opened.page.locator(f"a[href='{SONG}']").count() > 0


def asked(admin: Api, **result: str) -> Any:
    [uuid] = [uuid for uuid, dataset in datasets().items() if dataset.table_name == "top_tracks_by_mood"]
    [number] = [each["id"] for each in admin.rows("/api/v1/dataset/") if each["uuid"] == uuid]
    query = {"columns": ["track_name"], "metrics": [], "row_limit": 100}
    body = {"datasource": {"id": number, "type": "table"}, "queries": [query], "result_type": "full"}
    return admin.post("/api/v1/chart/data", body | result)


def test_no_cell_of_an_export_is_a_formula(admin: Api) -> None:
    text = asked(admin, result_format="csv").content.decode("utf-8-sig")
    cells = [row[0] for row in csv.reader(io.StringIO(text))]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    # A file keeps the names as they are.
    assert HOSTILE[1] in cells
    with zipfile.ZipFile(io.BytesIO(asked(admin, result_format="xlsx").content)) as workbook:
        sheets = [workbook.read(name) for name in workbook.namelist() if name.startswith("xl/worksheets/")]
    assert sheets
    assert not [sheet for sheet in sheets if b"<f>" in sheet]


def test_sql_lab_gets_text(admin: Api) -> None:
    [database] = admin.rows("/api/v1/database/")
    body = {
        "database_id": database["id"], "sql": "SELECT track_name FROM delta.default.top_tracks_by_mood",
        "client_id": "0123456789d", "runAsync": False, "queryLimit": 100, "tab": "test",
    }  # fmt: skip
    names = {row["track_name"] for row in admin.post("/api/v1/sqllab/execute/", body).json()["data"]}
    assert HOSTILE[-1] in names
    assert not [name for name in names if re.search(r"<[A-Za-z/!?]", name)]
