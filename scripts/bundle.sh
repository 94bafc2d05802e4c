#!/bin/sh
# Writes static/dist (scripts/bundle.py) with the esbuild of tools/js. Usage: scripts/bundle.sh [python of the dev environment]
set -eu
python=${1:-.venv/bin/python}
. scripts/js_tools.sh "$python"
"$python" -m scripts.bundle $bin/esbuild
