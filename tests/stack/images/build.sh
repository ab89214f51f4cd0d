#!/bin/bash
# Makes what is missing of the five upstream images as local stand-ins, under upstream's names.
set -euo pipefail
cd "$(dirname "$0")"
root=../../..
stack=$(realpath -m "$root/${STACK_DIR:-data/stack}")
[ -z "${STACK_DIR:-}" ] || stack=$(realpath -m "$STACK_DIR")

missing() { ! docker image inspect "$1" >/dev/null 2>&1; }
build() {
    if missing "$1"; then
        echo "stand-in for $1"
        docker build --quiet --tag "$@" >/dev/null
    fi
}

for suite in bookworm trixie; do
    if missing "debian:$suite-slim"; then
        echo "stand-in for debian:$suite-slim"
        ./debian.sh $suite "debian:$suite-slim"
    fi
done
build python:3.11-slim-bookworm python
build redis:8 redis
build postgres:17 postgres
if missing trinodb/trino:476; then
    (cd $root && STACK_DIR=$stack .venv/bin/python -c 'from rich.console import Console
from lakehouse.settings import load_settings
from lakehouse.trino_server import get_cli, get_server
get_server(load_settings(), Console()), get_cli(load_settings(), Console())')
    build trinodb/trino:476 --build-context "stack=$stack" trino
fi
# A folder of its own: the project's .dockerignore leaves the lock out of its image.
lock=$(mktemp -d)
trap 'rm -rf "$lock"' EXIT
cp "$root/superset/requirements.lock" "$lock"
build apache/superset:6.1.0 --build-context "lock=$lock" superset
docker image ls --filter label=stand-in
