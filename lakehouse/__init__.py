"""The ground that all layers stand on; knows no table of theirs by name."""

from pathlib import Path

# The project's folder, as a checkout or an image has it.
PROJECT = Path(__file__).resolve().parents[1]
LAYERS = ("bronze", "silver", "gold")
# Every package of ours, each importing only those before it.
PACKAGES = ("lakehouse", *LAYERS, "pipeline", "scheduler")
