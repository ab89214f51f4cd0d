"""The stack as plain processes, without containers: Trino and Superset, started and stopped together."""

from collections.abc import Iterable

from rich.console import Console

from lakehouse.console import say
from lakehouse.contract import Table
from lakehouse.settings import Settings
from lakehouse.stack.processes import LOOPBACK, Background, only_one
from lakehouse.stack.superset_server import start_superset, superset_answers, superset_process
from lakehouse.stack.trino_registration import answers, built, register
from lakehouse.stack.trino_server import start_trino, trino_process


def stack_up(settings: Settings, tables: Iterable[Table], console: Console, *, superset: bool = True) -> None:
    """Start Trino, register the lake's tables, then start Superset with its dashboards.

    Args:
        settings: where and how.
        tables: all tables that the lake may contain.
        console: where progress is shown.
        superset: False leaves Superset out.

    Raises:
        LakehouseError: one of them cannot be downloaded or started; says why, what to do, and where the log is.
    """
    with only_one(settings.stack_dir):
        start_trino(settings, console)
        stored = built(settings, tables)
        if stored:
            say(console, register(settings, stored).summary)
        else:
            say(console, f"The lake {settings.lake_uri} has no tables yet: `lakehouse run` makes and registers them.")
        if superset:
            start_superset(settings, console)


def stack_down(settings: Settings, console: Console) -> None:
    """Stop what `stack_up` started; it is fine if nothing runs."""
    with only_one(settings.stack_dir):
        for name, process in _processes(settings):
            say(console, f"{name} is stopped." if process.stop() else f"{name} was not running.")


def stack_status(settings: Settings, console: Console) -> bool:
    """Show what runs, where, and on which lake.

    Returns:
        Whether Trino answers, and Superset too unless it was never started or was stopped.
    """
    healthy = {"Trino": answers(settings), "Superset": superset_answers(settings)}
    for name, background in _processes(settings):
        process, facts = background.process(), background.facts
        if process is None:
            died = ", but it was started and not stopped: it died" if facts else ""
            say(console, f"{name} is not running{died}." + (f" Its log: {background.log}" if died else ""))
            healthy[name] = name == "Superset" and not facts
            continue
        answer = "answers" if healthy[name] else "runs but does not answer"
        memory = sum(member.memory_info().rss for member in (process, *process.children(recursive=True)))
        say(
            console,
            f"{name} {answer} at http://{LOOPBACK}:{facts['port']}, process {process.pid}, "
            f"{memory / 2**20:.0f} MB resident, on the lake {facts['lake']}. Its log: {background.log}",
        )
    return all(healthy.values())


def _processes(settings: Settings) -> list[tuple[str, Background]]:
    """The processes, in the order of stopping."""
    return [("Superset", superset_process(settings)), ("Trino", trino_process(settings))]
