#!/bin/bash
# A Docker engine of this test's own, started by hand as root from Debian's packages, with its state in one folder.
#   engine.sh install         engine, Compose and Buildx from Debian 13 on Debian 12; the C library and runc stay
#   engine.sh start|stop      the folder is ENGINE_DIR
#   . engine.sh               only sets the variables that the client needs
ENGINE_DIR=${ENGINE_DIR:-/var/tmp/lakehouse-engine}
export PATH=/usr/bin:/usr/sbin:$PATH DOCKER_HOST=unix://$ENGINE_DIR/docker.sock DOCKER_CONFIG=$ENGINE_DIR/client

install_engine() {
    # Sources and preferences of their own: the machine's apt stays as it is.
    local apt=/var/lib/lakehouse-engine-apt had_engine
    had_engine=$(command -v dockerd || true)
    mkdir -p $apt/sources.list.d $apt/preferences.d $apt/lists/partial
    cp /etc/apt/sources.list.d/debian.sources $apt/sources.list.d/
    sed 's/^Suites: bookworm bookworm-updates/Suites: trixie/;/^$/,$d' /etc/apt/sources.list.d/debian.sources \
        >$apt/sources.list.d/trixie.sources
    printf 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n' >$apt/preferences.d/trixie
    local options=(-o Dir::Etc::sourceparts=$apt/sources.list.d -o Dir::Etc::preferencesparts=$apt/preferences.d
        -o Dir::State::lists=$apt/lists -o DPkg::Lock::Timeout=550)
    apt-get "${options[@]}" -qq update
    DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install -y -qq --no-install-recommends \
        docker.io/trixie docker-cli/trixie docker-compose/trixie docker-buildx/trixie containerd/trixie mmdebstrap
    # Where systemd runs, the packages start an engine for the whole machine.
    [ -n "$had_engine" ] || systemctl disable --now --quiet docker.socket docker.service containerd.service 2>/dev/null || true
}

start_engine() {
    if docker --host unix:///var/run/docker.sock version >/dev/null 2>&1; then
        echo "another Docker engine runs here, and stopping this one would take its network along: use STAND_INS=no" >&2
        exit 1
    fi
    mkdir -p "$ENGINE_DIR" "$DOCKER_CONFIG"
    setsid dockerd --host "$DOCKER_HOST" --data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" \
        --pidfile "$ENGINE_DIR/docker.pid" --group root >"$ENGINE_DIR/dockerd.log" 2>&1 </dev/null &
    for _ in $(seq 240); do
        docker version >/dev/null 2>&1 && return
        sleep 0.25
    done
    tail -5 "$ENGINE_DIR/dockerd.log" >&2
    exit 1
}

# What a stopped engine leaves in the kernel: bridges, its chains, a mount, forwarding.
clean_network() {
    umount "$ENGINE_DIR/exec/netns/default" 2>/dev/null
    local bridges bridge table rule chain
    bridges=$(ip -o link show type bridge | awk -F': ' '{print $2}' | grep -E '^(docker0|br-[0-9a-f]{12})$')
    for bridge in $bridges; do ip link del "$bridge"; done
    for table in filter nat; do
        iptables -t $table -S | grep -E '^-A (FORWARD|PREROUTING|OUTPUT|POSTROUTING) .*(DOCKER|docker0|172\.[12][0-9]\.|br-[0-9a-f]{12})' |
            sed 's/^-A/-D/' | while read -r rule; do eval "iptables -t $table $rule"; done
        for chain in $(iptables -t $table -S | awk '/^-N DOCKER/{print $2}'); do iptables -t $table -F "$chain"; done
        for chain in $(iptables -t $table -S | awk '/^-N DOCKER/{print $2}'); do iptables -t $table -X "$chain"; done
    done
    iptables -P FORWARD ACCEPT
}

stop_engine() {
    local engine
    engine=$(cat "$ENGINE_DIR/docker.pid") || return 0
    kill "$engine"
    for _ in $(seq 120); do
        kill -0 "$engine" 2>/dev/null || break
        sleep 0.5
    done
    clean_network
}

case "${1:-}" in
    install) set -e; install_engine ;;
    start) docker version >/dev/null 2>&1 || start_engine ;;
    stop) stop_engine ;;
esac
