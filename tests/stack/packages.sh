#!/bin/sh
# Installs what the tests of the whole stack need from Debian's packages: Postgres, Redis and a browser. Called by
# `make stack-packages`; without root it says what to install, and the tests that need it are skipped.
set -eu
missing=
[ -n "$(find /usr/lib/postgresql -name initdb 2>/dev/null)" ] || missing="$missing postgresql"
command -v redis-server >/dev/null || missing="$missing redis-server"
command -v chromium >/dev/null || missing="$missing chromium"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "tests of Superset are skipped without:$missing  (on Debian: sudo apt-get install$missing)" >&2
    exit 0
fi
echo "tests: installing$missing from the distribution's packages"
# Tests start a Postgres of their own; the package need not make one.
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
apt-get -o DPkg::Lock::Timeout=300 update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing >/dev/null
