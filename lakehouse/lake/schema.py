"""A contract's columns as Spark, Arrow and Delta schemas."""

import json

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from lakehouse.contract import Table
from lakehouse.contract.columns import Column
from lakehouse.errors import LakehouseError

SPARK_TYPES: dict[str, T.DataType] = {
    "bigint": T.LongType(),
    "int": T.IntegerType(),
    "double": T.DoubleType(),
    "string": T.StringType(),
    "boolean": T.BooleanType(),
    "timestamp": T.TimestampType(),
    "timestamp_ntz": T.TimestampNTZType(),
    "date": T.DateType(),
}


class ContractViolation(LakehouseError):
    """A frame that breaks its table's contract; nothing was written."""


def schema_of(table: Table) -> T.StructType:
    """The table's Spark schema; comments travel in the fields' metadata, as Delta and Trino read them."""
    return T.StructType(
        [
            T.StructField(column.name, SPARK_TYPES[column.type], True, {"comment": comment_of(column)})
            for column in table.columns
        ]
    )


def comment_of(column: Column) -> str:
    """A column's meaning with its unit."""
    return f"{column.meaning} [{column.unit}]" if column.unit else column.meaning


def description_of(table: Table) -> str:
    """A table's comment: purpose and grain."""
    return f"{table.purpose} {table.grain}"


def conform(table: Table, frame: DataFrame) -> DataFrame:
    """The frame with the contract's columns in order; nothing is cast.

    Raises:
        ContractViolation: lists every missing, unexpected, repeated and wrongly typed column at once.
    """
    names = frame.columns
    types = {field.name: field.dataType for field in frame.schema.fields}
    wanted = {column.name: SPARK_TYPES[column.type] for column in table.columns}
    problems = {
        "missing": [name for name in wanted if name not in types],
        "unexpected": [name for name in types if name not in wanted],
        "repeated": sorted({name for name in names if names.count(name) > 1}),
        "wrong type": [
            f"{name} is {types[name].simpleString()}, not {wanted[name].simpleString()}"
            for name in wanted
            if name in types and types[name] != wanted[name]
        ],
    }
    found = "; ".join(f"{kind}: {', '.join(columns)}" for kind, columns in problems.items() if columns)
    if found:
        raise ContractViolation(f"{table.name} does not have its contract's columns. {found}")
    return frame.select(*wanted)


def has_contract_schema(log: DeltaTable, table: Table) -> bool:
    """Whether the stored table has the contract's columns, types, comments, description and partitions."""
    stored = [
        (field["name"], field["type"], field["metadata"].get("comment"))
        for field in json.loads(log.schema().to_json())["fields"]
    ]
    wanted = [(column.name, SPARK_TYPES[column.type].jsonValue(), comment_of(column)) for column in table.columns]
    metadata = log.metadata()
    is_described = metadata.description == description_of(table)
    return stored == wanted and is_described and metadata.partition_columns == partitioning_of(table)


def partitioning_of(table: Table) -> list[str]:
    """Columns that a table is partitioned by: each listener's rows are files of their own."""
    return ["listener"] if table.is_by_listener else []


def with_comments(table: Table, frame: DataFrame) -> DataFrame:
    """The frame with the contract's comments on its columns, as Spark keeps them."""
    fields = schema_of(table).fields
    return frame.select(*(F.col(field.name).alias(field.name, metadata=field.metadata) for field in fields))


def no_rows(schema: T.StructType) -> pa.Table:
    """An empty Arrow table of a Spark schema."""
    return to_arrow_schema(schema, timezone="UTC").empty_table()


def with_arrow_comments(table: Table, rows: pa.Table) -> pa.Table:
    """The rows with the contract's comments on their columns, as Delta keeps them.

    All are nullable: checks enforce what may not be null, as Delta's own NOT NULL is a table feature that not every
    reader and writer supports.
    """
    fields = [
        field.with_nullable(True).with_metadata({"comment": comment_of(column)})
        for field, column in zip(rows.schema, table.columns, strict=True)
    ]
    return rows.cast(pa.schema(fields))
