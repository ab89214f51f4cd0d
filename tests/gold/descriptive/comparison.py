"""Compares a gold table with what pandas makes of the same plays."""

import pandas as pd
from pyspark.sql import DataFrame

from tests.support.frames import LISTENER


def assert_same_rows(frame: DataFrame, expected: pd.DataFrame, key: list[str]) -> None:
    """Same columns, keys and values, in any order; doubles within 1e-9 relative. All rows are `LISTENER`'s."""
    actual = frame.toPandas()
    assert set(actual.get("listener", [])) <= {LISTENER}
    actual = actual.drop(columns="listener", errors="ignore")
    expected = expected.drop(columns="listener", errors="ignore")
    key = [name for name in key if name != "listener"]
    assert set(actual.columns) == set(expected.columns)
    pd.testing.assert_frame_equal(
        actual.sort_values(key, ignore_index=True)[list(expected.columns)],
        expected.sort_values(key, ignore_index=True),
        check_dtype=False,
        rtol=1e-9,
        atol=1e-12,
    )
