"""The lake's models: trained in processes of their own, kept as artifacts that say what they were made from.

To the runner they are like tables: they have a state, are read, and are made anew when what they are made from changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from threading import Lock
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from lakehouse.contract import Model, Node
from lakehouse.lake.logs import DeltaLogs
from lakehouse.lake.provenance import Provenance, TableState
from lakehouse.lake.writer import StillWriter
from lakehouse.models.artifacts import (
    Artifact,
    ArtifactRefusedError,
    ArtifactStore,
    ModelFiles,
    Trained,
    artifact_version,
    packed,
)
from lakehouse.models.own_process import in_own_process
from lakehouse.settings import Settings

MODELS = "models"


@dataclass(frozen=True)
class ModelState:
    """The newest artifact of a model: its version, what it was made from, and when."""

    version: str
    provenance: Provenance
    committed_at: datetime


class Models:
    """The models of one lake; damaged and foreign artifacts are refused, never repaired."""

    def __init__(self, store: ArtifactStore, still_writer: StillWriter = lambda: None) -> None:
        """Keep the artifacts in `store`; `still_writer` is asked before one is saved."""
        self._store = store
        self._still_writer = still_writer
        self._reading = Lock()
        self._checked: set[tuple[str, str]] = set()
        self._loaded: dict[tuple[str, str], Artifact] = {}
        self._read: dict[tuple[str, str], Artifact] = {}

    def state(self, model: Model) -> ModelState | None:
        """The newest artifact, undamaged as far as its card and checksums tell; None where there is none.

        Raises:
            ArtifactRefusedError: there are artifacts, but the newest, or each, is no good.
        """
        cards, refused = [], None
        for version in self._store.versions(model.name):
            try:
                card = self._store.card(model.name, version)
                cards.append((datetime.fromisoformat(card["trained_at"]), Provenance(**card["provenance"]), card))
            except ArtifactRefusedError as error:
                refused = error
            except (KeyError, TypeError, ValueError):
                refused = ArtifactRefusedError(f"model {model.name} {version}: its card does not say how it was made")
        if not cards:
            if refused:
                raise refused
            return None
        trained_at, provenance, card = max(cards, key=lambda found: found[0])
        if (model.name, card["version"]) not in self._checked:
            self._store.verify(card)
            self._checked.add((model.name, card["version"]))
        return ModelState(card["version"], provenance, trained_at)

    def load_ahead(self, models: Iterable[Model]) -> None:
        """Load the newest artifacts before there is a Spark to share them: it keeps Python's one lock for seconds."""
        for model in models:
            with suppress(Exception), self._reading:  # whatever is wrong with one is told when it is read
                state = self.state(model)
                if state and (key := (model.name, state.version)) not in self._read:
                    self._loaded[key] = self._store.load(*key)

    def read(self, model: Model, spark: SparkSession) -> Artifact:
        """The newest artifact, for a transform: Spark ships each part to each worker that asks for it once.

        Raises:
            ArtifactRefusedError: there is none, or it is damaged or foreign.
        """
        state = self.state(model)
        if state is None:
            raise ArtifactRefusedError(f"model {model.name} was never trained")
        key = model.name, state.version
        with self._reading:
            if key not in self._read:
                artifact = self._loaded.pop(key) if key in self._loaded else self._store.load(*key)
                self._read[key] = _shared(artifact, spark)
            return self._read[key]

    def train(
        self, model: Model, inputs: Sequence[pa.Table], provenance: Provenance, spark: SparkSession
    ) -> ModelState:
        """Train a model and keep it, whole or not at all.

        Args:
            model: what to train.
            inputs: what it is trained on, at most `model.max_rows` rows each.
            provenance: what it is made from; names the version, so that the same is trained once.
            spark: ships the model to the transforms of this run.
        """
        made_from = {"code": provenance.code, "parameters": provenance.parameters, "inputs": provenance.inputs}
        key = model.name, artifact_version(made_from)
        artifact, files = in_own_process(_trained, model.module, *key, provenance, inputs)
        self._still_writer()
        self._store.write(*key, files)
        self._checked.discard(key)
        with self._reading:
            self._read[key] = _shared(artifact, spark)
        state = self.state(model)
        assert state is not None, f"{model.name} was written just now"
        return state


def _trained(
    module: str, name: str, version: str, provenance: Provenance, inputs: Sequence[pa.Table]
) -> tuple[Artifact, dict[str, bytes]]:
    """Train, by the place of the declaration: it is what another process can find."""
    trained: Trained = getattr(import_module(module), name)(*(table.to_pandas() for table in inputs))
    provenance = replace(provenance, rows=trained.rows)
    card = {"trained_at": datetime.now(UTC).isoformat(), "provenance": asdict(provenance), **trained.card}
    artifact = Artifact(name, version, trained.parts, card)
    return artifact, packed(artifact)


def state_of(node: Node, lake: DeltaLogs, models: Models) -> TableState | ModelState | None:
    """The newest commit of a table, or artifact of a model; None where there is none.

    Raises:
        LakehouseError: it is damaged; says what to do.
    """
    if not isinstance(node, Model):
        return lake.state(node)
    try:
        return models.state(node)
    except ArtifactRefusedError as refused:
        raise ArtifactRefusedError(f"{refused}: the next `lakehouse run` trains it again") from None


def models_of(settings: Settings, *, still_writer: StillWriter = lambda: None) -> Models:
    """The models of the lake that the settings name."""
    if not settings.is_in_object_store:
        return Models(ArtifactStore(ModelFiles(settings.lake_path / MODELS)), still_writer)
    from lakehouse.lake.object_store import store_of
    from lakehouse.models.objects import ModelObjects

    return Models(ArtifactStore(ModelObjects(store_of(settings), MODELS)), still_writer)


def _shared(artifact: Artifact, spark: SparkSession) -> Artifact:
    return replace(artifact, parts=_SharedParts(artifact.parts, spark))


class _SharedParts(Mapping[str, Any]):
    """Parts of an artifact as Spark broadcasts; what is not asked for is not shipped."""

    def __init__(self, parts: Mapping[str, Any], spark: SparkSession) -> None:
        self._shared = {name: spark.sparkContext.broadcast(part) for name, part in parts.items()}

    def __getitem__(self, name: str) -> Any:
        return self._shared[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._shared)

    def __len__(self) -> int:
        return len(self._shared)
