#!/bin/sh
# Brings up a Docker engine on a bare Debian, as root. Safe to run again: an engine that answers is left alone.
#
#   .ci/docker-engine.sh          install what is absent, start dockerd, wait until it answers
#
# PAYDRILL_DOCKERD_LOG   where dockerd writes (default: a file in the temporary folder)
# PAYDRILL_DOCKERD_WAIT  seconds to wait for its first answer (default 60)
# PAYDRILL_DOCKERD_ARGS  more options for dockerd
# PAYDRILL_DOCKER_RUN    where its pid files are (default /var/run)
set -eu

log=${PAYDRILL_DOCKERD_LOG:-${TMPDIR:-/tmp}/paydrill-dockerd.log}
wait_s=${PAYDRILL_DOCKERD_WAIT:-60}
run=${PAYDRILL_DOCKER_RUN:-/var/run}
pid_file=$run/docker.pid

say() { echo "docker-engine: $*" >&2; }

fail() {
    say "$1"
    if [ -s "$log" ]; then
        say "the end of $log:"
        tail -n 25 "$log" >&2
    fi
    exit 1
}

answers() { timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }

# Debian 13 split the command line off into a package of its own.
client_package() {
    if apt-cache show docker-cli >/dev/null 2>&1; then echo docker-cli; else echo docker.io; fi
}

install_parts() {
    missing=
    command -v dockerd >/dev/null || missing="$missing docker.io"
    command -v docker >/dev/null || missing="$missing $(client_package)"
    command -v iptables >/dev/null || missing="$missing iptables"
    command -v mmdebstrap >/dev/null || missing="$missing mmdebstrap"
    command -v nft >/dev/null || missing="$missing nftables"
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "missing:$missing, and there is no apt-get here; install them by hand"
    [ "$(id -u)" = 0 ] || fail "missing:$missing; run this as root, or: sudo apt-get install$missing"
    say "apt-get install$missing"
    apt-get -qq update || fail "apt-get update failed: look at /etc/apt/sources.list*"
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -y install --no-install-recommends $missing >/dev/null ||
        fail "apt-get install$missing failed"
}

# A pid file outlives a machine that lost power; dockerd refuses to start while the number in it is taken
# by any process at all.
remove_stale_pid_file() {
    [ -e "$1" ] || return 0
    pid=$(cat "$1" 2>/dev/null || true)
    if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null || true)" = "$2" ]; then
        return 0
    fi
    say "removing $1: process ${pid:-?} is no $2"
    rm -f "$1"
}

start_engine() {
    [ "$(id -u)" = 0 ] || fail "no engine answers and only root can start one: run this as root"
    remove_stale_pid_file "$pid_file" dockerd
    remove_stale_pid_file "$run/docker/containerd/containerd.pid" containerd
    if [ -e "$pid_file" ]; then
        say "dockerd runs already (process $(cat "$pid_file")); waiting for its answer"
        return 0
    fi
    say "starting dockerd, log in $log"
    # shellcheck disable=SC2086
    setsid nohup dockerd ${PAYDRILL_DOCKERD_ARGS:-} </dev/null >"$log" 2>&1 &
    engine=$!
}

await_answer() {
    deadline=$(($(date +%s) + wait_s))
    while [ "$(date +%s)" -lt "$deadline" ]; do
        if version=$(answers) && [ -n "$version" ]; then
            say "engine $version answers"
            return 0
        fi
        if [ -n "${engine:-}" ] && ! kill -0 "$engine" 2>/dev/null; then
            fail "dockerd ended at once"
        fi
        sleep 0.2
    done
    fail "dockerd did not answer within $wait_s s"
}

install_parts
if version=$(answers) && [ -n "$version" ]; then
    say "engine $version answers"
    exit 0
fi
start_engine
await_answer
