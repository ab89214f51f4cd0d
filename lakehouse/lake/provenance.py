"""What a commit was made from, stored in the commit itself."""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from deltalake import DeltaTable

# Delta's names of operations after which a table has the same rows.
KEEPS_ROWS = {
    "OPTIMIZE", "REORG", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "CHANGE COLUMN",
    "ADD COLUMNS", "ADD CONSTRAINT", "DROP CONSTRAINT", "UPGRADE PROTOCOL", "COMPUTE STATS", "CLUSTER BY",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One listener's rows in a table.

    Attributes:
        version: the Delta version since which these rows are the same.
        inputs: data version of each input, of a table by listener that of the listener's own rows.
        rows: number of rows.
        digest: of these rows, whatever their order.
        parameters: of the settings that the transform took, those that a listener may have a value of their own of.
    """

    version: int
    inputs: dict[str, int | str] = field(default_factory=dict)
    rows: int = 0
    digest: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Provenance:
    """What one commit was made from.

    Attributes:
        run_id: the run that committed.
        code: fingerprint of the transform's code and contract, '' for imports.
        parameters: the settings that the transform took, without those in `parts`.
        inputs: data version of each input: a table's Delta version, a model's artifact version.
        rows: rows in the table after the commit.
        digest: of all rows, whatever their order; '' where only a part of them was looked at.
        same_as: the version whose rows these still are; None for a commit that may have changed rows.
        parts: the rows of each listener; None where the table is not by listener, or another program wrote it.
    """

    run_id: str
    code: str = ""
    parameters: dict[str, str] | None = None
    inputs: dict[str, int | str] | None = None
    rows: int = 0
    digest: str = ""
    same_as: int | None = None
    parts: dict[str, Part] | None = None


@dataclass(frozen=True)
class TableState:
    """The newest data of a table: the Delta version of its rows, what they were last made from, and when."""

    version: int
    provenance: Provenance
    committed_at: datetime

    def version_for(self, listener: str) -> int:
        """The version since which a listener's rows are the same; -1 where there are none."""
        if self.provenance.parts is None:
            return self.version
        part = self.provenance.parts.get(listener)
        return part.version if part else -1


def commit_metadata(provenance: Provenance) -> str:
    """Provenance as a Delta commit's user metadata."""
    return json.dumps(asdict(provenance))


def newest_state(log: DeltaTable) -> TableState:
    """The state of a table that was written, from its newest commits."""
    for limit in (1, 10, None):
        foreign = None
        for commit in log.history(limit):
            if provenance := _provenance_in(commit):
                if foreign is None:
                    return _state(commit, provenance)
                return _state(
                    foreign, replace(provenance, code="", rows=_rows_in(log), digest="", same_as=None, parts=None)
                )
            if foreign is None and commit.get("operation") not in KEEPS_ROWS:
                foreign = commit
    # The log no longer reaches back to a commit of ours: the rows are there all the same.
    return _state(foreign or log.history(1)[0], Provenance(run_id="", rows=_rows_in(log)))


def _state(commit: dict[str, Any], provenance: Provenance) -> TableState:
    committed_at = datetime.fromtimestamp(commit["timestamp"] / 1000).astimezone()
    version = int(commit["version"]) if provenance.same_as is None else provenance.same_as
    return TableState(version, provenance, committed_at)


def _rows_in(log: DeltaTable) -> int:
    return int(log.to_pyarrow_dataset().count_rows())


def _provenance_in(commit: dict[str, Any]) -> Provenance | None:
    try:
        stored = json.loads(commit["userMetadata"])
        parts = stored.get("parts")
        return Provenance(**{**stored, "parts": parts and {name: Part(**part) for name, part in parts.items()}})
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
