"""A model is trained when it is out of date, and a model whose artifact is refused is trained again."""

import datetime as dt
import json
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import skops.io
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakehouse.contract import Model
from lakehouse.models.artifacts import Artifact, ArtifactRefusedError, ArtifactStore
from lakehouse.models.trained_models import models_of
from lakehouse.settings import Settings
from pipeline.registry import pipeline_nodes
from pipeline.runs.run import run
from pipeline.runs.summary import Build

NAME = "artist_model"


@pytest.fixture(scope="module")
def copied(demo_lake: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy of the demo lake, to do harm to."""
    place = tmp_path_factory.mktemp("models") / "lake"
    shutil.copytree(demo_lake.lake_path, place)
    return demo_lake.model_copy(update={"lake_uri": f"file://{place}"})


@pytest.fixture(scope="module")
def model() -> Model:
    node = pipeline_nodes()[NAME]
    assert isinstance(node, Model)
    return node


def built(settings: Settings, table: str = NAME) -> Build:
    """What a run of the table, by default the model itself, does with the model."""
    summary = run(settings, select=[table])
    assert not summary.errors
    return next(build for build in summary.builds if build.table.name == NAME)


def folder(settings: Settings, model: Model) -> Path:
    """The one version's files."""
    (version,) = (settings.lake_path / model.location).iterdir()
    return version


def test_models_are_trained_on_the_catalogue_alone() -> None:
    """So new plays train nothing."""
    models = [node for node in pipeline_nodes().values() if isinstance(node, Model)]
    assert len(models) == 4
    assert {node.inputs for node in models} == {("catalogue_tracks",)}


def test_without_news_nothing_is_trained(copied: Settings) -> None:
    assert run(copied, select=[NAME]).up_to_date


def test_an_artifact_loaded_ahead_is_not_loaded_again(
    copied: Settings, model: Model, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = models_of(copied)
    models.load_ahead([model])
    monkeypatch.setattr(ArtifactStore, "load", lambda *_: pytest.fail("loaded twice"))
    assert models.read(model, spark).parts["artists"]["features"]


def test_loading_ahead_leaves_errors_to_the_reader(
    copied: Settings, model: Model, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Artifact:
        raise ArtifactRefusedError("of another library")

    monkeypatch.setattr(ArtifactStore, "load", refused)
    models = models_of(copied)
    models.load_ahead([model])
    with pytest.raises(ArtifactRefusedError, match="of another library"):
        models.read(model, spark)


def test_a_damaged_artifact_is_refused_and_trained_again(copied: Settings, model: Model, spark: SparkSession) -> None:
    part = folder(copied, model) / "artists.skops"
    part.write_bytes(part.read_bytes()[:-100])
    build = built(copied)
    assert (build.status, "checksum" in build.reason) == ("built", True)
    assert models_of(copied).read(model, spark).parts["artists"]["features"]
    assert run(copied, select=[NAME]).up_to_date


def test_a_foreign_artifact_is_refused_and_trained_again(copied: Settings, model: Model) -> None:
    """Its checksum fits, but it holds a type that is not ours: seen, and not rebuilt, when a table wants to use it."""
    place = folder(copied, model)
    content = skops.io.dumps({"when": dt.timezone(dt.timedelta(0))})
    (place / "artists.skops").write_bytes(content)
    card = json.loads((place / "card.json").read_text())
    (place / "card.json").write_text(json.dumps(card | {"sha256": {"artists.skops": sha256(content).hexdigest()}}))
    shutil.rmtree(copied.lake_path / "silver/artist_estimates")
    build = built(copied, "artist_estimates")
    assert (build.status, "not ours" in build.reason) == ("built", True)
    assert run(copied, select=[NAME]).up_to_date


def test_another_catalogue_gives_another_version_and_keeps_the_old(
    copied: Settings, model: Model, spark: SparkSession
) -> None:
    models = models_of(copied)
    state = models.state(model)
    assert state is not None
    catalogue = DeltaTable(f"{copied.lake_uri}/silver/catalogue_tracks").to_pyarrow_table().slice(0, 300)
    newer = models.train(model, [catalogue], replace(state.provenance, inputs={"catalogue_tracks": 99}), spark)
    assert newer.version != state.version
    assert sorted(path.name for path in (copied.lake_path / model.location).iterdir()) == sorted(
        [state.version, newer.version]
    )
    current = models.state(model)
    assert current is not None and current.version == newer.version
    # To the runner it is made of a catalogue that the lake does not have.
    build = built(copied)
    assert (build.status, build.reason) == ("built", "new catalogue_tracks")
