"""The command line: `lakehouse --help`."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.settings import Settings, load_settings

# Heavy imports (Spark, pandas) happen inside the commands: help and runs without news answer at once.

app = typer.Typer(
    name="lakehouse",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""Your own music listening as a lakehouse.

    Bring Spotify's privacy export and the Kaggle catalogue of tracks, then build the tables:

      lakehouse catalogue           # the catalogue with audio features
      lakehouse import my_spotify_data.zip
      lakehouse run                 # bronze, silver and gold
      lakehouse status              # what is there

    Settings come from the environment and the file .env; .env.example explains each.
    """,
)
stack_app = typer.Typer(
    no_args_is_help=True, help="Start and stop Trino and Superset as plain processes, without containers."
)
app.add_typer(stack_app, name="stack")
dashboards_app = typer.Typer(no_args_is_help=True, help="Superset's dashboards as files.")
app.add_typer(dashboards_app, name="dashboards")
out = Console()
err = Console(stderr=True)


@app.command()
def run(
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select", "-s", metavar="TABLE", help="Build only this table and what it is made from; repeatable."
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Rebuild tables even where nothing changed.")] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Take made-up data, if the lake holds no listening yet.")
    ] = False,
    trigger: Annotated[str, typer.Option(hidden=True)] = "manual",
) -> None:
    """Take waiting files from the import folder and bring every table up to date.

    A table is rebuilt only when its inputs, its code or its settings changed. Without news nothing starts.
    """
    from lakehouse import no_news

    settings = load_settings()
    if not (select or full or demo) and (tables := no_news.run_without_news(settings, trigger)):
        out.print(no_news.NO_NEWS.format(tables=tables))
        return
    from lakehouse import report, runner

    with _progress("run") as progress, _demo_data(settings) if demo else nullcontext(settings) as sources:
        summary = runner.run(sources, select=select or (), full=full, trigger=trigger, progress=progress)
    report.print_run(out, summary, settings)
    if any(build.status == "built" for build in summary.builds):
        _register_where_trino_answers(settings)
        _refresh_where_superset_answers(settings)
    _exit_on(summary.errors)


@app.command("import")
def import_(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Zips, folders or files of listening history.")
    ],
) -> None:
    """Import Spotify's privacy export, extended or short, or recorded Web API answers.

    Every record is accounted for; importing anything again changes nothing. `lakehouse run` then rebuilds the tables.
    """
    from lakehouse import report, runner

    settings = load_settings()
    _require(paths)
    with _progress("import") as progress:
        summary = runner.import_files(settings, paths, progress=progress)
    if summary.imported:
        report.print_import(out, summary.imported)
    _exit_on(summary.errors)


@app.command()
def catalogue(
    path: Annotated[
        Path | None, typer.Argument(help="The catalogue as csv, csv.gz or zip; without it, download.")
    ] = None,
) -> None:
    """Take the Kaggle catalogue of tracks with audio features: a file of yours, or a fresh download."""
    from lakehouse import kaggle_download, report, runner

    settings = load_settings()
    if path is None:
        with err.status("downloading the catalogue from Kaggle"):
            path = kaggle_download.kaggle_catalogue(settings.kaggle_csv)
    _require([path])
    with _progress("catalogue") as progress:
        summary = runner.import_files(settings, [], catalogue=path, progress=progress)
    if summary.imported:
        report.print_import(out, summary.imported)
    _exit_on(summary.errors)


@app.command()
def auth(
    show_status: Annotated[bool, typer.Option("--status", help="Show whose login it is and when it ends.")] = False,
    browser: Annotated[bool, typer.Option(help="Open a browser where there is one.")] = True,
) -> None:
    """Log in at Spotify, so that new plays can be fetched; again every six months.

    The browser comes back to this machine, or its address is pasted here: in containers and on machines without a
    screen always. Tokens are kept in SPOTIFY_TOKEN_FILE, readable for you alone.
    """
    from lakehouse import report
    from lakehouse.login_status import LOG_IN, login_status

    settings, now = load_settings(), datetime.now(UTC)
    if show_status:
        login = login_status(settings.spotify_token_file)
        if login is None:
            raise LakehouseError(f"nobody is logged in at Spotify: {LOG_IN}")
        report.print_login(out, login, now)
        if login.has_ended(now):
            raise typer.Exit(1)
        return
    from lakehouse.spotify_callback import receive_code
    from lakehouse.spotify_login import SpotifyLogin

    login_now = SpotifyLogin(settings, now)
    code = receive_code(login_now, settings.spotify_redirect_uri, out, opens_browser=browser)
    report.print_login(out, login_now.complete(code), now)


@app.command()
def poll() -> None:
    """Ask Spotify for new plays; they wait for the next run. The scheduler does so by itself."""
    from lakehouse import registry

    found = registry.poller().poll(load_settings(), datetime.now(UTC))
    out.print(f"{found.new_plays:,} new plays" if found.new_plays else "no news", highlight=False)
    if found.gap:
        out.print(f"plays {found.gap} were likely missed: poll more often", highlight=False, soft_wrap=True)


@app.command()
def features() -> None:
    """Ask for audio features of tracks that have none: Spotify where it still tells, ReccoBeats if switched on."""
    from lakehouse import registry

    fetched = registry.features_fetcher().fetch(load_settings(), datetime.now(UTC))
    out.print(f"{fetched.answered:,} of {fetched.asked:,} tracks have features", highlight=False)
    for note in fetched.notes:
        out.print(note, markup=False, highlight=False, soft_wrap=True)


@app.command()
def status() -> None:
    """Show tables with rows, versions and freshness, and how many plays have audio features."""
    from lakehouse import report

    report.print_status(out, load_settings())


@app.command()
def register() -> None:
    """Show the lake's tables to Trino; every run does so, too, while Trino answers. May be repeated at any time."""
    from lakehouse import registry, trino_registration

    settings = load_settings()
    registration = trino_registration.register(settings, registry.all_tables().values())
    out.print(registration.summary, markup=False, highlight=False, soft_wrap=True)
    if registration.broken:
        raise typer.Exit(1)


@app.command()
def sql() -> None:
    """Open Trino's own client on the lake's tables."""
    from lakehouse.trino_server import sql_command

    command = sql_command(load_settings(), err)
    os.execv(command[0], command)  # noqa: S606  (our own Java and client)


@stack_app.command("up")
def stack_up(
    trino_only: Annotated[bool, typer.Option("--trino-only", help="Leave Superset out.")] = False,
) -> None:
    """Start Trino and Superset on this machine, register the lake's tables and import the dashboards.

    The first time Trino is downloaded. Superset's environment is made by `make superset`.
    """
    from lakehouse import stack

    stack.stack_up(load_settings(), out, superset=not trino_only)


@stack_app.command("down")
def stack_down() -> None:
    """Stop what `lakehouse stack up` started."""
    from lakehouse import stack

    stack.stack_down(load_settings(), out)


@stack_app.command("status")
def stack_status() -> None:
    """Say whether Trino and Superset run and answer; exit code 1 where one that should does not."""
    from lakehouse import stack

    if not stack.stack_status(load_settings(), out):
        raise typer.Exit(1)


@dashboards_app.command("export")
def dashboards_export(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DASHBOARD]...", help="Slugs or titles; without one, every published dashboard."),
    ] = None,
    folder: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the assets are kept.")] = Path(
        "superset/assets"
    ),
) -> None:
    """Bring dashboards and charts that were made or changed in Superset into the files that lie in git.

    Each keeps its uuid and its file; what says the same already is not touched. Look at the changes with `git diff`.
    """
    from lakehouse.dashboards_export import export

    done = export(load_settings(), folder, names or ())
    lines = [*(f"wrote {folder / path}" for path in done.written), *(f"left out {what}" for what in done.left_out)]
    for line in (*lines, f"{done.unchanged} assets are in git as they are"):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def credentials(
    create: Annotated[
        bool, typer.Option("--create", help="Make the secrets that are missing, and show none of them.")
    ] = False,
) -> None:
    """Show where Superset is and how to log in.

    Secrets are made at random when the stack first starts, and kept in SECRETS_DIR, readable for you alone.
    """
    from lakehouse.secret_files import create_secrets, read_secret

    settings = load_settings()
    if create:
        made = create_secrets(settings.secrets_dir)
        out.print(
            f"{len(made)} secrets made in {settings.secrets_dir}: `lakehouse credentials` shows how to log in",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
        return
    password = read_secret(settings.secrets_dir, "superset_admin_password")
    lines = (
        f"Superset  {settings.superset_browser_address}",
        "user      admin",
        f"password  {password}",
        f"kept in   {settings.secrets_dir / 'superset_admin_password'}",
    )
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def check() -> None:
    """Run every check of every contract on the tables as they are stored."""
    from lakehouse import report, runner

    settings = load_settings()
    with _progress("check") as progress:
        summary = runner.check(settings, progress=progress)
    report.print_check(out, summary)
    _exit_on(summary.errors)


@app.command()
def maintain() -> None:
    """Join small files of the tables and delete those that no reader needs any more. The scheduler does so weekly."""
    from lakehouse import runner

    settings = load_settings()
    with _progress("maintain") as progress:
        summary = runner.maintain(settings, progress=progress)
    out.print(f"{sum(build.status == 'built' for build in summary.builds)} tables are in good order")
    _exit_on(summary.errors)


LakeOnly = Annotated[bool, typer.Option("--lake-only", help="Leave Superset's metadata out.")]


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write; - is standard output.")], lake_only: LakeOnly = False
) -> None:
    """Save the lake, its models and Superset's metadata in one file. No secrets and no login at Spotify are in it."""
    from lakehouse import backup as backups

    with _bytes_done("saving") as told:
        made = backups.backup(load_settings(), file, lake_only=lake_only, told=told)
    _tell_backup(f"saved in {file}", made)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="File that `lakehouse backup` wrote; - is standard input.")],
    lake_only: LakeOnly = False,
) -> None:
    """Put a backup in place of the lake and of Superset's metadata; what is there is gone then.

    Until all of it is unpacked and found whole, nothing changes. Users of Superset keep the passwords they have here.
    """
    from lakehouse import backup as backups
    from lakehouse import registry, trino_registration

    settings = load_settings()
    with _bytes_done("unpacking") as told:
        made = backups.restore(settings, file, lake_only=lake_only, told=told)
    _tell_backup(f"restored from {made.made_at} UTC", made)
    if trino_registration.answers(settings) and trino_registration.built(settings, registry.all_tables().values()):
        registration = trino_registration.register(settings, registry.all_tables().values())
        err.print(registration.summary, markup=False, highlight=False, soft_wrap=True)


def _tell_backup(what: str, made: Any) -> None:
    superset = "with" if made.superset else "without"
    err.print(
        f"{what}: {made.files:,} files, {made.bytes / 1e6:,.1f} MB, {superset} Superset's metadata",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


@contextmanager
def _bytes_done(task_name: str) -> Iterator[Any]:
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=err, transient=True
    ) as bar:
        task = bar.add_task(task_name, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


@app.command("demo-data")
def demo_data(
    directory: Annotated[Path, typer.Argument(help="Folder to write to; created when missing.")],
    seed: Annotated[int | None, typer.Option(help="Another seed makes another listener.")] = None,
) -> None:
    """Write a made-up catalogue and listening history, for trying the stack out.

    Every id starts with `demo`; the first import of real data removes all of it from the lake.
    """
    from lakehouse.demo_data import write_demo_data

    try:
        files = write_demo_data(directory, seed=seed)
    except OSError as error:
        raise UsageError(f"cannot write the demo data: {error}") from None
    out.print(f"catalogue  {files.catalogue}\nhistory    {files.history}", highlight=False, soft_wrap=True)


@app.command()
def docs() -> None:
    """Regenerate the layers' README files (the data dictionary) from the contracts."""
    from lakehouse.docs import write_docs

    root = Path(__file__).resolve().parents[1]
    if Path.cwd() != root:
        raise UsageError(f"{Path.cwd()} is not the project's folder: the documents are part of its source, in {root}")
    changed = write_docs(root)
    out.print("\n".join(f"wrote {path}" for path in changed) or "the data dictionary is up to date")


def main() -> None:
    """Entry point: errors become one line on stderr and an exit code, never a traceback.

    Exit codes: 0 success, 1 failure, 2 wrong usage.
    """
    try:
        app(standalone_mode=True)
    except LakehouseError as error:
        _fail(str(error), 2 if isinstance(error, UsageError) else 1)
    except ConnectionRefusedError:
        _fail(
            "Spark's Java process is gone, most likely for want of memory: give it more (`mem_limit` in "
            "docker-compose.yml), or set SPARK_DRIVER_MEMORY or the cores in SPARK_MASTER lower; then run it again",
            1,
        )
    except KeyboardInterrupt:
        _fail("interrupted; the next run repairs what this one left", 1)
    except Exception as error:
        if os.environ.get("LAKEHOUSE_TRACEBACK"):
            raise
        _fail(
            f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]} "
            "(LAKEHOUSE_TRACEBACK=1 shows where; please report it)",
            1,
        )


@contextmanager
def _demo_data(settings: Settings) -> Iterator[Settings]:
    """The settings with made-up data in place of the delivered, where nothing was imported into the lake so far."""
    from lakehouse.demo_data import write_demo_data
    from lakehouse.registry import importers
    from lakehouse.storage import open_lake

    history = open_lake(settings).state(importers().listening_history_bronze)
    if history and history.provenance.rows:
        yield settings
        return
    with tempfile.TemporaryDirectory(prefix="lakehouse-demo-") as folder:
        files = write_demo_data(Path(folder))
        yield settings.model_copy(update={"kaggle_csv": files.catalogue, "import_dir": files.history.parent})


def _register_where_trino_answers(settings: Settings) -> None:
    """Trino sees new versions by itself, but new tables only when they are registered."""
    from lakehouse import registry, trino_registration

    if trino_registration.answers(settings):
        try:
            told = trino_registration.register(settings, registry.all_tables().values()).summary
        except LakehouseError as error:  # the tables are built all the same; it may be another lake's Trino
            told = str(error)
        out.print(told, markup=False, highlight=False, soft_wrap=True)


def _refresh_where_superset_answers(settings: Settings) -> None:
    """Superset keeps charts' rows until it is told that they are old."""
    from lakehouse.superset_refresh import refresh

    with err.status("Superset ...") as status:
        try:
            done = refresh(settings, lambda charts, of: status.update(f"Superset: {charts} of {of} charts"))
            told = done.summary if done else ""
        except LakehouseError as error:  # the tables are built all the same
            told = f"Superset may show old data for a day: {error}"
    if told:
        out.print(told, markup=False, highlight=False, soft_wrap=True)


def _fail(message: str, code: int) -> None:
    err.print(f"[bold red]error[/] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(code)


def _exit_on(errors: list[str]) -> None:
    for error in errors:
        err.print(f"[bold red]error[/] {escape(error)}", highlight=False, soft_wrap=True)
    if errors:
        raise typer.Exit(1)


def _require(paths: list[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")


@contextmanager
def _progress(task_name: str) -> Iterator[Any]:
    from lakehouse import runner

    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=err, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task(f"{task_name}: starting", total=None)
        yield runner.Progress(
            on_file=lambda name: bar.update(task, description=f"reading {escape(name[-60:])}"),
            on_plan=lambda tables: bar.update(task, description="building", total=tables, completed=0),
            on_build=lambda build: bar.update(task, description=f"{build.status} {build.table.name}", advance=1),
        )
