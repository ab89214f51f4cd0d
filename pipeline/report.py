"""What the commands print: summaries of runs and imports, plans, and the state of the lake."""

from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from bronze.delivered.plays import VERDICTS
from bronze.imports import holds_demo, kaggle_tracks_bronze, listening_history_bronze
from lakehouse.contract import Model, Table
from lakehouse.errors import LakehouseError
from lakehouse.lake.logs import DamagedTable, DeltaLogs, open_logs
from lakehouse.models.trained_models import models_of, state_of
from lakehouse.runlog.import_report import ImportReport
from lakehouse.settings import Settings
from lakehouse.spotify.login_status import LoginStatus
from lakehouse.spotify.logins import listeners_with_login
from pipeline.health import problems
from pipeline.registry import pipeline_nodes, pipeline_tables
from pipeline.runs.run import DryRun
from pipeline.runs.summary import RunSummary

# Ignored files that are listed by name.
MOST_NAMED = 20
STATUS_STYLES = {"built": "green", "skipped": "dim", "failed": "bold red", "blocked": "yellow"}


def print_run(out: Console, summary: RunSummary, settings: Settings) -> None:
    """What was imported and built, and what to do next."""
    for run_id in summary.killed_runs:
        out.print(f"run {run_id} was killed; this run repaired what it left")
    if summary.imported:
        print_import(out, summary.imported)
    grid = Grid(title="tables", title_justify="left")
    for name, justify in (("table", "left"), ("", "left"), ("rows", "right"), ("version", "right"), ("s", "right")):
        grid.add_column(name, justify=justify)  # type: ignore[arg-type]
    grid.add_column("why")
    for build in summary.builds:
        if build.table.transform is None and build.state is None:
            continue
        rows, version = (build.state.provenance.rows, build.state.version) if build.state else (0, "-")
        style = STATUS_STYLES[build.status]
        seconds = f"{build.seconds:.1f}" if build.seconds else ""
        grid.add_row(
            build.table.name, f"[{style}]{build.status}[/]", f"{rows:,}", str(version), seconds, escape(build.reason)
        )
    out.print(grid)
    for hint in _next_steps(settings):
        out.print(f"next: {hint}", soft_wrap=True)


def print_plan(out: Console, planned: DryRun) -> None:
    """The files that a run would take, and what it would build and why."""
    for path in planned.waiting:
        out.print(f"would import {path}", markup=False, highlight=False, soft_wrap=True)
    if not planned.steps:
        return
    grid = Grid(title="plan", title_justify="left")
    for name in ("table", "step", "why"):
        grid.add_column(name)
    for step in planned.steps:
        if step.node.transform is None:
            continue
        if step.work:
            listeners = f": {', '.join(sorted(step.work.listeners))}" if step.work.listeners else ""
            action, why = "[green]build[/]", f"{step.reason}{listeners}"
        elif step.unsettled_inputs:
            action, why = "build if changed", ", ".join(step.unsettled_inputs)
        else:
            action, why = "[dim]skip[/]", "up to date"
        grid.add_row(step.node.name, action, escape(why))
    out.print(grid)


def print_import(out: Console, imported: ImportReport) -> None:
    """One line per file with its records by verdict, then the result of the import."""
    if imported.verdicts:
        grid = Grid(title="imported records", title_justify="left")
        grid.add_column("file", overflow="fold")
        shown = [verdict for verdict in VERDICTS if any(verdict in counts for counts in imported.verdicts.values())]
        for verdict in (*shown, "records"):
            grid.add_column(verdict.replace("_", " "), justify="right")
        for name, counts in imported.verdicts.items():
            grid.add_row(
                escape(name.rsplit("/", 1)[-1]), *(f"{counts.get(v, 0):,}" for v in shown), f"{sum(counts.values()):,}"
            )
        out.print(grid)
    for line in _import_results(imported):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def _import_results(imported: ImportReport) -> list[str]:
    lines = []
    if imported.verdicts:
        new = imported.new_plays
        lines.append(f"{new:,} new plays" if new else "nothing new: 0 plays were added")
    if imported.catalogue_rows is not None:
        lines.append(
            f"catalogue: {imported.catalogue_rows:,} rows" if imported.catalogue_rows else "catalogue: unchanged"
        )
    if imported.new_features:
        lines.append(f"audio features of {imported.new_features:,} more tracks")
    if imported.removed_demo:
        lines.append(
            "real data came in: demo data was removed from bronze, and leaves silver and gold as `lakehouse run` "
            "rebuilds them"
        )
    if not lines and not imported.errors:
        lines.append("nothing new")
    if imported.ignored:
        names = ", ".join(name.rsplit("/", 1)[-1] for name in imported.ignored[:MOST_NAMED])
        more = f" and {len(imported.ignored) - MOST_NAMED} more" if len(imported.ignored) > MOST_NAMED else ""
        lines.append(f"ignored {len(imported.ignored)} files that are not a listening history: {names}{more}")
    lines += [f"warning: {warning}" for warning in imported.warnings]
    return lines


def print_status(out: Console, settings: Settings) -> None:
    """Tables and models with rows, versions and freshness, feature coverage, and what is missing."""
    lake, models = open_logs(settings), models_of(settings)
    grid = Grid(title=f"lake {escape(settings.lake_uri)}", title_justify="left")
    for name, justify in (("layer", "left"), ("table", "left"), ("rows", "right"), ("version", "right")):
        grid.add_column(name, justify=justify)  # type: ignore[arg-type]
    grid.add_column("changed")
    damaged = []
    for node in pipeline_nodes().values():
        rows, version, changed = "-", "-", "[yellow]not built[/]" if node.transform else "empty"
        try:
            state = state_of(node, lake, models)
        except LakehouseError as error:
            state, changed = None, "[bold red]damaged[/]"
            damaged.append(str(error))
        if state:
            rows, version = f"{state.provenance.rows:,}", str(state.version)
            changed = _ago(state.committed_at)
        kind = f"{node.layer} model" if isinstance(node, Model) else " ".join(filter(None, (node.layer, node.group)))
        grid.add_row(kind, node.name, rows, version, changed)
    out.print(grid)
    _print_coverage(out, lake)
    for text in (*damaged, *(problem.text for problem in problems(settings, datetime.now(UTC)))):
        out.print("attention:", text, markup=False, highlight=False, soft_wrap=True)
    for hint in _next_steps(settings):
        out.print(f"next: {hint}", soft_wrap=True)


def print_logins(out: Console, logins: dict[str, LoginStatus], now: datetime, *, named: bool) -> None:
    """Of each listener's login the account, what it allows and when it ends; `named` adds whose it is."""
    for listener, login in logins.items():
        lines = (
            f"listener  {listener}" if named else "",
            f"account   {login.account}",
            f"scopes    {login.scopes}",
            f"since     {login.consented_at:%Y-%m-%d}",
            f"ends      {login.expires_at:%Y-%m-%d}",
            login.problem(now),
        )
        for line in filter(None, lines):
            out.print(line, markup=False, highlight=False, soft_wrap=True)


def print_check(out: Console, summary: RunSummary) -> None:
    """Whether the stored tables keep their contracts."""
    if not summary.errors:
        out.print("every stored table keeps its contract")


def _print_coverage(out: Console, lake: DeltaLogs) -> None:
    table = pipeline_tables()["feature_source_coverage"]
    try:
        log = lake.log(table)
    except DamagedTable:
        return
    if log is None:
        return
    in_order = [("listener", "ascending"), ("record_count", "descending")]
    rows = log.to_pyarrow_table().sort_by(in_order).to_pylist()
    grid = Grid(title="audio features of the plays", title_justify="left")
    for name in ("listener", "source"):
        grid.add_column(name)
    for name in ("plays", "share", "tracks"):
        grid.add_column(name, justify="right")
    for listener, of_listener in groupby(rows, key=lambda row: row["listener"]):
        plays, share = 0, 0.0
        for row in of_listener:
            counts = f"{row['record_count']:,}", f"{row['percentage']:.1f} %", f"{row['track_count']:,}"
            grid.add_row(listener, row["feature_source"], *counts)
            plays, share = plays + row["record_count"], share + row["percentage"]
        grid.add_row(listener, "all", f"{plays:,}", f"{share:.1f} %", "", end_section=True)
    if rows:
        out.print(grid)


def _next_steps(settings: Settings) -> list[str]:
    lake = open_logs(settings)
    hints = []
    if _is_empty(lake, listening_history_bronze):
        hints.append("lakehouse import my_spotify_data.zip  (or `lakehouse demo-data data/demo` to try it out)")
    if _is_empty(lake, kaggle_tracks_bronze):
        hints.append("lakehouse catalogue  (without it no play has audio features)")
    if settings.spotify_client_id and not listeners_with_login(settings):
        hints.append("lakehouse auth  (SPOTIFY_CLIENT_ID is set, but nobody is logged in: no play is fetched)")
    if not settings.time_zone_is_set:
        hints.append("set LISTENER_TIME_ZONE in .env (for example Europe/Berlin): hours and dates are UTC until then")
    with suppress(DamagedTable):
        if holds_demo(lake, listening_history_bronze):
            hints.append("this is made-up demo data; the first import of your own removes it")
    return hints


def _is_empty(lake: DeltaLogs, table: Table) -> bool:
    """Whether nothing was imported into a table so far; of a damaged one nobody can tell."""
    try:
        state = lake.state(table)
    except DamagedTable:
        return False
    return not state or not state.provenance.rows


def _ago(moment: datetime) -> str:
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"
