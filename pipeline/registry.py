"""Finds every table and model by walking the layer packages, and orders them by their inputs."""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from lakehouse import LAYERS
from lakehouse.contract import GOLD_GROUPS, Model, Node, Table
from lakehouse.contract.ops import OPS_TABLES

RANKS = (*LAYERS, "ops")
# Packages whose modules declare tables and models; helpers live in sub-packages, which are not searched.
PACKAGES_OF_TABLES = ("bronze", "silver", *(f"gold.{group}" for group in GOLD_GROUPS))


AnyNode = TypeVar("AnyNode", bound=Node)


class RegistryError(Exception):
    """The declared tables and models do not form a graph; a mistake in the code, never in the data."""


@cache
def all_nodes() -> dict[str, Node]:
    """Every table and model by name, inputs before what reads them, the ops tables last."""
    modules = [name for package in PACKAGES_OF_TABLES for name in _modules_in(package)]
    return ordered([*(node for name in modules for node in _declared_in(name)), *OPS_TABLES])


def all_tables() -> dict[str, Table]:
    """Every table by name, inputs before the tables that read them, the ops tables last."""
    return {name: node for name, node in all_nodes().items() if isinstance(node, Table)}


def all_models() -> dict[str, Model]:
    """Every model by name."""
    return {name: node for name, node in all_nodes().items() if isinstance(node, Model)}


def pipeline_nodes() -> dict[str, Node]:
    """The tables and models of the three layers, without the ops tables, inputs first."""
    return {name: node for name, node in all_nodes().items() if node.layer != "ops"}


def pipeline_tables() -> dict[str, Table]:
    """The tables of the three layers, without the ops tables, inputs first."""
    return {name: table for name, table in all_tables().items() if table.layer != "ops"}


def ordered(tables: Sequence[AnyNode]) -> dict[str, AnyNode]:
    """Check that tables and models form a graph and sort them, inputs first, else as given.

    Raises:
        RegistryError: a name is used twice, an input is unknown or of a later layer, or there is a cycle.
    """
    by_name: dict[str, AnyNode] = {}
    for table in tables:
        if table.name in by_name:
            raise RegistryError(f"two tables are named {table.name}: {by_name[table.name].module} and {table.module}")
        by_name[table.name] = table
    for table in tables:
        for name in table.inputs:
            if name not in by_name:
                raise RegistryError(f"{table.module}: parameter {name!r} is not a table")
            if RANKS.index(by_name[name].layer) > RANKS.index(table.layer):
                raise RegistryError(f"{table.module} ({table.layer}) reads {name}, a table of a later layer")
    try:
        order = list(TopologicalSorter({table.name: table.inputs for table in tables}).static_order())
    except CycleError as error:
        raise RegistryError(f"tables read each other in a circle: {' -> '.join(error.args[1])}") from None
    return {name: by_name[name] for name in order}


def with_ancestors(names: set[str], tables: Mapping[str, Node]) -> set[str]:
    """The named tables with all their direct and indirect inputs."""
    wanted = set(names)
    for name in reversed(list(tables)):
        if name in wanted:
            wanted.update(tables[name].inputs)
    return wanted


def chain_lengths(tables: Mapping[str, Node]) -> dict[str, int]:
    """The length of the longest chain of tables that starts at each table, itself included."""
    lengths = dict.fromkeys(tables, 1)
    for name in reversed(list(tables)):
        for made_from in tables[name].inputs:
            lengths[made_from] = max(lengths[made_from], 1 + lengths[name])
    return lengths


def _modules_in(package_name: str) -> list[str]:
    """Names of the modules that lie directly in a package; helpers live in sub-folders and are not looked at."""
    package = importlib.import_module(package_name)
    return [f"{package_name}.{module.name}" for module in pkgutil.iter_modules(package.__path__) if not module.ispkg]


def _declared_in(module_name: str) -> list[Node]:
    module = importlib.import_module(module_name)
    return [value for value in vars(module).values() if isinstance(value, Node) and value.module == module_name]
