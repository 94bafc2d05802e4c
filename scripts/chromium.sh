#!/bin/sh
# Prints the path of a Chromium that starts: the machine's own, else Playwright's, else Debian's package (as root).
# Usage: scripts/chromium.sh [python with Playwright]
set -eu
python=${1:-.venv/bin/python}

starts() {
    [ -n "$1" ] && [ -x "$1" ] && "$1" --version >/dev/null 2>&1
}

machines_own() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        path=$(command -v "$name" || true)
        if starts "$path"; then echo "$path"; return 0; fi
    done
    return 1
}

playwrights() {
    path=$("$python" -c 'from playwright.sync_api import sync_playwright as start
with start() as playwright: print(playwright.chromium.executable_path)' 2>/dev/null || true)
    if starts "$path"; then echo "$path"; return 0; fi
    return 1
}

if starts "${CHROMIUM:-}"; then echo "$CHROMIUM"; exit 0; fi
machines_own && exit 0
playwrights && exit 0
echo "no Chromium here: downloading Playwright's" >&2
"$python" -m playwright install chromium >&2 2>&1 && playwrights && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "no Chromium from Playwright: installing Debian's" >&2
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } >&2 || true
    machines_own && exit 0
fi
echo "make: no Chromium could be found or installed: install chromium, or set CHROMIUM to one's path" >&2
exit 1
