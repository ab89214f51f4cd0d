"""Records that could not be read, as `ops.rejected_rows` keeps them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from bronze.delivered.delivered_files import BadFile, DeliveredFile
from lakehouse.contract.ops import REJECTED_ROWS
from lakehouse.runlog.spool import RunLog

# A file with more unreadable records than this is of another kind, or is parsed in a wrong way: it is refused.
MOST_REJECTED = 10_000
# The same of all files of a delivery, such as a zip or a folder.
MOST_REJECTED_TOGETHER = 50_000
# Characters kept of a JSON record; one of Spotify's has about a thousand.
LONGEST_RAW_RECORD = 10_000
# The same of a row of the catalogue, which has some two hundred: a longer one is many rows, joined by an open quote.
LONGEST_RAW_ROW = 2_000
# Characters kept of all records of a file, and of all files of a delivery: they are held in memory for a while.
MOST_RAW_OF_FILE, MOST_RAW_OF_DELIVERY = 2**20, 16 * 2**20
# In place of a record beyond that.
NO_ROOM = "(not kept: too much of its delivery cannot be read)"


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


@dataclass
class DeliveryBounds:
    """What may still be rejected of a delivery, and kept of it.

    Attributes:
        records: how many records.
        characters: of their text.
    """

    records: int = field(default_factory=lambda: MOST_REJECTED_TOGETHER)
    characters: int = field(default_factory=lambda: MOST_RAW_OF_DELIVERY)

    def take(self, file: DeliveredFile, rejected: list[Rejected]) -> list[Rejected]:
        """The rejected records of the delivery's next file, without text for which there is no room.

        Raises:
            BadFile: with those of the files before they are too many.
        """
        if len(rejected) > self.records:
            raise BadFile(
                f"{file.name}: with the files before it more than {MOST_REJECTED_TOGETHER} records cannot be read, the "
                f"first one here: {rejected[0].reason}"
            )
        self.records -= len(rejected)
        kept = []
        for record in rejected:
            has_room = len(record.raw) <= self.characters
            self.characters -= len(record.raw) if has_room else 0
            kept.append(record if has_room else record._replace(raw=NO_ROOM))
        return kept


def record_rejects(log: RunLog, source_file: str, rejected: Iterable[Rejected], now: datetime) -> None:
    """Write rejected records of a file to a run's log."""
    for record in rejected:
        log.add(REJECTED_ROWS, source_file=source_file, rejected_at=now, **record._asdict())
