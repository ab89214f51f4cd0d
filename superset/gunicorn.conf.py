"""How Superset is served, in the container and by `lakehouse stack up`.

Imported by gunicorn's master, so that a missing secret ends it with one line before a worker starts.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import superset_config  # noqa: F401

bind = f"{os.environ.get('SUPERSET_HOST', '127.0.0.1')}:{os.environ.get('SUPERSET_PORT', '8088')}"
wsgi_app = "superset.app:create_app()"
# One process, because a cache in memory is per process. Its threads mostly wait for Trino.
workers = 1
worker_class = "gthread"
threads = 8
timeout = 120
graceful_timeout = 10
control_socket_disable = True
# In memory: on a slow disk late heartbeats would make gunicorn restart its worker.
worker_tmp_dir = "/dev/shm"  # noqa: S108
