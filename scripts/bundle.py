"""`make static`: the sale page's modules and styles as one file each, and the faces of every page, in static/dist.

`python -m scripts.bundle ESBUILD` writes sale.js, plan_worker.js, sale.css, type.css and sources.json, which names what
they were made of, and they themselves: path below static/ -> digest. A server whose files are others serves the sources
(web/assets.py), and tests/unit/test_front_end_files.py says that this has to be run again.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from web.assets import BUNDLE, BUNDLED, FOLDER, digest_of

MODULES: Final = ("js/sale.js", "js/plan_worker.js")
#: Names the styles, in their order.
TEMPLATE: Final = FOLDER.parent / "templates" / "sale.html"
_FONTS: Final = "vendor/pretendard/pretendard.css"
_STYLE: Final = re.compile(r'rel="stylesheet" href="\{\{ static \}\}/(css/[^"]+)"')
_OPTIONS: Final = (
    "--minify",
    "--target=es2022",
    "--format=esm",
    "--log-level=warning",
)


def bundle(esbuild: str) -> None:
    target = FOLDER / BUNDLE
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        facts = Path(folder) / "facts.json"
        modules = [str(FOLDER / name) for name in MODULES]
        subprocess.run(
            [esbuild, *modules, "--bundle", *_OPTIONS, f"--outdir={target}", f"--metafile={facts}"], check=True
        )
        read = json.loads(facts.read_text())["inputs"]
    styles = [FOLDER / name for name in ("css/base.css", *_STYLE.findall(TEMPLATE.read_text()))]
    (target / "sale.css").write_text(_minified(esbuild, "\n".join(style.read_text() for style in styles)))
    # A face that comes late would move what is read already: it waits for the next page.
    faces = (FOLDER / _FONTS).read_text().replace("font-display: swap", "font-display: optional")
    moved = faces.replace("url(./", f"url(../{_FONTS.rpartition('/')[0]}/")
    (target / "type.css").write_text(_minified(esbuild, moved))
    sources = [*map(Path, read), *styles, FOLDER / _FONTS]
    names = sorted(path.resolve().relative_to(FOLDER).as_posix() for path in sources)
    made = {name: digest_of((FOLDER / name).read_bytes()) for name in [*names, *BUNDLED]}
    (target / "sources.json").write_text(json.dumps(made, indent=1) + "\n")


def _minified(esbuild: str, css: str) -> str:
    done = subprocess.run([esbuild, "--loader=css", "--minify"], input=css, capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    bundle(sys.argv[1])
