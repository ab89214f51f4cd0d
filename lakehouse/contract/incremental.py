"""How large tables take in new rows of an input instead of being rebuilt."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Growth:
    """How a large table takes in new rows of one input: by what lies behind an instant, instead of being made anew.

    Attributes:
        input: the input that grows.
        by: the column of instants, of the table and of that input.
        settled_before: gets the table's rows and the instant of the earliest row of the input that is new or concerned,
            and returns a frame of one instant. The table's rows before it do not change, and the others are made of the
            input's from it on; null where nobody can tell. Instants are microseconds since 1970, in UTC. None where
            each row is made of one of the input's alone: the instant is that earliest row's.
        joined: other inputs, whose rows concern those of the input with the same key, and no others. So where the
            input's rows are few, the transform gets only those rows of the joined inputs that have one of their keys.
        key_of: tells that key of the input's rows.
        of_few: makes what the transform makes of the arguments that it would get, sooner where the input's rows are
            few; None where the transform is as good.
    """

    input: str
    by: str
    settled_before: Callable[[Any, int], Any] | None = None
    joined: tuple[str, ...] = ()
    key_of: Callable[[], Any] | None = None
    of_few: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Summary:
    """When new rows of one input change nothing in a large table that sums them up, so that it need not be made anew.

    Attributes:
        input: the input that grows.
        adds: gets new rows of that input and the table's, and returns those of the new ones that may change the table.
    """

    input: str
    adds: Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Update:
    """How a small table that sums up a large input takes in new rows of it, without looking through it all.

    Attributes:
        input: the input that grows.
        updated: gets the table's rows, all of the input's and the new ones, and returns what the table holds now.
        by: a column of that input; where more than few rows are as new by it as the first new one, the table is made
            anew. None where that does not matter.
    """

    input: str
    updated: Callable[[Any, Any, Any], Any]
    by: str | None = None
