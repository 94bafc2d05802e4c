"""What the profile of a row says of the looks that were taken (E1)."""

from __future__ import annotations

from bench.profile import by_package, parse, top

_LIB = "/opt/x/lib/python3.11"
_LOOP, _CALL = f"run ({_LIB}/asyncio/runners.py)", "call (/opt/tree/web/requests.py)"
_SEND = f"send ({_LIB}/site-packages/uvicorn/http.py)"
SEEN = f"{_LOOP};{_CALL} 30\n{_LOOP};{_CALL};{_SEND} 60\n{_LOOP};{_CALL};{_CALL} 10\n"


def test_looks_are_counted_where_they_were_and_for_who_had_called() -> None:
    profile = parse(SEEN)
    assert profile.looks == 100
    assert profile.own == {"uvicorn/http.py send": 60, "web/requests.py call": 40}
    assert profile.whole["web/requests.py call"] == 100, "one that calls itself is not counted twice"
    first, second = top(profile).splitlines()[2:]
    assert [cell.strip() for cell in first.split("|")[1:-1]] == ["60.0%", "60.0%", "`uvicorn/http.py send`"]
    assert "100.0%" in second
    assert by_package(profile) == "uvicorn 60.0%, web 40.0%"
