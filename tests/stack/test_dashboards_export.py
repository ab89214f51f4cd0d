"""What users change in Superset comes back into the files of git; `test_superset_import` takes new ones back."""

import shutil
from pathlib import Path

import pytest
import yaml

from lakehouse.errors import UsageError
from lakehouse.stack.dashboards_export import export
from lakehouse.stack.superset_server import CONFIGURATION
from tests.stack.services import Api, SupersetServer


@pytest.fixture(scope="module")
def admin(superset: SupersetServer) -> Api:
    return superset.login()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the repository's assets."""
    shutil.copytree(CONFIGURATION / "assets", tmp_path / "assets")
    return tmp_path / "assets"


def contents(folder: Path) -> dict[Path, str]:
    return {path.relative_to(folder): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_is_in_git_as_it_is_stays_untouched(superset: SupersetServer, folder: Path) -> None:
    before = contents(folder)
    done = export(superset.settings, folder, ["daily-overview", "Data Health"])
    assert (done.written, done.left_out) == ([], [])
    assert done.unchanged > 10
    assert contents(folder) == before


def test_a_changed_chart_changes_its_own_file_only(superset: SupersetServer, admin: Api, folder: Path) -> None:
    file = Path("charts/daily_overview/plays.yaml")
    uuid = yaml.safe_load((folder / file).read_text())["uuid"]
    [chart] = [row for row in admin.rows("/api/v1/chart/") if row["uuid"] == uuid]
    before = contents(folder)
    assert admin.put(f"/api/v1/chart/{chart['id']}", {"description": "Changed"}).ok
    try:
        assert export(superset.settings, folder, ["daily-overview"]).written == [str(file)]
    finally:
        admin.put(f"/api/v1/chart/{chart['id']}", {"description": chart["description"] or ""})
    assert {path for path, text in contents(folder).items() if before.get(path) != text} == {file}
    assert yaml.safe_load((folder / file).read_text())["description"] == "Changed"


def test_an_unknown_dashboard_is_said_with_those_there_are(superset: SupersetServer, folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no dashboard 'nonsense'; it has .*Daily Overview"):
        export(superset.settings, folder, ["nonsense"])


def test_another_folder_is_refused(superset: SupersetServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no assets of Superset"):
        export(superset.settings, tmp_path)
