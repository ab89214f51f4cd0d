#!/bin/bash
# Makes what is missing of the upstream images as local stand-ins, under upstream's names.
set -euo pipefail
cd "$(dirname "$0")"
root=../../..
stack=$(cd $root && realpath -m "${STACK_DIR:-data/stack}")
# A folder of its own: the project's .dockerignore leaves the lock out of its image.
lock=$(mktemp -d)
trap 'wait; rm -rf "$lock"' EXIT
cp "$root/superset/requirements.lock" "$lock"

missing() { ! docker image inspect "$1" >/dev/null 2>&1; }
debian() {
    if missing "debian:$1-slim"; then
        ./debian.sh "$1" "debian:$1-slim"
        echo "stand-in for debian:$1-slim after $SECONDS s"
    fi
}
build() {
    if missing "$1"; then
        docker build --quiet --tag "$@" >/dev/null
        echo "stand-in for $1 after $SECONDS s"
    fi
}

on_debian_12() {
    debian bookworm
    build python:3.11-slim-bookworm python
    build apache/superset:6.1.0 --build-context "lock=$lock" superset
}
on_debian_13() {
    debian trixie
    build redis:8 redis
    build postgres:17 postgres
    # Only `make test-compose-cluster` needs it, and sees that its program is there.
    if [ -e $root/.venv/bin/versitygw-v1.8.0 ]; then
        build versity/versitygw:v1.8.0 --build-context "program=$root/.venv/bin" versitygw
    fi
    if missing trinodb/trino:476; then
        (cd $root && STACK_DIR=$stack .venv/bin/python -c 'from rich.console import Console
from lakehouse.settings import load_settings
from lakehouse.stack.trino_server import get_cli, get_server
get_server(load_settings(), Console()), get_cli(load_settings(), Console())')
        build trinodb/trino:476 --build-context "stack=$stack" trino
    fi
}

# Side by side: each waits for the network or for dpkg most of the time.
on_debian_12 &
on_debian_13
wait $!
docker image ls --filter label=stand-in
