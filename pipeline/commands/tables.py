"""Commands that import, build, check and show the tables."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from lakehouse import PROJECT
from lakehouse.console import say
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.listeners import require_listener_name
from lakehouse.settings import Settings, load_settings
from pipeline.commands.console import app, err, exit_on, out, progress_bar, require


@app.command()
def run(
    select: Annotated[
        list[str] | None,
        typer.Option("--select", "-s", metavar="TABLE", help="Build only this table and its inputs; repeatable."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Rebuild tables even where nothing changed.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Use made-up data if the lake holds no listening yet.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be built, and why, and do nothing.")
    ] = False,
    trigger: Annotated[str, typer.Option(hidden=True)] = "manual",
) -> None:
    """Import waiting files from the import folder and bring every table up to date.

    A table is rebuilt only when its inputs, its code or its settings changed. Without news nothing starts.
    """
    from pipeline.runs import run as runs
    from pipeline.runs.up_to_date import NO_NEWS

    settings = load_settings()
    if dry_run:
        planned = runs.dry_run(settings, select=select or (), full=full)
        if planned.up_to_date:
            out.print(NO_NEWS.format(tables=planned.up_to_date))
            return
        from pipeline import report

        report.print_plan(out, planned)
        return
    with progress_bar("run") as progress, _demo_data(settings) if demo else nullcontext(settings) as sources:
        summary = runs.run(sources, select=select or (), full=full, trigger=trigger, progress=progress)
    if summary.up_to_date:
        out.print(NO_NEWS.format(tables=summary.up_to_date))
        return
    from pipeline import report

    report.print_run(out, summary, settings)
    if any(build.status == "built" for build in summary.builds):
        show_new_rows(settings)
    exit_on(summary.errors)


@app.command("import")
def import_(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Zips, folders or files of listening history.")
    ],
    listener: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose listening it is; by default LISTENER's.")
    ] = None,
) -> None:
    """Import Spotify's privacy export, extended or short, or recorded Web API answers.

    Every record is accounted for; importing anything again changes nothing. `lakehouse run` then rebuilds the tables.
    """
    from pipeline import report
    from pipeline.runs import upkeep

    settings = load_settings()
    require(paths)
    if listener is not None:
        require_listener_name(listener)
    with progress_bar("import") as progress:
        summary = upkeep.import_files(settings, paths, listener=listener, progress=progress)
    if summary.imported:
        report.print_import(out, summary.imported)
    exit_on(summary.errors)


@app.command()
def catalogue(
    path: Annotated[
        Path | None, typer.Argument(help="The catalogue as csv, csv.gz or zip; without it, download.")
    ] = None,
) -> None:
    """Import the Kaggle catalogue of tracks with audio features: a file of yours, or a fresh download."""
    from bronze import kaggle_download
    from pipeline import report
    from pipeline.runs import upkeep

    settings = load_settings()
    if path is None:
        with err.status("downloading the catalogue from Kaggle"):
            path = kaggle_download.kaggle_catalogue(settings.kaggle_csv)
    require([path])
    with progress_bar("catalogue") as progress:
        summary = upkeep.import_files(settings, [], catalogue=path, progress=progress)
    if summary.imported:
        report.print_import(out, summary.imported)
    exit_on(summary.errors)


@app.command()
def status() -> None:
    """Show tables with rows, versions and freshness, and how many plays have audio features."""
    from pipeline import report

    report.print_status(out, load_settings())


@app.command()
def check() -> None:
    """Run every check of every contract on the tables as they are stored."""
    from pipeline import report
    from pipeline.runs import upkeep

    settings = load_settings()
    with progress_bar("check") as progress:
        summary = upkeep.check(settings, progress=progress)
    report.print_check(out, summary)
    exit_on(summary.errors)


@app.command()
def maintain() -> None:
    """Compact the tables' small files and delete those that no reader needs any more. The scheduler does so weekly."""
    from pipeline.runs import upkeep

    settings = load_settings()
    with progress_bar("maintain") as progress:
        summary = upkeep.maintain(settings, progress=progress)
    out.print(f"{sum(build.status == 'built' for build in summary.builds)} tables are in good order")
    exit_on(summary.errors)


@app.command("demo-data")
def demo_data(
    directory: Annotated[Path, typer.Argument(help="Folder to write to; created when missing.")],
    seed: Annotated[int | None, typer.Option(help="Another seed gives another listener.")] = None,
    listeners: Annotated[int, typer.Option(help="How many people listen; each but the first has a folder.")] = 1,
) -> None:
    """Write a made-up catalogue and listening history to try the stack out.

    Every id starts with `demo`; the first import of real data removes all of it from the lake.
    """
    from pipeline.demo.data import write_demo_data

    try:
        files = write_demo_data(directory, seed=seed, listeners=listeners)
    except OSError as error:
        raise UsageError(f"cannot write the demo data: {error}") from None
    histories = [files.history, *files.others.values()]
    say(out, "\n".join([f"catalogue  {files.catalogue}", *(f"history    {history}" for history in histories)]))


@app.command()
def docs() -> None:
    """Regenerate the layers' README files (the data dictionary) from the contracts."""
    from pipeline.documents.dictionary import write_docs

    if Path.cwd() != PROJECT:
        raise UsageError(
            f"{Path.cwd()} is not the project's folder: the documents are part of its source, in {PROJECT}"
        )
    changed = write_docs(PROJECT)
    out.print("\n".join(f"wrote {path}" for path in changed) or "the data dictionary is up to date")


@contextmanager
def _demo_data(settings: Settings) -> Iterator[Settings]:
    """The settings with made-up data as the sources, where nothing was imported into the lake so far."""
    from bronze.listening_history import listening_history_bronze
    from lakehouse.lake.logs import open_logs
    from pipeline.demo.data import write_demo_data

    history = open_logs(settings).state(listening_history_bronze)
    if history and history.provenance.rows:
        yield settings
        return
    with tempfile.TemporaryDirectory(prefix="lakehouse-demo-") as folder:
        files = write_demo_data(Path(folder))
        yield settings.model_copy(update={"kaggle_csv": files.catalogue, "import_dir": files.history.parent})


def show_new_rows(settings: Settings) -> None:
    """Let a stack that is up show what was written: Trino sees new tables, and Superset drops cached rows."""
    _register_where_trino_answers(settings)
    _refresh_where_superset_answers(settings)


def _register_where_trino_answers(settings: Settings) -> None:
    """Trino sees new versions by itself, but new tables only when they are registered."""
    from lakehouse.stack import trino_registration
    from pipeline import registry

    if trino_registration.answers(settings):
        try:
            message = trino_registration.register(settings, registry.all_tables().values()).summary
        except LakehouseError as error:  # no failure of the run: it may be another lake's Trino
            message = str(error)
        say(out, message)


def _refresh_where_superset_answers(settings: Settings) -> None:
    """Superset caches the charts' rows until its cache is invalidated."""
    from lakehouse.stack.superset_refresh import refresh

    with err.status("Superset ...") as status:
        try:
            done = refresh(settings, lambda charts, of: status.update(f"Superset: {charts} of {of} charts"))
            message = done.summary if done else ""
        except LakehouseError as error:  # no failure of the run
            message = f"Superset may show old data for a day: {error}"
    if message:
        say(out, message)
