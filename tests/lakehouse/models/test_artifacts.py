"""Saved models are complete, trusted and undamaged, or they are refused."""

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from lakehouse.models import artifacts
from lakehouse.models.artifacts import (
    LARGEST_CARD,
    Artifact,
    ArtifactRefusedError,
    ArtifactStore,
    LocalFolders,
    artifact_version,
)

CARD = {"purpose": "a test", "figures": [{"segment": "per_play", "mae": 0.14, "r2": float("nan")}], "rows": 3}


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(LocalFolders(tmp_path / "models"))


def artifact(**parts: Any) -> Artifact:
    return Artifact("mood", "v1", parts or {"model": {"a": [1, 2], "b": np.arange(3)}}, CARD)


def test_what_is_saved_is_loaded(store: ArtifactStore) -> None:
    random = np.random.default_rng(0)
    inputs = random.random((60, 2))
    labels = (inputs[:, 0] > 0.5).astype(int)
    fitted = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=5).fit(inputs, labels)
    store.save(artifact(model={"estimator": fitted, "means": None, "keys": np.arange(3)}))
    loaded = store.load("mood", "v1").parts["model"]
    assert (loaded["estimator"].predict_proba(inputs) == fitted.predict_proba(inputs)).all()
    assert (loaded["means"], loaded["keys"].tolist()) == (None, [0, 1, 2])


def test_the_card_says_what_it_is_in_json_and_markdown(store: ArtifactStore, tmp_path: Path) -> None:
    store.save(artifact())
    card = store.card("mood", "v1")
    assert (card["name"], card["version"], card["rows"]) == ("mood", "v1", 3)
    assert card["figures"] == [{"segment": "per_play", "mae": 0.14, "r2": None}]
    text = (tmp_path / "models/mood/v1/card.md").read_text()
    assert "# mood v1" in text and "| per_play | 0.14 |  |" in text


def test_one_part_can_be_loaded_alone(store: ArtifactStore) -> None:
    store.save(artifact(model={"a": 1}, spare={"b": 2}))
    assert store.load("mood", "v1", parts=("model",)).parts == {"model": {"a": 1}}


def test_versions_are_kept(store: ArtifactStore) -> None:
    store.save(artifact())
    store.save(Artifact("mood", "v2", {"model": {}}, {}))
    assert store.versions("mood") == ["v1", "v2"]
    assert store.versions("unknown") == []


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 half"])
def test_a_damaged_part_is_refused(store: ArtifactStore, tmp_path: Path, content: bytes) -> None:
    store.save(artifact())
    (tmp_path / "models/mood/v1/model.skops").write_bytes(content)
    with pytest.raises(ArtifactRefusedError, match="checksum"):
        store.load("mood", "v1")


def test_a_lost_part_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    store.save(artifact())
    (tmp_path / "models/mood/v1/model.skops").unlink()
    with pytest.raises(ArtifactRefusedError, match="cannot be read"):
        store.load("mood", "v1")


def test_foreign_types_are_refused_though_the_checksum_fits(store: ArtifactStore) -> None:
    store.save(artifact(model={"when": dt.timezone(dt.timedelta(0))}))
    with pytest.raises(ArtifactRefusedError, match="not ours"):
        store.load("mood", "v1")


def test_a_part_that_skops_cannot_read_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    store.save(artifact())
    folder = tmp_path / "models/mood/v1"
    (folder / "model.skops").write_bytes(b"not a zip")
    card = json.loads((folder / "card.json").read_text())
    card["sha256"]["model.skops"] = sha256(b"not a zip").hexdigest()
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ArtifactRefusedError, match="cannot be rebuilt"):
        store.load("mood", "v1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "energy"}, "another model"),
        ({"version": "v0"}, "another model"),
        ({"libraries": {"scikit-learn": "0.1"}}, "installed is"),
        ({"sha256": {}}, "names no files"),
        ({"sha256": {"../../../../dev/zero": "0"}}, "names files that no model of ours has"),
        ({"sha256": {"/dev/zero": "0"}}, "names files that no model of ours has"),
        ({"sha256": {"a/model.skops": "0"}}, "names files that no model of ours has"),
        ({"sha256": {"model.skops\n": "0"}}, "names files that no model of ours has"),
    ],
)
def test_a_foreign_card_is_refused(store: ArtifactStore, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    store.save(artifact())
    path = tmp_path / "models/mood/v1/card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ArtifactRefusedError, match=message):
        store.load("mood", "v1")


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "{" + " " * LARGEST_CARD + "}"], ids=range(5))
def test_an_unreadable_card_is_refused(store: ArtifactStore, tmp_path: Path, text: str) -> None:
    store.save(artifact())
    (tmp_path / "models/mood/v1/card.json").write_text(text)
    with pytest.raises(ArtifactRefusedError):
        store.load("mood", "v1")


@pytest.mark.parametrize("file", ["card.json", "model.skops"])
@pytest.mark.parametrize("target", ["/dev/zero", "elsewhere"])
def test_a_link_in_place_of_a_file_is_not_followed(
    store: ArtifactStore, tmp_path: Path, file: str, target: str
) -> None:
    store.save(artifact())
    place = tmp_path / "models/mood/v1" / file
    place.rename(tmp_path / "models/mood/v1/elsewhere")
    place.symlink_to(target)
    with pytest.raises(ArtifactRefusedError, match="cannot be read"):
        store.load("mood", "v1")


@pytest.mark.parametrize("bound", ["LARGEST_PART", "LARGEST_UNPACKED"])
def test_a_part_that_is_too_large_is_refused(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    store.save(artifact(model={"a": np.zeros(10_000)}))
    monkeypatch.setattr(artifacts, bound, 1_000 if bound == "LARGEST_UNPACKED" else 100)
    with pytest.raises(ArtifactRefusedError, match=r"no file of at most 100 bytes|unpacks to more than 1,000 bytes"):
        store.load("mood", "v1")


def test_what_was_never_saved_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactRefusedError, match="cannot be read"):
        store.load("mood", "v1")


def test_saving_again_replaces_a_damaged_version(store: ArtifactStore, tmp_path: Path) -> None:
    store.save(artifact())
    (tmp_path / "models/mood/v1/model.skops").write_bytes(b"")
    store.save(artifact(model={"a": 2}))
    assert store.load("mood", "v1").parts["model"] == {"a": 2}
    assert [path.name for path in (tmp_path / "models/mood").iterdir()] == ["v1"]


def test_a_killed_write_leaves_no_visible_version(store: ArtifactStore, tmp_path: Path) -> None:
    half = tmp_path / "models/mood/.writing-x"
    half.mkdir(parents=True)
    (half / "card.json").write_text("{}")
    assert store.versions("mood") == []
    store.save(artifact())
    assert not half.exists()


def test_a_failing_write_keeps_the_saved_version(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(artifact(model={"a": 1}))
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            store.save(artifact(model={"a": 2}))
    assert store.load("mood", "v1").parts["model"] == {"a": 1}


def test_version_follows_from_the_provenance() -> None:
    made_from = {"catalogue": 3, "parameters": {"seed": 1}}
    assert artifact_version(made_from) == artifact_version(json.loads(json.dumps(made_from)))
    assert artifact_version(made_from) != artifact_version({**made_from, "catalogue": 4})


def test_artifacts_are_loaded_while_other_threads_parse(store: ArtifactStore) -> None:
    """Numpy parses the header of each array; Python 3.11 fails when another thread parses at the same time."""
    store.save(artifact(model={str(number): np.arange(number) for number in range(1, 60)}))
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda _: store.load("mood", "v1"), range(12)))
    assert all(len(one.parts["model"]) == 59 for one in loaded)
