"""Has the code of a table or model changed? A fingerprint of every definition of ours that decides its rows.

From the transform on, names are followed through functions, classes and constants, and through imports into whichever
package of ours defines them. Comments, docstrings and layout do not count, nor does what the transform never reaches.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock

from lakehouse import PACKAGES, PROJECT
from lakehouse.contract import Model, Node

# The runner samples what a model is trained on.
SAMPLING = ("silver.rules.bounded", "sample")
# Decorators that declare a contract: its values are part of the fingerprint by themselves.
CONTRACTS = ("table", "model")
# A module and the name of a definition in it; the name '' stands for the module as a whole.
Definition = tuple[str, str]


def code_fingerprint(node: Node) -> str:
    """Sha256 of a node's contract and of all definitions that its transform reaches, itself included."""
    return _project().fingerprint(node)


@cache
def _project() -> "SourceCode":
    return SourceCode(PROJECT)


@dataclass(frozen=True)
class _Module:
    """A parsed module: the statements that define each of its names, and where its imported names come from."""

    statements: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imported: dict[str, Definition] = field(default_factory=dict)


class SourceCode:
    """Our packages as text below one folder; each module is parsed once, and none is imported."""

    def __init__(self, root: Path) -> None:
        """Read the packages below `root`."""
        self._root = root
        # Tables are built in threads. Besides, Python 3.11 fails when two of them parse at once ("AST constructor
        # recursion depth mismatch").
        self._lock = Lock()
        self._modules: dict[str, _Module] = {}
        self._syntax: dict[Definition, str] = {}
        self._referenced: dict[Definition, tuple[Definition, ...]] = {}

    def fingerprint(self, node: Node) -> str:
        """See `code_fingerprint`."""
        digest = hashlib.sha256(repr(node.promise).encode())
        roots = [(node.module, node.name), *([SAMPLING] if isinstance(node, Model) else [])]
        with self._lock:
            for definition in sorted(self.reached_from(roots)):
                digest.update(f"{definition}\n{self._syntax_of(definition)}\n".encode())
        return digest.hexdigest()

    def reached_from(self, roots: Iterable[Definition]) -> set[Definition]:
        """The given definitions with all that they refer to, directly or indirectly."""
        reached: set[Definition] = set()
        waiting = list(roots)
        while waiting:
            definition = waiting.pop()
            if definition not in reached:
                reached.add(definition)
                waiting += self._references(definition)
        return reached

    def _module(self, name: str) -> _Module:
        if name not in self._modules:
            module = self._modules[name] = _Module()
            file = self._file(name)
            for statement in ast.parse(file.read_text(encoding="utf-8")).body if file else []:
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    module.imported.update(self._imports_of(statement))
                else:
                    for defined in _names_defined_by(statement):
                        module.statements.setdefault(defined, []).append(_what_runs(statement))
        return self._modules[name]

    def _references(self, definition: Definition) -> tuple[Definition, ...]:
        if definition not in self._referenced:
            self._referenced[definition] = tuple(self._find_references(*definition))
        return self._referenced[definition]

    def _find_references(self, module_name: str, name: str) -> Iterator[Definition]:
        module = self._module(module_name)
        if not name:  # used as a value: anything in it may count
            yield from ((module_name, defined) for defined in module.statements)
        elif name in module.imported:  # handed on, as the `__init__` of a package does
            yield module.imported[name]
        for statement in module.statements.get(name, []):
            yield from self._references_in(statement, module_name, module)

    def _references_in(self, statement: ast.stmt, module_name: str, module: _Module) -> Iterator[Definition]:
        modules_of_attributes: set[ast.AST] = set()
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from self._imports_of(node).values()
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                source, name = module.imported.get(node.value.id, ("", "?"))
                if not name:  # `module.name` refers to that one name, not to the whole module
                    modules_of_attributes.add(node.value)
                    yield source, node.attr
            elif isinstance(node, ast.Name) and node not in modules_of_attributes:
                if node.id in module.imported:
                    yield module.imported[node.id]
                elif node.id in module.statements:
                    yield module_name, node.id

    def _imports_of(self, statement: ast.Import | ast.ImportFrom) -> dict[str, Definition]:
        """Where the names of ours that an import statement brings in come from."""
        found: dict[str, Definition] = {}
        for alias in statement.names:
            if isinstance(statement, ast.Import):
                submodule, source = alias.name, ""
            else:
                assert not statement.level, "nothing here imports relatively"
                submodule, source = f"{statement.module}.{alias.name}", statement.module or ""
            if self._file(submodule):
                found[alias.asname or alias.name] = (submodule, "")
            elif self._file(source):
                found[alias.asname or alias.name] = (source, alias.name)
        return found

    def _syntax_of(self, definition: Definition) -> str:
        if definition not in self._syntax:
            module_name, name = definition
            statements = self._module(module_name).statements.get(name, [])
            self._syntax[definition] = "\n".join(ast.dump(statement) for statement in statements)
        return self._syntax[definition]

    def _file(self, module: str) -> Path | None:
        """Where a module of ours lies, found without importing it or its parents."""
        if module.partition(".")[0] not in PACKAGES:
            return None
        place = self._root.joinpath(*module.split("."))
        files = (place / "__init__.py", place.with_suffix(".py"))
        return next((file for file in files if file.is_file()), None)


def _names_defined_by(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return []


def _what_runs(statement: ast.stmt) -> ast.stmt:
    """The statement without docstrings, and without the contracts above functions."""
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
            node.decorator_list = [above for above in node.decorator_list if not _declares_contract(above)]
    return statement


def _declares_contract(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and ast.unparse(decorator.func) in CONTRACTS
