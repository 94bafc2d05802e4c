"""What the server tells operators has words in every language, with the arguments that the code gives (V4, V5)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import orjson
import pytest

from core import languages
from core.diagnosis import health_check
from core.diagnosis.finding import Cause
from core.diagnosis.health_check import WATCHED
from core.diagnosis.jobs_redis import late_jobs
from core.languages import LANGUAGES, catalog
from core.sentences import PREFIX, Sentence, said
from core.venue import plan_document
from core.venue.plan_import import load_plan
from tests.unit.plan_documents import data, plan

ROOT = Path(__file__).parents[2]


def told_in_code() -> Iterator[tuple[str, str, frozenset[str]]]:
    """(where, key, arguments) of each `said(...)` in the product."""
    for file in (ROOT / "core").rglob("*.py"):
        text = file.read_text()
        ours = file.name == "sentences.py" or re.search(r"^from core\.sentences import .*\bsaid\b", text, re.MULTILINE)
        for node in ast.walk(ast.parse(text)) if ours else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "said":
                where = f"{file.relative_to(ROOT)}:{node.lineno}"
                assert len(node.args) == 1, f"{where}: a key and named arguments"
                [key] = node.args
                assert isinstance(key, ast.Constant), f"{where}: the key is written out"
                names = [one.arg for one in node.keywords]
                assert None not in names, f"{where}: its arguments are written out"
                yield where, str(key.value), frozenset(name for name in names if name)


TOLD = list(told_in_code())


def test_no_sentence_is_made_in_another_way() -> None:
    makers = [file for file in (ROOT / "core").rglob("*.py") if re.search(r"\bSentence\(", file.read_text())]
    assert makers == [ROOT / "core" / "sentences.py"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sentence_has_words_with_its_arguments(language: str) -> None:
    """Both ways: what nobody tells any more is taken out."""
    texts = {
        str(message.id).removeprefix(PREFIX): frozenset(re.findall(r"%\((\w+)\)s", str(message.string)))
        for message in catalog(language)
        if message.id and str(message.id).startswith(PREFIX)
    }
    assert {key for _, key, _ in TOLD} == texts.keys()
    assert [(where, key) for where, key, arguments in TOLD if arguments != texts[key]] == []


def of_the_watch() -> set[Path]:
    """The modules whose steps the watch over the installation walks."""
    steps = [one for one in vars(health_check).values() if isinstance(one, ModuleType)]
    files = {Path(one.__file__ or "") for one in (health_check, *steps)}
    return {file for file in files if file.parent == ROOT / "core" / "diagnosis"}


def in_english_alone(file: Path) -> Iterator[str]:
    """Where a cause that becomes an alert is found with a text instead of a sentence."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Call(
                func=ast.Name(id="fail" | "warn"),
                args=[_, ast.Attribute(value=ast.Name(id="Cause"), attr=cause), seen, *_],
            ):
                if Cause[cause] in WATCHED and isinstance(seen, (ast.Constant, ast.JoinedStr, ast.BinOp)):
                    yield f"{file.name}:{node.lineno}"


def test_what_an_alert_saw_is_a_sentence() -> None:
    files = of_the_watch()
    assert len(files) > 10
    assert [where for file in files for where in in_english_alone(file)] == []


def test_sentences_may_stand_in_a_row() -> None:
    jobs = late_jobs({"reconcile": 95.4, "janitor": 1200})
    assert jobs.in_words() == "no success: reconcile for 95 s, janitor for 1200 s"
    assert jobs.in_words("ko") == "성공하지 못하고 있는 작업: reconcile(95초), janitor(1200초)"
    told = jobs.told()["arguments"]["jobs"]
    assert told[0] == {"key": "jobs.late_one", "arguments": {"name": "reconcile", "seconds": 95}}


def test_a_sentence_may_be_a_part_of_another() -> None:
    nested = said("plan.area_left_out", why=said("plan.too_small", least=0))
    assert nested.in_words() == "must be greater than or equal to 0: the area is not drawn"
    assert nested.in_words("ko") == "0 이상이어야 합니다. 도형을 그리지 않습니다."
    assert nested.told() == {
        "key": "plan.area_left_out",
        "arguments": {"why": {"key": "plan.too_small", "arguments": {"least": 0}}},
    }


def test_an_argument_may_have_any_name() -> None:
    told = said("cap.left_behind", key="active:cap:x", cap="5", left=said("lease.endless"))
    assert told.in_words() == "active:cap:x lets 5 in and has no end"


def test_what_an_argument_holds_is_not_read_as_a_placeholder() -> None:
    assert said("plan.same_spot", place="%(place)s 100% %%").in_words() == "lies on the same spot as %(place)s 100% %%"


def test_the_parsers_words_are_told_word_by_word() -> None:
    """In English they are the library's own; the others are told in each language."""
    for broken in ("", " ", "{", "{} x", "[1,]", "[x]", "{1:2}", '{"a" 1}', '{"a":1 "b"}', "[1 2]", '"\x01"', "01"):
        with pytest.raises(orjson.JSONDecodeError) as caught:
            orjson.loads(broken)
        words = plan_document._parsers_words(caught.value.msg)
        assert isinstance(words, Sentence), broken
        assert words.in_words() == caught.value.msg
    assert plan_document._parsers_words("something new") == "something new"


def test_a_warning_is_told_with_its_place_its_words_and_its_key() -> None:
    odd = plan(name=None)
    [told] = [one.told() for one in load_plan(data(odd)).warnings if one.at == "name"]
    assert told == {
        "at": "name",
        "message": "is missing: the plan has no name",
        "key": "plan.name_missing",
        "arguments": {},
    }
    assert languages.text("ko", PREFIX + told["key"]) != told["message"]
