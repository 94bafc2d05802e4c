"""Templates and front-end files: nothing inline, modules fetched at once, vendored libraries with their licence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from web.assets import BUNDLE, BUNDLED, Assets, digest_of, stale_sources
from web.caching import Body
from web.ops.pages import VIEWS

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "static"
TEMPLATES = ROOT / "templates"
IMPORT = re.compile(r"""(?:^|[;}])(?:import|export)\b[^;'"]*["'](\.[^"']+)["']""", re.MULTILINE)


def modules(start: str) -> set[str]:
    """Every module that `start` brings along, as paths below static/."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        file = STATIC / name
        waiting += [str((file.parent / to).resolve().relative_to(STATIC)) for to in IMPORT.findall(file.read_text())]
    return found


def test_the_sale_page_asks_for_all_its_modules_at_once() -> None:
    """Otherwise a browser learns of each level of imports only when the one above has come: a round trip a level."""
    page = (ROOT / "templates" / "sale.html").read_text()
    preloaded = set(re.findall(r'rel="modulepreload" href="\{\{ static \}\}/([^"]+)"', page))
    assert preloaded == modules("js/sale.js")


def test_every_page_of_the_console_has_its_view() -> None:
    main = (STATIC / "js" / "ops" / "main.js").read_text()
    [listed] = re.findall(r"^const VIEWS = \{([^}]*)\};$", main, re.MULTILINE)
    assert {one.partition(":")[0].strip() for one in listed.split(",")} - {""} == set(VIEWS.values())
    readme = (ROOT / "templates" / "README.md").read_text()
    [given] = re.findall(r"^\| `ops.html` \| `view`: ([^;]+);", readme, re.MULTILINE)
    assert set(given.split(", ")) == set(VIEWS.values())


def test_every_page_of_the_console_is_led_to() -> None:
    """By its frame, or by another page; the page of one sale has an address for each."""
    sources = [ROOT / "templates" / "ops.html", *(STATIC / "js" / "ops").glob("*.js")]
    linked = {path for source in sources for path in re.findall(r'href="(/ops[a-z0-9/-]*)"', source.read_text())}
    assert {path for path in VIEWS if "{" not in path} - linked == set()


def test_the_bundle_is_made_of_the_sources_as_they_are() -> None:
    """V1: fifteen requests and not seventy. A server with an old bundle, or none, serves the sources."""
    if not (STATIC / BUNDLE).exists():
        pytest.skip("there is no bundle")
    files = {name: Body((STATIC / name).read_bytes(), digest_of((STATIC / name).read_bytes()), "") for name in _names()}
    assert stale_sources(files) == [], "run `make static`"
    sources = json.loads((STATIC / BUNDLE / "sources.json").read_text())
    named = re.compile(r'rel="stylesheet" href="\{\{ static \}\}/((?:css|vendor)/[^"]+)"')
    styles = {style for name in ("sale", "ops") for style in named.findall((TEMPLATES / f"{name}.html").read_text())}
    scripts = modules("js/sale.js") | modules("js/plan_worker.js") | modules("js/ops/main.js")
    faces = {"vendor/pretendard/pretendard.css", "css/base.css"}
    assert set(sources) == scripts | styles | faces | set(BUNDLED)


@pytest.fixture
def bundled(tmp_path: Path) -> Path:
    """A folder with one source, and a bundle that was made of it."""
    for name in ("js/sale.js", *BUNDLED):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"one {name}")
    made = {name: digest_of(f"one {name}".encode()) for name in ("js/sale.js", *BUNDLED)}
    (tmp_path / BUNDLE / "sources.json").write_text(json.dumps(made))
    assert Assets(tmp_path).bundled
    return tmp_path


@pytest.mark.parametrize("name", ["js/sale.js", *BUNDLED])
def test_a_bundle_is_served_while_it_and_its_sources_are_as_they_were(bundled: Path, name: str) -> None:
    """A merge can take the list of one side and the bundle of the other."""
    (bundled / name).write_text("two")
    assert not Assets(bundled).bundled
    (bundled / name).unlink()
    assert not Assets(bundled).bundled


def test_a_list_that_does_not_vouch_for_the_bundle_itself_is_none(bundled: Path) -> None:
    listed = bundled / BUNDLE / "sources.json"
    listed.write_text(json.dumps({"js/sale.js": digest_of(b"one js/sale.js")}))
    assert not Assets(bundled).bundled
    listed.unlink()
    assert not Assets(bundled).bundled


def _names() -> list[str]:
    return [file.relative_to(STATIC).as_posix() for file in STATIC.rglob("*") if file.is_file()]


def test_no_module_is_left_over() -> None:
    reached = {
        "js/beat_worker.js",
        *modules("js/plan_worker.js"),
        *modules("js/sale.js"),
        *modules("js/ops/main.js"),
        *modules("js/reservation.js"),
        *modules("js/site.js"),
    }
    for page in ROOT.glob("templates/**/*.html"):
        for script in re.findall(r'src="\{\{ static \}\}/((?!dist/)[^"]+\.js)"', page.read_text()):
            reached |= modules(script)
    assert {str(file.relative_to(STATIC)) for file in STATIC.glob("js/**/*.js")} - reached == set()


def test_pages_have_nothing_inline() -> None:
    """The Content-Security-Policy allows neither inline scripts nor style attributes."""
    for template in ROOT.glob("templates/**/*.html"):
        text = template.read_text()
        assert not re.search(r"\sstyle\s*=|\son[a-z]+\s*=|<style", text), template.name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), template.name
    for script in STATIC.glob("js/**/*.js"):
        assert not re.search(r"""<[^>]*\sstyle=|setAttribute\(["']style""", script.read_text()), script.name


def test_vendored_libraries_are_listed_with_version_and_licence() -> None:
    vendor = STATIC / "vendor"
    line = re.compile(r"^\| `([\w-]+)/` \| \[[^\]]+\]\([^)]+\) \| (\d+\.\d+\.\d+) \|", re.MULTILINE)
    listed = dict(line.findall((vendor / "README.md").read_text()))
    assert set(listed) == {folder.name for folder in vendor.iterdir() if folder.is_dir()}
    for folder in listed:
        assert (vendor / folder / "LICENSE").stat().st_size > 300


def test_the_types_of_vendored_libraries_are_of_their_version() -> None:
    readme = (STATIC / "vendor" / "README.md").read_text()
    vendored = dict(re.findall(r"npmjs\.com/package/([\w-]+)\) \| (\d+\.\d+\.\d+) \|", readme))
    checked = json.loads((ROOT / "tools" / "js" / "package.json").read_text())["devDependencies"]
    typed = vendored.keys() & checked.keys()
    assert len(typed) >= 4
    assert {name: checked[name] for name in typed} == {name: vendored[name] for name in typed}


def test_every_busy_button_is_free_again_by_one_mechanism() -> None:
    """V3: `Busy` ends whatever becomes of the work; a flag of one's own is free only where nobody forgot a way out. The
    payment page's wait for a window that lies over it has no end by the clock, and one of its own (pay/watch.js)."""
    texts = {file.relative_to(STATIC / "js").as_posix(): file.read_text() for file in STATIC.glob("js/**/*.js")}
    own = {name for name, text in texts.items() if re.search(r"\bbusy\s*=\s*(?!new Busy\()\w+;", text)}
    assert own == {"pay/page.js"}
    assert len([name for name, text in texts.items() if "new Busy(" in text]) > 10


def test_no_flag_stays_up_where_what_was_waited_for_throws() -> None:
    """V3: whatever it is called, a flag that is up over an `await` comes down in a `finally`, or with a `Busy`."""
    own, met = [], 0
    for file in STATIC.glob("js/**/*.js"):
        text = file.read_text()
        for up in re.finditer(r"\b(\w+)( =|:) true\b", text):
            end = _end_of_block(text, up.end())
            if up[2] == ":":
                end = _end_of_block(text, end + 1)  # of an object that is being made, the block around it
            down = re.search(rf"\b{up[1]}(?: =|:) false\b", text[up.end() : end])
            meanwhile = text[up.end() : up.end() + down.start()] if down else ""
            if "await " not in meanwhile:
                continue
            met += 1
            works = text[: up.start()].rfind(".run(") > text[: up.start()].rfind("\n  async ")
            if not works and "finally {" not in meanwhile and ".run(" not in meanwhile:
                own.append(f"{file.name}: {up[1]}")
    assert met > 4
    assert own == []


def _end_of_block(text: str, at: int) -> int:
    """Where the block ends that `at` is in."""
    depth = 1
    while depth and at < len(text):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return at - 1


def test_every_question_of_a_page_has_an_end() -> None:
    """V3: what waits for an answer that never comes keeps its button busy, or its page as it was, for ever."""
    asked = endless = 0
    for file in STATIC.glob("js/**/*.js"):
        for call in re.finditer(r"\bfetch\(", text := file.read_text()):
            depth, end = 1, call.end()
            while depth:
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            asked += 1
            endless += "signal" not in text[call.end() : end]
    assert asked > 5
    assert endless == 0
