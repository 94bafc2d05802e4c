"""`static/`: kept in memory, compressed once, and cached by browsers for ever under an address that names the content.

Pages refer to files below `Assets.base`, `/static/~<digest of the whole folder>`. ES modules import each other by
relative addresses, so every module of a page comes from below the same digest: a browser never mixes the files of two
releases, and nothing has to be rewritten. A file asked for without the digest, or with an older one, is served as well,
but browsers ask again each time (ETag).
"""

from __future__ import annotations

import functools
import hashlib
import json
import mimetypes
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from core.errors import NotFound
from web.caching import Body, respond

FOLDER: Final = Path(__file__).parent.parent / "static"

#: Below it, sale page and console in one file of each kind, and `sources.json`: what they were made of, and they
#: themselves (`make static`).
BUNDLE: Final = "dist"
#: What pages ask for of the bundle.
BUNDLED: Final = tuple(
    f"{BUNDLE}/{name}" for name in ("sale.js", "plan_worker.js", "sale.css", "ops.js", "ops.css", "type.css")
)

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "public, no-cache"
#: Seconds between two looks at the folder, for who edits files while the server runs.
_LOOK_PAUSE: Final = 1.0

# What the machine's own table may not know, or may know wrongly.
_TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class _Tree:
    seen: frozenset[tuple[str, int, int]]
    digest: str
    files: dict[str, Body]
    bundled: bool


class Assets:
    """Every file of the folder by its path below it; what is not in the table does not exist."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._tree = _read(folder, _seen(folder))
        self._looked = time.monotonic()

    @property
    def base(self) -> str:
        """Where pages find the files, without a slash at the end."""
        self._look()
        return f"/static/~{self._tree.digest}"

    @property
    def bundled(self) -> bool:
        """Whether `BUNDLE` is made of the sources as they are; who changes a source is served the sources."""
        self._look()
        return self._tree.bundled

    def names(self) -> list[str]:
        return sorted(self._tree.files)

    async def serve(self, request: Request) -> Response:
        """`GET /static/{path}`. Raises NotFound."""
        request.scope["state"]["route"] = "/static/{path}"
        path = request.path_params["path"]
        digest, _, rest = path.removeprefix("~").partition("/") if path.startswith("~") else ("", "", path)
        body = self._tree.files.get(rest)
        if body is None:
            raise NotFound()
        return respond(request, body, cache_control=_FOR_EVER if digest == self._tree.digest else _ASK_AGAIN)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked >= _LOOK_PAUSE:
            self._looked = now
            if (seen := _seen(self._folder)) != self._tree.seen:
                self._tree = _read(self._folder, seen)


def _paths(folder: Path) -> list[str]:
    """Every file, in the order of their names."""
    hidden = (".", "__")
    found = []
    for below, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(hidden)]
        found += [os.path.join(below, name) for name in names if not name.startswith(hidden)]
    return sorted(found)


def _seen(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Name, size and time of each file: changes when a file does."""
    return frozenset((path, (stat := os.stat(path)).st_size, stat.st_mtime_ns) for path in _paths(folder))


@functools.lru_cache(maxsize=1)
def _read(folder: Path, seen: frozenset[tuple[str, int, int]]) -> _Tree:
    """The folder as it was `seen`; the applications of one process share it."""
    files: dict[str, Body] = {}
    whole = hashlib.sha256()
    for path in map(Path, _paths(folder)):
        name = path.relative_to(folder).as_posix()
        content = path.read_bytes()
        digest = digest_of(content)
        whole.update(f"{name}={digest}\n".encode())
        guessed = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        files[name] = Body(content, digest, guessed)
    return _Tree(seen, whole.hexdigest()[:12], files, not stale_sources(files))


def digest_of(content: bytes) -> str:
    """Names a file's content."""
    return hashlib.sha256(content).hexdigest()[:16]


def stale_sources(files: Mapping[str, Body]) -> list[str]:
    """The files that are not what they were when the bundle was made: its sources, and those of `BUNDLED`, which a
    merge can leave as they were while it takes the new list of them. The list itself where there is none."""
    listed = files.get(f"{BUNDLE}/sources.json")
    if listed is None:
        return [f"{BUNDLE}/sources.json"]
    made: dict[str, str] = dict.fromkeys(BUNDLED, "") | json.loads(listed.content)
    return [name for name, digest in made.items() if name not in files or files[name].tag != digest]
