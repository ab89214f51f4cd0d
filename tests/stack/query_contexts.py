"""What each chart asks Superset for, kept beside the charts so that their data can be had without a browser.

Superset's front end derives it from a chart's settings. `make query-contexts` takes it from there; a test compares.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.superset.bundle import ASSETS, Chart

FILE = ASSETS / "query_contexts.json"


def digest(chart: Chart) -> str:
    """Changes whenever the chart's settings do."""
    return hashlib.sha256(json.dumps(chart.params, sort_keys=True).encode()).hexdigest()[:12]


def kept() -> dict[str, dict[str, Any]]:
    """Digest and queries by the chart's uuid."""
    return dict(json.loads(FILE.read_text())) if FILE.is_file() else {}


def keep(queries: dict[Chart, list[dict[str, Any]]], path: Path = FILE) -> None:
    """Write all anew, one line a chart."""
    lines = [
        f"{json.dumps(chart.uuid)}: {json.dumps({'params': digest(chart), 'queries': asked}, sort_keys=True)}"
        for chart, asked in sorted(queries.items(), key=lambda item: str(item[0]))
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
