"""The scheduler's log: readable lines on a terminal, JSON elsewhere."""

import json
import logging
import sys
from datetime import UTC, datetime

LOG = logging.getLogger("scheduler")


def start_logging() -> None:
    """Write to stderr; from libraries only warnings and errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Readable() if sys.stderr.isatty() else _Json())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    LOG.setLevel(logging.INFO)


def log(event: str, level: int = logging.INFO, **facts: object) -> None:
    """Log one event with its facts."""
    LOG.log(level, event, extra={"facts": facts})


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return dict(getattr(record, "facts", {}))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"at": _time(record), "level": record.levelname.lower(), "event": record.getMessage(), **_facts(record)}
        if record.exc_info and record.exc_info[0]:
            line["error"] = f"{record.exc_info[0].__name__}: {record.exc_info[1]}"
        return json.dumps(line, ensure_ascii=False, default=str)


class _Readable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = "  ".join(f"{name}={value}" for name, value in _facts(record).items())
        return f"{_time(record)[:19]}  {record.levelname.lower():7}  {record.getMessage()}  {facts}".rstrip()
