"""The lake's models: trained in child processes, saved as artifacts that record their provenance.

To a run they are like tables: they have a state, are inputs, and are rebuilt when their provenance is out of date.
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
    LocalFolders,
    TrainingResult,
    artifact_version,
    pack,
)
from lakehouse.models.own_process import in_own_process
from lakehouse.settings import Settings
from lakehouse.state_files import moment_in

MODELS = "models"


@dataclass(frozen=True)
class ModelState:
    """The newest artifact of a model: its version, its provenance, and when it was trained."""

    version: str
    provenance: Provenance
    committed_at: datetime


class Models:
    """The models of one lake; damaged and untrusted artifacts are refused, never repaired."""

    def __init__(self, store: ArtifactStore, still_writer: StillWriter = lambda: None) -> None:
        """Keep the artifacts in `store`; `still_writer` is called before one is saved."""
        self._store = store
        self._still_writer = still_writer
        self._loading = Lock()
        self._verified: set[tuple[str, str]] = set()
        self._preloaded: dict[tuple[str, str], Artifact] = {}
        self._broadcast: dict[tuple[str, str], Artifact] = {}

    def state(self, model: Model) -> ModelState | None:
        """The newest artifact, checked by its card and checksums; None where there is none.

        Raises:
            ArtifactRefusedError: the newest artifact, or every one, is unusable.
        """
        cards, refused = [], None
        for version in self._store.versions(model.name):
            try:
                card = self._store.card(model.name, version)
                trained_at, provenance = moment_in(card, "trained_at"), Provenance(**card["provenance"])
            except ArtifactRefusedError as error:
                refused = error
                continue
            except (KeyError, TypeError):
                trained_at = None
            if trained_at is None:
                refused = ArtifactRefusedError(f"model {model.name} {version}: its card does not say how it was made")
            else:
                cards.append((trained_at, provenance, card))
        if not cards:
            if refused:
                raise refused
            return None
        trained_at, provenance, card = max(cards, key=lambda found: found[0])
        if (model.name, card["version"]) not in self._verified:
            self._store.verify(card)
            self._verified.add((model.name, card["version"]))
        return ModelState(card["version"], provenance, trained_at)

    def load_ahead(self, models: Iterable[Model]) -> None:
        """Load the newest artifacts while Spark starts: loading holds the GIL for seconds."""
        for model in models:
            with suppress(Exception), self._loading:  # `read` reports what is wrong with one
                state = self.state(model)
                if state and (key := (model.name, state.version)) not in self._broadcast:
                    self._preloaded[key] = self._store.load(*key)

    def read(self, model: Model, spark: SparkSession) -> Artifact:
        """The newest artifact, for a transform: its parts are broadcasts, shipped once to each worker that uses them.

        Raises:
            ArtifactRefusedError: there is none, or it is damaged or untrusted.
        """
        state = self.state(model)
        if state is None:
            raise ArtifactRefusedError(f"model {model.name} was never trained")
        key = model.name, state.version
        with self._loading:
            if key not in self._broadcast:
                artifact = self._preloaded.pop(key) if key in self._preloaded else self._store.load(*key)
                self._broadcast[key] = _broadcast(artifact, spark)
            return self._broadcast[key]

    def train(
        self, model: Model, inputs: Sequence[pa.Table], provenance: Provenance, spark: SparkSession
    ) -> ModelState:
        """Train a model and save it, completely or not at all.

        Args:
            model: what to train.
            inputs: what it is trained on, at most `model.max_rows` rows each.
            provenance: what it is trained from; determines the version, so that the same is trained once.
            spark: broadcasts the model to the transforms of this run.
        """
        made_from = {"code": provenance.code, "parameters": provenance.parameters, "inputs": provenance.inputs}
        key = model.name, artifact_version(made_from)
        artifact, files = in_own_process(_train_and_pack, model.module, *key, provenance, inputs)
        self._still_writer()
        self._store.write(*key, files)
        self._verified.discard(key)
        with self._loading:
            self._broadcast[key] = _broadcast(artifact, spark)
        state = self.state(model)
        assert state is not None, f"{model.name} was written just now"
        return state


def _train_and_pack(
    module: str, name: str, version: str, provenance: Provenance, inputs: Sequence[pa.Table]
) -> tuple[Artifact, dict[str, bytes]]:
    """Train, in a child process: the model is looked up by module and name, as its declaration cannot be pickled."""
    trained: TrainingResult = getattr(import_module(module), name)(*(table.to_pandas() for table in inputs))
    provenance = replace(provenance, rows=trained.rows)
    card = {"trained_at": datetime.now(UTC).isoformat(), "provenance": asdict(provenance), **trained.card}
    artifact = Artifact(name, version, trained.parts, card)
    return artifact, pack(artifact)


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
        return Models(ArtifactStore(LocalFolders(settings.lake_path / MODELS)), still_writer)
    from lakehouse.lake.object_store import store_of
    from lakehouse.models.objects import ObjectFolders

    return Models(ArtifactStore(ObjectFolders(store_of(settings), MODELS)), still_writer)


def _broadcast(artifact: Artifact, spark: SparkSession) -> Artifact:
    return replace(artifact, parts=_BroadcastParts(artifact.parts, spark))


class _BroadcastParts(Mapping[str, Any]):
    """Parts of an artifact as Spark broadcasts; parts that are not used are not shipped."""

    def __init__(self, parts: Mapping[str, Any], spark: SparkSession) -> None:
        self._broadcasts = {name: spark.sparkContext.broadcast(part) for name, part in parts.items()}

    def __getitem__(self, name: str) -> Any:
        return self._broadcasts[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._broadcasts)

    def __len__(self) -> int:
        return len(self._broadcasts)
