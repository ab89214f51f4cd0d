#!/bin/bash
# `make test-compose`: engine, stand-ins, tests, and everything stopped again. Needs root and Debian 12.
# `make test-compose-cluster` gives -m, which replaces the one here.
# With STAND_INS=no it uses the Docker engine that is there, and upstream's images.
set -euo pipefail
cd "$(dirname "$0")/../../.."
if [ "${STAND_INS:-yes}" = yes ]; then
    . tests/stack/images/engine.sh
    command -v dockerd >/dev/null && command -v mmdebstrap >/dev/null && docker compose version >/dev/null 2>&1 ||
        tests/stack/images/engine.sh install
    trap 'tests/stack/images/engine.sh stop' EXIT
    tests/stack/images/engine.sh start
    tests/stack/images/build.sh
fi
.venv/bin/python -m pytest tests/stack/compose -m "compose and not long" -vv --durations=12 "$@"
