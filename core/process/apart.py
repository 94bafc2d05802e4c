"""Work that holds the interpreter for long, in a process of its own: the loop serves everybody else meanwhile.

A thread would not do: what computes without a pause (a parser, a check of 100,000 seats) keeps the others out.
The process has an end, whatever it was given: it is killed after its time, and ends itself when its parent has died.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from typing import Final

import orjson

from core import errors
from core.process.tasks import within

#: At the same time in one server process: each may take a core and the memory below.
_AT_ONCE: Final = asyncio.Semaphore(2)
#: Bytes of addresses: the largest plan that is taken needs less than a third of it.
_MOST_MEMORY: Final = 4 * 1024**3
#: So much later than its parent would the process end itself, in seconds.
_OWN_END: Final = 5
#: So many steps behind the servers in the queue for a core.
_NICENESS: Final = 10
_KILLED_WITHIN: Final = 5.0
#: What it has of its parent's environment.
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")

_DONE: Final = b"+"
_REFUSED: Final = b"-"


async def apart(work: str, given: bytes, *, seconds: float) -> bytes:
    """`work` is `module:function`, a function of this program that takes bytes and gives bytes.

    Raises the OnsaleError that the function raised, TimeoutError after `seconds`, RuntimeError when the process died.
    """
    async with _AT_ONCE:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "core.process.apart", work, str(round(seconds) + _OWN_END)),
            env=_environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            answer, said = await within(seconds, f"apart {work}", process.communicate(given))
        finally:
            if process.returncode is None:
                process.kill()
                await within(_KILLED_WITHIN, f"end of {work}", process.wait())
    kind, content = answer[:1], answer[1:]
    if kind == _DONE and process.returncode == 0:
        return content
    if kind == _REFUSED:
        told = orjson.loads(content)
        refusal: errors.OnsaleError = getattr(errors, told["error"])(told["detail"], **told["data"])
        raise refusal
    lines = said.decode(errors="replace").strip().splitlines()
    raise RuntimeError(f"{work} ended with {process.returncode}: {lines[-1] if lines else 'no word'}")


def _environment() -> dict[str, str]:
    """No secrets for what reads hostile files, no folder for figures, in which each process would leave a file, and
    nothing from the folder that the server was started in.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}


def _main(work: str, seconds: str) -> None:
    import resource  # there is none on Windows, where this module can be imported all the same

    signal.alarm(int(seconds))
    os.nice(_NICENESS)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = _MOST_MEMORY if hard == resource.RLIM_INFINITY else min(_MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    module, _, function = work.partition(":")
    given = sys.stdin.buffer.read()
    try:
        answer = _DONE + getattr(importlib.import_module(module), function)(given)
    except errors.OnsaleError as refusal:
        told = {"error": type(refusal).__name__, "detail": refusal.detail, "data": refusal.data}
        answer = _REFUSED + orjson.dumps(told)
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    _main(*sys.argv[1:])
