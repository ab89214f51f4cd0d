"""Everybody reads, only `pipeline` registers, and nobody sees what others ask."""

from typing import Any

import pytest
import requests
from pyspark.sql import SparkSession
from rich.console import Console
from trino.exceptions import TrinoUserError

from lakehouse.maven import fetch, maven_repository
from lakehouse.settings import Settings
from lakehouse.stack.trino_server import TRINO_VERSION
from pipeline.registry import all_tables
from tests.stack.conftest import Query

JDBC_SHA256 = "a3736d21609a5a317d2ce88b3835e312e9b6f41393c1d4b09f2ad6e7aeb3bb90"
TABLE = "delta.default.feature_source_coverage"
LOCATION = "local:///gold/descriptive/feature_source_coverage"
FORBIDDEN = {
    "insert": f"INSERT INTO {TABLE} SELECT * FROM {TABLE}",
    "update": f"UPDATE {TABLE} SET record_count = 0",
    "delete": f"DELETE FROM {TABLE}",
    "truncate": f"TRUNCATE TABLE {TABLE}",
    "vacuum": "CALL delta.system.vacuum('default', 'feature_source_coverage', '7d')",
    "optimize": f"ALTER TABLE {TABLE} EXECUTE optimize",
    "analyze": f"ANALYZE {TABLE}",
}
# By the rules; or, for table procedures, by Trino itself, which does not write to local files.
REFUSED = (
    "Access Denied|Procedure .* does not exist|Writes are not enabled on the local filesystem|"
    "not supported for table with row filter"
)
FORBIDDEN_TO_READERS = {
    **FORBIDDEN,
    "create as": f"CREATE TABLE delta.default.other AS SELECT * FROM {TABLE}",
    "drop": f"DROP TABLE {TABLE}",
    "rename": f"ALTER TABLE {TABLE} RENAME TO delta.default.other",
    "add column": f"ALTER TABLE {TABLE} ADD COLUMN other bigint",
    "comment": f"COMMENT ON TABLE {TABLE} IS 'other'",
    "create": "CREATE TABLE delta.default.other (id bigint)",
    "view": f"CREATE VIEW delta.default.other AS SELECT * FROM {TABLE}",
    "register": f"CALL delta.system.register_table('default', 'other', '{LOCATION}')",
    "unregister": "CALL delta.system.unregister_table('default', 'feature_source_coverage')",
    "flush": "CALL delta.system.flush_metadata_cache()",
    "create schema": "CREATE SCHEMA delta.other",
    "drop schema": "DROP SCHEMA delta.ops CASCADE",
    "become pipeline": "SET SESSION AUTHORIZATION pipeline",
    "see queries": "SELECT * FROM system.runtime.queries",
    "see nodes": "SELECT * FROM system.runtime.nodes",
    "see metadata": "SELECT * FROM system.metadata.catalogs",
    "kill": "CALL system.runtime.kill_query('20260101_000000_00000_aaaaa', 'no')",
}


@pytest.mark.parametrize("user", ["superset", "reader", "listener_me"])
@pytest.mark.parametrize("statement", FORBIDDEN_TO_READERS.values(), ids=FORBIDDEN_TO_READERS)
def test_readers_cannot_change_anything(statement: str, user: str, query: Query) -> None:
    with pytest.raises(TrinoUserError, match=REFUSED):
        query(statement, user)
    assert query(f"SELECT count(*) > 0 FROM {TABLE}", user) == [(True,)]


@pytest.mark.parametrize("statement", FORBIDDEN.values(), ids=FORBIDDEN)
def test_pipeline_registers_but_does_not_change_rows(statement: str, query: Query) -> None:
    with pytest.raises(TrinoUserError, match=REFUSED):
        query(statement, "pipeline")


def test_readers_do_not_see_the_queries_of_others(trino: Settings, query: Query) -> None:
    query("SELECT 'a secret of alice'", "alice")
    listed = requests.get(f"{trino.trino_address}/v1/query", headers={"X-Trino-User": "bob"}, timeout=10)
    assert "a secret of alice" not in listed.text
    own = requests.get(f"{trino.trino_address}/v1/query", headers={"X-Trino-User": "alice"}, timeout=10)
    assert "a secret of alice" in own.text


def test_readers_see_the_lakes_catalog_and_the_clients_tables(query: Query) -> None:
    assert {name for (name,) in query("SHOW CATALOGS")} == {"delta", "system"}
    assert {name for (name,) in query("SHOW SCHEMAS FROM delta")} == {"default", "information_schema", "ops"}
    assert query("SELECT count(*) > 0 FROM system.jdbc.tables") == [(True,)]


def test_the_jdbc_driver_lists_tables_and_columns(
    trino: Settings, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    jar = tmp_path_factory.mktemp("jdbc") / f"trino-jdbc-{TRINO_VERSION}.jar"
    address = f"{maven_repository(trino)}/io/trino/trino-jdbc/{TRINO_VERSION}/{jar.name}"
    fetch(address, jar, JDBC_SHA256, Console())
    connection = jdbc_connection(spark, str(jar), f"jdbc:trino://127.0.0.1:{trino.trino_port}/delta")
    try:
        listed = connection.getMetaData().getTables("delta", None, "%", None)
        tables = set()
        while listed.next():
            tables.add((listed.getString("TABLE_SCHEM"), listed.getString("TABLE_NAME")))
        assert {(table.trino_schema, table.name) for table in all_tables().values()} <= tables

        listed = connection.getMetaData().getColumns("delta", "default", "temporal_trends", "%")
        columns = []
        while listed.next():
            columns.append(listed.getString("COLUMN_NAME"))
        assert columns == [column.name for column in all_tables()["temporal_trends"].columns]
    finally:
        connection.close()


def jdbc_connection(spark: SparkSession, jar: str, url: str) -> Any:
    """A connection of Trino's JDBC driver, in the Java that Spark runs in: as a client such as DBeaver has it."""
    assert spark.sparkContext._gateway is not None
    gateway = spark.sparkContext._gateway
    java = gateway.jvm.java
    urls = gateway.new_array(java.net.URL, 1)
    urls[0] = java.io.File(jar).toURI().toURL()
    driver_class = java.net.URLClassLoader(urls).loadClass("io.trino.jdbc.TrinoDriver")
    driver = driver_class.getDeclaredConstructor(gateway.new_array(java.lang.Class, 0)).newInstance(
        gateway.new_array(java.lang.Object, 0)
    )
    properties = java.util.Properties()
    properties.setProperty("user", "reader")
    return driver.connect(url, properties)
