"""In Trino a listener's user gets that listener's rows, and no table that does not say whose rows it has."""

from collections.abc import Iterator

import pytest
from trino.exceptions import TrinoUserError

from lakehouse.contract import Table
from lakehouse.settings import Settings
from pipeline.registry import all_tables
from tests.stack.conftest import Query
from tests.stack.household import FIRST, SECOND, second_listener, tells_listeners_apart

USER = f"listener_{SECOND}"
PLAYS = "delta.default.listening_with_features"
# Tables beside a table, and what reads one by its name.
AROUND = {
    "partitions": 'SELECT * FROM delta.default."listening_with_features$partitions"',
    "history": 'SELECT * FROM delta.default."listening_with_features$history"',
    "properties": 'SELECT * FROM delta.default."listening_with_features$properties"',
    "changes": "SELECT * FROM TABLE(delta.system.table_changes('default', 'listening_with_features', 0))",
    "another user": f"SET SESSION AUTHORIZATION listener_{FIRST}",
    "a view": f"CREATE VIEW delta.default.mine AS SELECT * FROM {PLAYS}",
}


@pytest.fixture(scope="module", autouse=True)
def household(trino: Settings) -> Iterator[None]:
    with second_listener(trino):
        yield


def name_of(table: Table) -> str:
    return f'delta.{table.trino_schema}."{table.name}"'


@pytest.mark.parametrize(
    "table", [each for each in all_tables().values() if tells_listeners_apart(each)], ids=lambda table: table.name
)
def test_a_listeners_user_gets_own_rows_and_those_for_everybody(table: Table, query: Query) -> None:
    counted = f"SELECT listener, count(*) FROM {name_of(table)} GROUP BY listener"
    everybody: dict[str, int] = dict(query(counted))
    assert {FIRST, SECOND} <= set(everybody)
    assert dict(query(counted, USER)) == {name: rows for name, rows in everybody.items() if name in (SECOND, "*")}


@pytest.mark.parametrize(
    "table", [each for each in all_tables().values() if not tells_listeners_apart(each)], ids=lambda table: table.name
)
def test_a_table_that_does_not_say_whose_rows_it_has_is_refused(table: Table, query: Query) -> None:
    query(f"SELECT * FROM {name_of(table)} LIMIT 1")
    with pytest.raises(TrinoUserError, match=r"Invalid row filter .* Column 'listener' cannot be resolved"):
        query(f"SELECT count(*) FROM {name_of(table)}", USER)


@pytest.mark.parametrize("statement", AROUND.values(), ids=AROUND)
def test_there_is_no_way_around_the_rows_of_a_table(statement: str, query: Query) -> None:
    with pytest.raises(TrinoUserError, match=r"Access Denied|Column 'listener' cannot be resolved"):
        query(statement, USER)


def test_a_condition_of_ones_own_meets_no_row_of_others(query: Query) -> None:
    told = f"SELECT count(*) FROM {PLAYS} WHERE 1 / if(listener = '{FIRST}', 0, 1) = 1"
    [[hers]] = query(f"SELECT count(*) FROM {PLAYS}", USER)
    assert query(told, USER) == [(hers,)]


@pytest.mark.parametrize("user", ["listener_", "listener_nobody"])
def test_a_listener_without_rows_gets_those_for_everybody_alone(user: str, query: Query) -> None:
    assert query(f"SELECT count(*) FROM {PLAYS}", user) == [(0,)]
    assert query("SELECT DISTINCT listener FROM delta.default.model_performance_metrics", user) == [("*",)]
