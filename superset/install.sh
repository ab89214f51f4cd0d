#!/bin/sh
# Makes Superset's environment from requirements.lock, or with --lock that file from requirements.in.
# Called by `make superset` and `make superset-lock`.
set -eu
cd "$(dirname "$0")/.."
uv=uv
command -v uv >/dev/null || uv=.uv/bin/uv

if [ "$1" = --lock ]; then
    exec "$uv" pip compile superset/requirements.in -o superset/requirements.lock --quiet --upgrade \
        --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
fi

# What it is pinned to has no packages for later ones; where neither is there, uv gets one.
export UV_PYTHON_DOWNLOADS=automatic
"$uv" venv --quiet --clear --python ">=3.11,<3.13" "$1" || {
    echo "superset: Python 3.11 or 3.12 is needed and could not be had" >&2
    exit 1
}
echo "superset: installing into $1"
"$uv" pip sync --quiet --python "$1/bin/python" --compile-bytecode superset/requirements.lock
echo "superset: installed"
