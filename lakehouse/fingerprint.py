"""Has the code of a table or model changed? A fingerprint of it with everything it calls in the layer packages."""

import ast
import hashlib
import importlib.util
from functools import cache
from pathlib import Path

from lakehouse.contract import Node
from lakehouse.one_parser import ONE_PARSER
from lakehouse.registry import LAYERS


def code_fingerprint(node: Node) -> str:
    """Sha256 of the node's module, the layer modules it imports, and its contract; comments do not count."""
    digest = hashlib.sha256()
    with ONE_PARSER:
        for module in sorted(_closure(node.module)):
            digest.update(f"{module}\n{_syntax(module)}\n".encode())
    digest.update(repr(node.promise).encode())
    return digest.hexdigest()


def _closure(module: str) -> set[str]:
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _layer_imports(name)
    return found


@cache
def _layer_imports(module: str) -> tuple[str, ...]:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(_source(module))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            package = importlib.util.resolve_name(relative, module.rpartition(".")[0])
            names = [package, *(f"{package}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        imported.update(name for name in names if name.split(".")[0] in LAYERS and _file(name))
    return tuple(imported)


@cache
def _syntax(module: str) -> str:
    return ast.dump(ast.parse(_source(module)))


def _source(module: str) -> str:
    file = _file(module)
    return file.read_text(encoding="utf-8") if file else ""


@cache
def _file(module: str) -> Path | None:
    """Where a module of the layer packages lies, without importing it or its parents."""
    package, *parts = module.split(".")
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        place = Path(folder).joinpath(*parts)
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                return file
    return None
