#!/bin/sh
# Installs missing requirements on Debian or Ubuntu with Python 3.11 to 3.13 and make. Called by `make setup`. Idempotent:
# a second call skips what is installed, and needs no network if all is.
set -eu
venv=$1
uv_version=0.9

fail() { echo "setup: $1" >&2; exit 1; }

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

lists_are_new=
update_lists() {
    [ -n "$lists_are_new" ] || apt-get -o DPkg::Lock::Timeout=300 update -qq
    lists_are_new=yes
}

# As root installs Debian packages, otherwise exits with their names.
need_packages() {
    if can_install; then
        echo "setup: installing $* from the distribution's packages"
        update_lists
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@" >/dev/null
    else
        fail "please install: $*  (on Debian and Ubuntu: sudo apt-get install $*)"
    fi
}

# The oldest Java that both Spark supports and the distribution has: Debian 12 has 17, Debian 13 has 21 and 25.
java_package() {
    for java in 17 21 25; do
        if [ -n "$(LC_ALL=C apt-cache policy "openjdk-$java-jre-headless" 2>/dev/null | sed -n 's/.*Candidate: *[0-9].*/yes/p')" ]; then
            break
        fi
    done
    echo "openjdk-$java-jre-headless"
}

java_is_usable() {
    java=java
    [ -n "${JAVA_HOME:-}" ] && java="$JAVA_HOME/bin/java"
    version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p') || return 1
    [ -n "$version" ] && [ "$version" -ge 17 ]
}

python=python3
for candidate in python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null &&
        "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then
        python=$candidate
        break
    fi
    python=
done
[ -n "$python" ] || fail "Python 3.11 to 3.13 is needed and not on the PATH"

if ! java_is_usable; then
    [ -z "${JAVA_HOME:-}" ] || fail "JAVA_HOME=$JAVA_HOME is not Java 17 or newer: correct or unset it"
    ! can_install || update_lists
    need_packages "$(java_package)"
fi

if command -v uv >/dev/null; then
    uv=uv
else
    uv=.uv/bin/uv
    if [ ! -x "$uv" ]; then
        "$python" -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv python3-pip
        echo "setup: installing uv"
        rm -rf .uv
        "$python" -m venv .uv
        .uv/bin/pip install --quiet "uv>=$uv_version"
    fi
fi

UV_PROJECT_ENVIRONMENT=$venv "$uv" sync --frozen --quiet --compile-bytecode --python "$python"
echo "setup: Python environment ready in $venv"
"$venv/bin/python" -m lakehouse.spark.jars >"$venv/delta-jars.log" 2>&1 ||
    fail "could not download the Delta jars (is there a network?); $venv/delta-jars.log says more"
"$venv/bin/python" -m lakehouse.spark.class_archive >"$venv/class-archive.log" 2>&1 ||
    fail "could not start Spark; $venv/class-archive.log says why"
echo "setup: done"
