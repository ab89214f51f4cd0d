"""What the pipeline records about itself: runs, builds, imports, rejects and checks."""

from lakehouse.contract.table import source_table

PIPELINE_RUNS = source_table(
    "pipeline_runs",
    __name__,
    grain="One row per run.",
    key="run_id",
    columns="run_id started_at finished_at status trigger new_plays tables_built tables_skipped error code_version",
)
TABLE_BUILDS = source_table(
    "table_builds",
    __name__,
    grain="One row per run and table.",
    key="run_id table_name",
    columns="run_id table_name status row_count delta_version input_versions duration_ms reason",
)
IMPORT_AUDIT = source_table(
    "import_audit",
    __name__,
    grain="One row per run, source file and verdict.",
    key="run_id source_file verdict",
    columns="run_id listener source_file source verdict record_count first_played_at last_played_at",
)
REJECTED_ROWS = source_table(
    "rejected_rows",
    __name__,
    grain="One row per record that could not be read.",
    key="run_id source_file row_number",
    columns="run_id source_file row_number reason raw rejected_at",
)
QUALITY_RESULTS = source_table(
    "quality_results",
    __name__,
    grain="One row per run, table and check.",
    key="run_id table_name check_name",
    columns="run_id table_name check_name severity passed failing_rows detail checked_at",
)
OPS_TABLES = (PIPELINE_RUNS, TABLE_BUILDS, IMPORT_AUDIT, REJECTED_ROWS, QUALITY_RESULTS)
