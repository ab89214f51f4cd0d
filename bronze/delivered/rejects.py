"""Records that could not be read, as `ops.rejected_rows` keeps them."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from bronze.delivered.delivered_files import BadFile, DeliveredFile
from lakehouse.contract.ops import REJECTED_ROWS
from lakehouse.runlog.spool import RunLog

# A file with more unreadable records than this is of another kind, or is parsed in a wrong way: it is refused.
MOST_REJECTED = 10_000
# Characters kept of a JSON record; one of Spotify's has about a thousand.
LONGEST_RAW_RECORD = 10_000
# The same of a row of the catalogue, which has some two hundred: a longer one is many rows, joined by an open quote.
LONGEST_RAW_ROW = 2_000


class Rejected(NamedTuple):
    """A record that could not be read.

    Attributes:
        row_number: its position in the file, from 0.
        reason: why it could not be read.
        raw: its text, cut off.
    """

    row_number: int
    reason: str
    raw: str


def refuse_too_many(file: DeliveredFile, rejected: Collection[Rejected], kind: str) -> None:
    """Refuse a file of which more than `MOST_REJECTED` records, or rows as `kind` says, were rejected.

    Raises:
        BadFile: gives the reason of the first one.
    """
    if len(rejected) > MOST_REJECTED:
        first = min(rejected).reason
        raise BadFile(f"{file.name}: more than {MOST_REJECTED} {kind} cannot be read, the first one: {first}")


def record_rejects(log: RunLog, source_file: str, rejected: Iterable[Rejected], now: datetime) -> None:
    """Write rejected records of a file to a run's log."""
    for record in rejected:
        log.add(REJECTED_ROWS, source_file=source_file, rejected_at=now, **record._asdict())
