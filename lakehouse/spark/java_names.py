"""Keeps what names of Java mean: py4j asks the JVM whether a name is a class or a method, again at each use.

Planning thirty tables takes 13,000 such questions, a quarter of the time that planning takes.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from py4j.java_gateway import JavaClass, JavaMember, JVMView


@cache
def keep_java_names() -> None:
    """Make py4j ask once for each class and method. Packages, which imports change, and fields are still asked for."""
    for place in (JVMView, JavaClass):
        place.__getattr__ = _keeping(place.__getattr__)


def _keeping(ask: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def ask_once(place: Any, name: str) -> Any:
        meaning = ask(place, name)
        if isinstance(meaning, JavaClass | JavaMember):
            vars(place)[name] = meaning
        return meaning

    return ask_once
