"""The composition root: everything that a process needs, opened in order and closed in the opposite one.

parts.py      `Runtime`: what has been opened, and the beginning and end of its periodic work
job_list.py   the one list of periodic jobs
traces_http.py what a purchase did, for OpenTelemetry; off unless it is told where to
opening.py    `open_runtime`: the stores, then room by room (`core/*/composition.py` read the settings)

Nothing is connected at import. Parts take exactly the values and parts that they use; only these modules, the rooms'
`composition` and the commands know `Settings` and `Runtime` (`tests/unit/test_imports.py`).
"""

from core.runtime.opening import open_runtime as open_runtime
from core.runtime.parts import Runtime as Runtime
