"""How large tables are updated incrementally from new rows of an input, instead of being rebuilt."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Growth:
    """Incremental update by time: only rows from a watermark on are recomputed.

    Attributes:
        input: the input that grows.
        by: the timestamp column of both the table and that input.
        settled_before: computes the watermark from the table's rows and the timestamp of the earliest input row that
            is new or affected; timestamps are microseconds since 1970, in UTC. Returns a frame of one row: table rows
            before the watermark are final, the others follow from input rows since then; null where it is unknown.
            None where each table row follows from one input row: the watermark is that earliest timestamp.
        joined: other inputs that are joined on a key, so that only rows with the keys of the new rows matter. Where
            those are few, the transform gets only these rows.
        key_of: the join key as a column over the input's rows.
        of_few: optional faster equivalent of the transform, used when the new rows are few.
    """

    input: str
    by: str
    settled_before: Callable[[Any, int], Any] | None = None
    joined: tuple[str, ...] = ()
    key_of: Callable[[], Any] | None = None
    of_few: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Summary:
    """When new rows of an input do not change a large table that aggregates them, so that it can stay as it is.

    Attributes:
        input: the input that grows.
        adds: of the new input rows and the table's rows, returns the new rows that may change the table.
    """

    input: str
    adds: Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Update:
    """Incremental update of a small aggregate of a large input, without a scan of the input.

    Attributes:
        input: the input that grows.
        updated: of the table's rows, all input rows and the new input rows, returns the table's new rows.
        by: a column of that input; where more than few of its rows are as recent by it as the first new one, the table
            is rebuilt. None where that does not matter.
    """

    input: str
    updated: Callable[[Any, Any, Any], Any]
    by: str | None = None
