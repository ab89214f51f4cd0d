"""What all layers build on; it names none of their tables."""

from pathlib import Path

# The project's folder, in a checkout as in an image.
PROJECT = Path(__file__).resolve().parents[1]
LAYERS = ("bronze", "silver", "gold")
# All our packages; each imports only itself and those before it.
PACKAGES = ("lakehouse", *LAYERS, "pipeline", "scheduler")
