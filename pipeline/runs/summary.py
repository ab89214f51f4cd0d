"""What a run did, and what it reports while it works. Loads neither Spark nor the tables."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lakehouse.contract import Node
from lakehouse.runlog.import_report import ImportReport

if TYPE_CHECKING:
    from pipeline.runs.plan import State

BuildStatus = Literal["built", "skipped", "failed", "blocked"]
STOPPED = ("failed", "blocked")


@dataclass(frozen=True)
class Build:
    """What a run did with one table or model."""

    table: Node
    status: BuildStatus
    reason: str
    state: "State | None" = None
    seconds: float = 0.0


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        run_id: names the run in the ops tables.
        builds: one per table and model, in the order of the registry; empty where everything was up to date.
        up_to_date: how many tables and models were found up to date by a run that had nothing to do.
        imported: the import's report, None where nothing was imported.
        killed_runs: earlier runs that were killed and are repaired by this one.
        unrecorded: one line per ops table that refused what the run recorded.
    """

    run_id: str
    builds: list[Build] = field(default_factory=list)
    up_to_date: int = 0
    imported: ImportReport | None = None
    killed_runs: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """One line per refused file, failed table and refused record."""
        refused = list(self.imported.errors) if self.imported else []
        failed = [build.reason for build in self.builds if build.status == "failed"]
        return refused + failed + self.unrecorded


@dataclass(frozen=True)
class Progress:
    """Called while a run works; by default nothing happens."""

    on_file: Callable[[str], None] = lambda name: None
    on_plan: Callable[[int], None] = lambda tables: None
    on_build: Callable[[Build], None] = lambda build: None
