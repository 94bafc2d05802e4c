"""`onsale serve`: the port, the secrets, the engines; then `cli/serving.py` takes over."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from core.data_folder import is_open_to_others
from core.embedded import engines
from core.errors import StartupError
from core.payments.composition import SIMULATOR, chosen, require_payment
from core.secrets import operator_token_is_new, resolve_secrets
from core.settings import Settings

_BACKLOG = 2048
_MAIL_FROM = Settings.model_fields["mail_from"].default


def serve(
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Make the demonstration event when there is no event yet.")
    ] = False,
    crowd: Annotated[
        int, typer.Option(min=0, max=100_000, help="Simulated visitors of the demonstration event.", show_default=False)
    ] = 0,
) -> None:
    """Serve the sale: HTTP, live channel and background jobs, in WORKERS processes.

    Address and number of processes come from PORT, ONSALE_HOST and WORKERS. With no DATABASE_URL and no REDIS_URL a
    PostgreSQL and a Valkey run in the data folder (ONSALE_DATA) and end with this command. Ctrl-C ends everything.
    """
    settings = Settings.load()
    if crowd and not demo:
        raise typer.BadParameter("a crowd needs --demo", param_hint="--crowd")
    from cli.serving import serve_until_signalled  # here: other commands need not load all of it

    if demo and not chosen(settings).names:
        settings = settings.model_copy(update={"payment": SIMULATOR})
    require_payment(settings)
    warnings: Sequence[str] = ()
    if any((settings.smtp_url.get_secret_value(), settings.mail_reply_to, settings.mail_from != _MAIL_FROM)):
        from core.notifications.composition import mail_warnings  # here: it loads what writes e-mails

        warnings = mail_warnings(settings)
    with _listen(settings) as listening:
        new_token = operator_token_is_new(settings)
        settings = resolve_secrets(settings)
        if is_open_to_others(settings.data):
            warnings = [
                *warnings,
                f"other users of this machine can look into the data folder: chmod 700 {settings.data}",
            ]
        with engines(settings) as started:
            asyncio.run(
                serve_until_signalled(
                    settings, started, listening, demo=demo, crowd=crowd, new_token=new_token, warnings=warnings
                )
            )


@contextlib.contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    """The one socket that all web processes accept from. Raises StartupError with what to change."""
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartupError(f"the address {host!r} cannot be listened on ({error.strerror}): set ONSALE_HOST") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise StartupError(f"port {port} is in use: end what uses it, or set PORT to another port") from None
        if error.errno == errno.EACCES:
            raise StartupError(f"port {port} may not be used without privileges: set PORT to 1024 or more") from None
        raise StartupError(f"{host}:{port} cannot be listened on ({error.strerror}): set ONSALE_HOST or PORT") from None
    with listening:
        yield listening
