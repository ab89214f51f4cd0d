"""The declaration of a model, a node of the graph like a table."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lakehouse.contract.table import Table, purpose_of


@dataclass(frozen=True)
class Model:
    """A declared model: a node of the graph, stored as an artifact instead of a table. Calling it trains.

    Attributes:
        name: name of the module, the function, the parameter of transforms that use it, and the folder below models/.
        layer: layer of the module; models are read like tables of that layer.
        module: dotted name of the module that declares it.
        purpose: first line of the module's docstring.
        inputs: names of the tables it is trained on, taken from its parameters.
        max_rows: the most rows of each input that it is trained on.
        transform: the training function: pandas frames in, `lakehouse.models.artifacts.TrainingResult` out.
        parameters: names of the settings it takes; always empty, hyperparameters are code.
    """

    name: str
    layer: str
    module: str
    purpose: str
    inputs: tuple[str, ...]
    max_rows: int
    transform: Callable[..., Any]
    parameters: tuple[str, ...] = ()

    def __call__(self, *args: Any) -> Any:
        """Train the model."""
        return self.transform(*args)

    @property
    def location(self) -> str:
        """Folder below the lake's root, with a subfolder for each version."""
        return f"models/{self.name}"

    @property
    def promise(self) -> tuple[Any, ...]:
        """What is declared besides the code; when it changes, the model is trained again."""
        return (self.max_rows,)


Node = Table | Model


def model(*, max_rows: int) -> Callable[[Callable[..., Any]], Model]:
    """Declare the model that the decorated function trains; its parameters name the tables it is trained on.

    Args:
        max_rows: the most rows of each input; of more, the function gets those with the smallest hash of their key.
    """

    def declare(train: Callable[..., Any]) -> Model:
        return Model(
            name=train.__name__,
            layer=train.__module__.split(".")[0],
            module=train.__module__,
            purpose=purpose_of(train.__module__),
            inputs=tuple(inspect.signature(train).parameters),
            max_rows=max_rows,
            transform=train,
        )

    return declare
