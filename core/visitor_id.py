"""What a visitor's id looks like: `web/visitors.py` makes it, of 128 random bits."""

from __future__ import annotations

import re
from typing import Final

VISITOR_ID: Final = re.compile(r"v_[A-Za-z0-9_-]{22}")
