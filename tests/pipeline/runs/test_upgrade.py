"""A lake that older code wrote opens in today's: the next run brings it up to date and loses nothing.

`lake_of_2026_11_30.tar.xz` holds what a first run on a cut of the demo data left, without three large models. A change
of a contract adds a lake of the code before it.
"""

import tarfile
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from bronze.listening_history import listening_history_bronze
from lakehouse.contract import Table
from lakehouse.contract.ops import IMPORT_AUDIT, PIPELINE_RUNS, TABLE_BUILDS
from lakehouse.lake.logs import DeltaLogs
from lakehouse.settings import Settings
from pipeline.registry import all_tables, pipeline_nodes
from pipeline.runs.run import run
from tests.bronze.lakes import small_settings

OLDER_LAKES = sorted(Path(__file__).parent.glob("lake_of_*.tar.xz"))
Rows = set[tuple[tuple[str, str], ...]]


def rows_of(settings: Settings, table: Table) -> Rows:
    frame = DeltaTable(DeltaLogs(settings.lake_uri).location(table)).to_pyarrow_table()
    return {tuple(sorted((name, str(value)) for name, value in row.items())) for row in frame.to_pylist()}


def same_columns(rows: Rows, others: Rows) -> Rows:
    """The rows with only those columns that the others have."""
    names = {name for row in others for name, _ in row}
    return {tuple(cell for cell in row if cell[0] in names) for row in rows}


@pytest.mark.whole_lake
@pytest.mark.parametrize("archive", OLDER_LAKES, ids=lambda path: path.name.split(".")[0])
def test_an_older_lake_is_brought_up_to_date_and_nothing_is_lost(
    archive: Path, spark: SparkSession, tmp_path: Path
) -> None:
    settings = small_settings(tmp_path)
    with tarfile.open(archive) as packed:
        packed.extractall(settings.lake_path.parent, filter="data")
    kept = (listening_history_bronze, IMPORT_AUDIT, PIPELINE_RUNS, TABLE_BUILDS)
    before = {table.name: rows_of(settings, table) for table in kept}
    assert all(before.values())

    summary = run(settings)

    assert summary.errors == []
    assert {build.table.name for build in summary.builds if build.status != "skipped"} <= set(pipeline_nodes())
    for table in kept:
        after = rows_of(settings, table)
        assert before[table.name] <= same_columns(after, before[table.name])
    assert len(rows_of(settings, listening_history_bronze)) == len(before[listening_history_bronze.name])
    logs = DeltaLogs(settings.lake_uri)
    assert [name for name, table in all_tables().items() if logs.state(table) is None] == []
    assert run(settings).up_to_date == len(pipeline_nodes())
