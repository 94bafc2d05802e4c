"""What the race tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live_server import server as server
from tests.patient_stores import patient_stores


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """A crowd looks for who gets a seat, not for whether this machine has time for a crowd."""
    with patient_stores():
        yield
