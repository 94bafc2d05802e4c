"""Paying as a program does: what the payment page says as JSON, the window's HTTP twin, and the way back (P5).

    GET  {page}                                    -> {provider, state, until, kind, script?, url?, client_key?, fields}
    POST /paysim/{provider}/windows  fields        -> {window}
    POST /paysim/{provider}/windows/{window}/approve (decline, close) -> {return: URL}
    GET  URL   (POST, for one that was declined or closed)

Only a simulator has the twin: against a real provider a load run stops before it opens a window.
"""

from __future__ import annotations

from typing import Any, Final, Literal
from urllib.parse import quote

from yarl import URL

from cli.load.client import Client
from core.errors import StartupError

Ending = Literal["approve", "decline", "close"]

_JSON: Final = {"Accept": "application/json"}
#: NHN KCP's window on a PC wants a phone number.
_PHONE: Final = "01000000000"


async def go_through(client: Client, payment: dict[str, Any], ending: Ending = "approve") -> None:
    """From an OPEN attempt to what its window's end leads to. Does nothing for one that is not open any more.

    Raises Refused, Failed, RateLimited; StartupError where the provider is a real one.
    """
    page = await client.call("GET", "/pay/{order}", payment["page"], headers=_JSON)
    if page.get("state") != "OPEN" or "fields" not in page:
        return
    provider, fields = page["provider"], dict(page["fields"])
    twin = _twin(page)
    if fields.get("buyr_tel2") == "":
        fields["buyr_tel2"] = _PHONE
    pattern = f"/paysim/{provider}/windows"
    opened = await client.call("POST", pattern, f"{twin}/windows", body=fields)
    window = quote(str(opened["window"]), safe="")
    ended = await client.call("POST", f"{pattern}/{{window}}/{ending}", f"{twin}/windows/{window}/{ending}")
    back = "return" if ending == "approve" else "closed"
    method = "GET" if ending == "approve" else "POST"
    await client.load(method, f"/pay/{provider}/{back}/{{order}}", str(ended["return"]))


def _twin(page: dict[str, Any]) -> str:
    """Where the simulator plays this page's provider, as the page's script or form says. Raises StartupError."""
    named = str(page.get("script") or page.get("url") or "")
    provider = str(page["provider"])
    before, played, _ = named.partition(f"/paysim/{provider}/")
    if not played or (before and URL(before).host is None):
        raise StartupError(
            f"the server is paid with the real {provider}: a load run would charge cards. "
            "Start it with ONSALE_PAYMENT=simulator"
        )
    return f"{before}/paysim/{provider}"
