"""R9: every check of the operator token, and of a console session, goes through one gate."""

from __future__ import annotations

import re
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"

#: Asking what the token is, or whose a session is, other than by `parts.gate`.
_ASKS = re.compile(r"operators\.(?:is_token|of_session)\(|\boperator_token\b|\bOperators\(")
#: The gate itself; and who makes the one object that knows the token.
MAY = {
    "operator_gate.py": ["operators.of_session(", "operators.is_token("],
    "composition.py": ["Operators(", "operator_token"],
}


def test_nobody_else_looks_at_the_token_or_a_session() -> None:
    found = {str(path.relative_to(WEB)): _ASKS.findall(path.read_text()) for path in sorted(WEB.rglob("*.py"))}
    assert {name: asks for name, asks in found.items() if asks} == MAY
