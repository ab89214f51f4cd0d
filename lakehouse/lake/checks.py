"""Runs a contract's checks over all rows of a frame in one pass."""

from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.contract import Check, Table
from lakehouse.lake.schema import ContractViolation

# Columns that are added to the rows while they are checked: which checks a row fails, and its hash.
FAILS, DIGEST = "_fails_", "_digest"


@dataclass(frozen=True)
class CheckResult:
    """How many rows fail a check."""

    check: Check
    failing_rows: int

    @property
    def passed(self) -> bool:
        """Whether no row fails."""
        return self.failing_rows == 0


class Evaluation(NamedTuple):
    """What one pass over all rows of a frame finds: their number, the result of each check, and a digest."""

    rows: int
    checks: tuple[CheckResult, ...]
    digest: str
    # Rows and digest of each listener; {} where the table is not by listener.
    by_listener: dict[str, tuple[int, str]]


def enforce(table: Table, frame: DataFrame) -> Evaluation:
    """Count rows, run all checks of the contract and digest the rows in one pass.

    Raises:
        ContractViolation: lists every failed check of severity 'fail'.
    """
    # As text: building expressions one by one costs more calls into Java than a small table has rows.
    aggregates = ["count(1) AS rows", f"bit_xor({row_digest(frame)}) AS digest"]
    aggregates += [f"count_if({check.failing}) AS c{i}" for i, check in enumerate(table.all_checks)]
    if table.key:
        values = ", ".join(f"coalesce(CAST(`{name}` AS STRING), '')" for name in table.key)
        aggregates.append(f"count(DISTINCT {values}) AS keys")
    grouped = ["listener"] if table.is_by_listener else []
    counts = frame.groupBy(*grouped).agg(*map(F.expr, aggregates)).toArrow().to_pylist()
    failing = [sum(each[f"c{i}"] for each in counts) for i in range(len(table.all_checks))]
    keys = sum(each["keys" if table.key else "rows"] for each in counts)
    digests = {each.get("listener"): (each["rows"], each["digest"] or 0) for each in counts}
    return evaluate(table, failing, keys, digests)


def collect_with_checks(table: Table, frame: DataFrame, most_rows: int) -> pa.Table | None:
    """Collect the rows with the checks that each fails and its hash; None where there are more than `most_rows`.

    A second job for the checks would take longer than everything else.
    """
    results = [f"({check.failing}) AS {FAILS}{i}" for i, check in enumerate(table.all_checks)]
    rows = frame.selectExpr("*", *results, f"{row_digest(frame)} AS {DIGEST}").limit(most_rows + 1).toArrow()
    return rows if rows.num_rows <= most_rows else None


def evaluate_rows(table: Table, rows: pa.Table) -> Evaluation:
    """The same as `enforce` for rows that `collect_with_checks` has collected."""
    failing = [pc.sum(rows[f"{FAILS}{i}"]).as_py() or 0 for i in range(len(table.all_checks))]
    keys = rows.group_by(list(table.key)).aggregate([]).num_rows if table.key else rows.num_rows
    hashes = pd.Series(rows[DIGEST].to_numpy())
    groups = hashes.groupby(rows["listener"].to_pandas(), dropna=False) if table.is_by_listener else [(None, hashes)]
    digests = {name: (len(group), int(np.bitwise_xor.reduce(group.to_numpy()))) for name, group in groups}
    return evaluate(table, failing, keys, digests)


def row_digest(frame: DataFrame) -> str:
    """SQL for a row's hash. Spark's hash skips nulls, so their positions are hashed along with the values."""
    names = [f"`{name}`" for name in frame.columns]
    return f"xxhash64({', '.join([*names, *(f'{name} IS NULL' for name in names)])})"


def evaluate(table: Table, failing: list[int], keys: int, digests: dict[str | None, tuple[int, int]]) -> Evaluation:
    """The result of each check.

    Args:
        table: the contract.
        failing: number of rows that fail each of `all_checks`.
        keys: number of distinct keys.
        digests: rows and digest of each listener; of a table that is not by listener, of all rows under None.

    Raises:
        ContractViolation: lists every failed check of severity 'fail'.
    """
    rows = sum(count for count, _ in digests.values())
    results = [CheckResult(check, count) for check, count in zip(table.all_checks, failing, strict=True)]
    if table.key:
        results.append(CheckResult(Check(f"unique({', '.join(table.key)})", ""), rows - keys))
    if table.min_rows:
        enough_rows = Check(f"min_rows({table.min_rows})", "", "warn")
        results.append(CheckResult(enough_rows, max(0, table.min_rows - rows)))
    failed = [result for result in results if not result.passed and result.check.severity == "fail"]
    if failed:
        listed = "; ".join(f"{result.check.name}: {result.failing_rows} rows" for result in failed)
        raise ContractViolation(f"{table.name} breaks its contract, its last good version stays. {listed}")
    digest = reduce(xor, (each for _, each in digests.values()), 0)
    by_listener = {name: (count, f"{each:x}") for name, (count, each) in digests.items() if name is not None}
    return Evaluation(rows, tuple(results), f"{digest:x}", by_listener)
