#!/bin/sh
# Prints the path of a uv; makes one under .cache/uv when the machine has none. Usage: scripts/uv.sh [python]
set -eu
version=0.13.9
python=${1:-python3}
own=$(cd "$(dirname "$0")/.." && pwd)/.cache/uv

for found in "$(command -v uv || true)" "$HOME/.local/bin/uv" "$own/bin/uv"; do
    if [ -n "$found" ] && [ -x "$found" ] && "$found" --version >/dev/null 2>&1; then
        echo "$found"
        exit 0
    fi
done

echo "uv is missing: installing uv $version under $own" >&2
command -v "$python" >/dev/null || { echo "make: $python is missing: install Python 3.11 or later" >&2; exit 1; }
rm -rf "$own"
mkdir -p "$own"
log=$own/install.log
# Debian's python3 comes without venv and sometimes with pip: either will do.
if "$python" -m venv "$own/venv" >"$log" 2>&1 &&
    "$own/venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$version" >>"$log" 2>&1; then
    mkdir -p "$own/bin"
    ln -s ../venv/bin/uv "$own/bin/uv"
elif ! "$python" -m pip install --quiet --disable-pip-version-check --target "$own" "uv==$version" >>"$log" 2>&1; then
    echo "make: uv could not be installed with $python (see $log): install uv yourself, https://docs.astral.sh/uv/" >&2
    exit 1
fi
echo "$own/bin/uv"
