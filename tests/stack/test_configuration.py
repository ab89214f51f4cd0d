"""Trino's configuration as it lies in the repository. Needs no server."""

import json
import re

import pytest

from tests.stack.documents import ROOT

FOLDER = ROOT / "trino"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())


def test_the_folder_holds_configuration_only() -> None:
    assert {path.suffix for path in FILES} == {".properties", ".config", ".json"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_of_one_machine_and_no_secret_is_written_down(path: object) -> None:
    text = (FOLDER / str(path)).read_text()
    assert not re.search(r"password|secret|/home/|/Users/|/root/", text, re.IGNORECASE)


def test_only_pipeline_may_call_procedures() -> None:
    rules = json.loads((FOLDER / "rules.json").read_text())
    allowed = [rule for rule in rules["procedures"] if rule["privileges"]]
    assert {rule.get("user") for rule in allowed} == {"pipeline"}


def test_no_rule_lets_anybody_write() -> None:
    rules = json.loads((FOLDER / "rules.json").read_text())
    granted = {(rule.get("user"), privilege) for rule in rules["tables"] for privilege in rule["privileges"]}
    # Trino asks for ownership of whom registers; it does not include inserting, updating or deleting.
    assert {(user, privilege) for user, privilege in granted if privilege != "SELECT"} == {("pipeline", "OWNERSHIP")}
