"""How Superset is served; the container and `lakehouse stack up` use it alike.

Imported by gunicorn's master, so that a missing secret ends it with one line before any worker starts.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import superset_config  # noqa: F401

bind = f"{os.environ.get('SUPERSET_HOST', '127.0.0.1')}:{os.environ.get('SUPERSET_PORT', '8088')}"
wsgi_app = "superset.app:create_app()"
# One process, so that a cache in memory is one cache. Its threads mostly wait for Trino.
workers = 1
worker_class = "gthread"
threads = 8
timeout = 120
graceful_timeout = 10
control_socket_disable = True
# A heartbeat file on a slow disk makes gunicorn take its worker for dead.
worker_tmp_dir = "/dev/shm"  # noqa: S108
