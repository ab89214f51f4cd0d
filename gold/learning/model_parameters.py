"""All parameters of the feature models; none was tuned on a listener's labels."""

from dataclasses import asdict, dataclass
from typing import Literal

from lakehouse.contract.columns import AUDIO_FEATURES

Kind = Literal["regression", "classification"]
HoldoutBy = Literal["recording", "artist"]

# Inputs besides the sound: known for every catalogue track, null where a listener's track lacks them.
TRACK_FACTS = ("duration_ms", "explicit")


@dataclass(frozen=True)
class ModelSpec:
    """What one model predicts, and from what.

    Attributes:
        name: model_name in the tables.
        target: column predicted.
        kind: regression of a 0..1 feature or classification into mood labels 0..4.
        hidden: audio features that must not be inputs (the target; for moods what defines them).
        primary_metric: the metric of the intervals and of `beats_baseline`.
    """

    name: str
    target: str
    kind: Kind
    hidden: tuple[str, ...]
    primary_metric: str

    @property
    def features(self) -> tuple[str, ...]:
        """Numeric inputs, in the fixed feature order."""
        return tuple(name for name in AUDIO_FEATURES if name not in self.hidden) + TRACK_FACTS


MOOD = ModelSpec("mood", "valence", "regression", ("valence",), "mae")
ENERGY = ModelSpec("energy", "energy", "regression", ("energy",), "mae")
MOOD_CLASS = ModelSpec("mood_class", "mood_label", "classification", ("valence", "energy"), "log_loss")
MODEL_SPECS = (MOOD, ENERGY, MOOD_CLASS)

N_MOODS = 5


@dataclass(frozen=True)
class ModelParameters:
    """Parameters of training, calibration and evaluation.

    Attributes:
        seed: salt of every fold and seed of every fit.
        n_folds: cross-fitting folds (the `fold` column).
        n_inner_folds: folds for the out-of-fold encodings of the training rows.
        n_listener_folds: artist folds of the listener's tracks, for recalibration and bounds.
        genre_k: tracks the overall mean is worth against a genre's ("Encodings" in docs/models.md).
        artist_k: tracks the genre mean is worth against an artist's.
        masked_share: share of training rows whose artist is hidden, for the sake of unknown artists.
        regression: HistGradientBoostingRegressor parameters.
        classification: HistGradientBoostingClassifier parameters.
        prior_alpha: classes are decided by p / prior^alpha; tuned on the catalogue ("Mood class" in docs/models.md).
        coverage: nominal coverage of the bounds.
        min_calibration_tracks: with fewer listener tracks the catalogue's residuals are used.
        bootstrap_samples: resamples of artists for 95 % intervals.
        importance_repeats: shuffles per input for permutation importance.
        min_training_rows: with fewer catalogue recordings nothing is trained.
    """

    seed: int = 20240611
    n_folds: int = 5
    n_inner_folds: int = 5
    n_listener_folds: int = 5
    genre_k: float = 50.0
    artist_k: float = 3.0
    masked_share: float = 0.2
    regression: tuple[tuple[str, float | int], ...] = (
        ("max_iter", 120),
        ("learning_rate", 0.15),
        ("max_leaf_nodes", 31),
        ("min_samples_leaf", 30),
        ("l2_regularization", 1.0),
        ("max_features", 0.5),
    )
    classification: tuple[tuple[str, float | int], ...] = (
        ("max_iter", 60),
        ("learning_rate", 0.2),
        ("max_leaf_nodes", 23),
        ("min_samples_leaf", 40),
        ("l2_regularization", 2.0),
        ("max_features", 0.5),
    )
    prior_alpha: float = 0.4
    coverage: float = 0.90
    min_calibration_tracks: int = 50
    bootstrap_samples: int = 1000
    importance_repeats: int = 5
    min_training_rows: int = 200

    def as_dict(self) -> dict[str, object]:
        """All parameters as JSON can hold them; equal dictionaries mean equal training."""
        plain = asdict(self)
        plain["regression"] = dict(self.regression)
        plain["classification"] = dict(self.classification)
        return plain


# The parameters of the lake's models.
PARAMETERS = ModelParameters()
