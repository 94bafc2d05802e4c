#!/bin/sh
# Checks static/js and the played scripts of web/paysim: eslint, prettier and the types of static/js (TypeScript reads the
# JSDoc comments), with the dev environment's Node.
# The packages are those of tools/js/package-lock.json, fetched once and again when it changes.
# Usage: scripts/check_js.sh [--fix] [python of the dev environment]
set -eu
prettier=--check
eslint=
if [ "${1:-}" = --fix ]; then prettier=--write; eslint=--fix; shift; fi
python=${1:-.venv/bin/python}
. scripts/js_tools.sh "$python"

mkdir -p .cache/js
$bin/prettier $prettier --log-level warn --cache --cache-location .cache/js/prettier static/js "web/paysim/pages/*.js" $tools/types
$bin/eslint $eslint --config $tools/eslint.config.js --cache --cache-location .cache/js/eslint static/js web/paysim/pages
"$python" -m scripts.js_types .cache/js/types.d.ts
$bin/tsc --project $tools
