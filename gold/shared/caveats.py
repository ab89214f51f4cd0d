"""Lists of caveats that several tables share; their texts are in `lakehouse.contract.CAVEATS`."""

# Averages over all plays with features.
AVERAGES = ("features_from_catalogue", "features_estimated", "synthetic_features", "track_not_listener")
# Averages by time of day or week, with intervals or tests beside them.
TESTED_BY_TIME = (
    "features_from_catalogue", "features_estimated", "tests_measured_only", "clock_time_weak", "track_not_listener",
)  # fmt: skip
# Figures of measured plays alone.
MEASURED = ("features_from_catalogue", "measured_only", "track_not_listener")
# Scores of models on measured plays.
PREDICTED = ("trained_on_catalogue", "measured_only", "track_not_listener", "single_listener")
