"""`make static`: modules and styles of the sale page and of the console as one file each, and the faces of every page.

`python -m scripts.bundle ESBUILD` writes `web.assets.BUNDLED` into static/dist, and sources.json, which names what
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

#: Name in static/dist -> the module that everything is reached from.
MODULES: Final = {"sale": "js/sale.js", "plan_worker": "js/plan_worker.js", "ops": "js/ops/main.js"}
#: Name in static/dist -> the template that names the styles, in their order.
TEMPLATES: Final = {name: FOLDER.parent / "templates" / f"{name}.html" for name in ("sale", "ops")}
_FONTS: Final = "vendor/pretendard/pretendard.css"
_STYLE: Final = re.compile(r'rel="stylesheet" href="\{\{ static \}\}/((?:css|vendor)/[^"]+)"')
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
        modules = [f"{name}={FOLDER / module}" for name, module in MODULES.items()]
        subprocess.run(
            [esbuild, *modules, "--bundle", *_OPTIONS, f"--outdir={target}", f"--metafile={facts}"], check=True
        )
        read = json.loads(facts.read_text())["inputs"]
    styles = {name: styles_of(template) for name, template in TEMPLATES.items()}
    for name, own in styles.items():
        (target / f"{name}.css").write_text(_minified(esbuild, "\n".join(style.read_text() for style in own)))
    # A face that comes late would move what is read already: it waits for the next page.
    faces = (FOLDER / _FONTS).read_text().replace("font-display: swap", "font-display: optional")
    moved = faces.replace("url(./", f"url(../{_FONTS.rpartition('/')[0]}/")
    (target / "type.css").write_text(_minified(esbuild, moved))
    sources = {*map(Path, read), *(style for own in styles.values() for style in own), FOLDER / _FONTS}
    names = sorted(path.resolve().relative_to(FOLDER).as_posix() for path in sources)
    made = {name: digest_of((FOLDER / name).read_bytes()) for name in [*names, *BUNDLED]}
    (target / "sources.json").write_text(json.dumps(made, indent=1) + "\n")


def styles_of(template: Path) -> list[Path]:
    """The styles that a page without a bundle asks for, in their order."""
    return [FOLDER / name for name in ("css/base.css", *_STYLE.findall(template.read_text()))]


def _minified(esbuild: str, css: str) -> str:
    done = subprocess.run([esbuild, "--loader=css", "--minify"], input=css, capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    bundle(sys.argv[1])
