#!/bin/sh
# Sets up .venv: the locked dependencies, paydrill itself, and the real foreign programs.
# Writes only into .venv and the cache folder (PAYDRILL_CACHE, else ~/.cache/paydrill).
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
cache=${PAYDRILL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/paydrill}
export PIP_CACHE_DIR="$cache/pip" UV_CACHE_DIR="$cache/uv" PIP_DISABLE_PIP_VERSION_CHECK=1

say() { echo "setup: $*" >&2; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    say "Python 3.11 or newer is needed; '$python' is $("$python" -V 2>&1 || echo absent). Set PYTHON to one that is."
    exit 4
}

if command -v uv >/dev/null 2>&1; then
    say "creating .venv with uv"
    [ -x .venv/bin/python ] || uv venv -q --python "$python" .venv
    install() { uv pip install -q --python .venv/bin/python "$@"; }
else
    say "creating .venv"
    if ! [ -x .venv/bin/pip ] && ! "$python" -m venv .venv 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            say "this Python lacks venv: running apt-get install python3-venv"
            apt-get update -qq >/dev/null
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
            "$python" -m venv --clear .venv
        else
            say "this Python lacks venv: install python3-venv (Debian, Ubuntu) or uv, then run it again"
            exit 4
        fi
    fi
    install() { .venv/bin/pip install -q "$@"; }
fi

say "installing the locked dependencies (about 600 MB in .venv)"
install --require-hashes -r requirements.lock
install --no-deps --no-build-isolation -e .
say "looking for the real parts"
.venv/bin/python -m paydrill.parts >&2
touch .venv/.ready
