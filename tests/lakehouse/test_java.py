"""Spark and Trino get a Java that is new enough for them, or one line says which to install. Starts neither."""

import sys
from pathlib import Path

import pytest

from lakehouse import java
from lakehouse.errors import LakehouseError
from lakehouse.java import find_java, trino_java_home


def fake_java(home: Path, says: str = "", *, release: str = "") -> Path:
    """A Java that reports this version; returns its program."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="Debian"\nJAVA_VERSION="{release}"\n')
    return program


def test_without_java_it_says_which_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(LakehouseError, match="no Java found by the PATH: install Java 17 or newer"):
        find_java()
    monkeypatch.setenv("JAVA_HOME", f"{tmp_path}/nowhere")
    with pytest.raises(LakehouseError, match=r"no Java found by JAVA_HOME=.*/nowhere: install Java 17 or newer"):
        find_java()


@pytest.mark.parametrize(
    ("says", "release", "version"),
    [
        ('java version "1.8.0_392"', "", 8),
        ('openjdk version "11.0.21" 2023-10-17', "", 11),
        ('openjdk version "17.0.9"', "16.0.2", 16),
    ],
)
@pytest.mark.parametrize("by_home", [True, False])
def test_an_old_java_is_named_with_its_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, release: str, version: int, by_home: bool
) -> None:
    program = fake_java(tmp_path, says, release=release)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("JAVA_HOME" if by_home else "PATH", str(tmp_path if by_home else program.parent))
    with pytest.raises(LakehouseError, match=f"{program} is Java {version}: install Java 17 or newer, or name"):
        find_java()


@pytest.mark.parametrize("says", ['openjdk version "17.0.9" 2023-10-17', 'openjdk version "25" 2025-09-16', "?"])
def test_spark_takes_a_new_or_unknown_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str) -> None:
    program = fake_java(tmp_path, says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java() == program


def test_trino_takes_the_system_s_java_where_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "old", release="17.0.15").parents[1]))
    monkeypatch.setenv("PATH", str(fake_java(tmp_path / "new", release="24.0.1").parent))
    assert trino_java_home() == tmp_path / "new"


@pytest.mark.parametrize("release", ["17.0.15", ""])
def test_trino_else_takes_the_one_of_the_python_environment(
    release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "old", "?", release=release).parents[1]))
    monkeypatch.setenv("PATH", "")
    assert trino_java_home().is_relative_to(sys.prefix)


def test_without_any_java_for_trino_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", f"{tmp_path}/nowhere")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(java, "find_spec", lambda _: None)
    with pytest.raises(LakehouseError, match="Trino needs Java 24 or newer and there is none: install one"):
        trino_java_home()
