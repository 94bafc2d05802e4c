#!/bin/sh
# Prints the path of a geckodriver, which speaks WebDriver for Firefox: the machine's own, else one built from Mozilla's
# crate for all clones of this user (a few minutes, once; needs cargo). Usage: scripts/geckodriver.sh
set -eu
version=0.37.1
own=${XDG_CACHE_HOME:-$HOME/.cache}/onsale/geckodriver

for found in "$(command -v geckodriver || true)" "$own/bin/geckodriver"; do
    if [ -n "$found" ] && "$found" --version >/dev/null 2>&1; then
        echo "$found"
        exit 0
    fi
done

if command -v cargo >/dev/null; then
    echo "no geckodriver here: building geckodriver $version under $own" >&2
    mkdir -p "$own"
    cargo install --quiet --locked --debug --root "$own" --target-dir "$own/target" "geckodriver@$version" >&2 || true
    rm -rf "$own/target"
    if "$own/bin/geckodriver" --version >/dev/null 2>&1; then
        echo "$own/bin/geckodriver"
        exit 0
    fi
fi
echo "geckodriver could not be found or built: install geckodriver, or cargo to build it" >&2
exit 1
