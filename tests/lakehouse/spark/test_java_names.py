"""The JVM is asked once what a name means."""

import pytest
from py4j.clientserver import ClientServerConnection
from py4j.protocol import REFLECTION_COMMAND_NAME
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def test_a_function_is_looked_up_once(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixture's session was made by `build_session`."""
    commands = []
    send = ClientServerConnection.send_command

    def noting(connection: ClientServerConnection, command: str) -> str:
        commands.append(command)
        answer: str = send(connection, command)
        return answer

    F.soundex("name")
    monkeypatch.setattr(ClientServerConnection, "send_command", noting)
    F.soundex("other")
    assert commands
    assert not [command for command in commands if command.startswith(REFLECTION_COMMAND_NAME)]


def test_a_field_is_read_anew(spark: SparkSession) -> None:
    assert spark.sparkContext._jvm is not None
    numbers = spark.sparkContext._jvm.java.lang.Integer
    assert numbers.MAX_VALUE == 2**31 - 1
    assert "MAX_VALUE" not in vars(numbers)
