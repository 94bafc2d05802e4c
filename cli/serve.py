"""`onsale serve`: the settings, the port, the secrets; then `cli/serving.py` takes over, in the same process."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from cli.handover import Handover, hand_over
from cli.preparation import DEMO_SLUG
from core.data_folder import is_open_to_others
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
        port = listening.getsockname()[1]
        hand_over(
            Handover(
                database_url=settings.database_url,
                redis_url=settings.redis_url,
                data=settings.data,
                workers=settings.workers,
                hang_seconds=settings.hang_seconds,
                goodbye_seconds=settings.goodbye_seconds,
                standby=settings.standby == "on",
                environment=_environment(settings, port, crowd),
                demo=demo,
                crowd=crowd,
                crowd_url=_local_url(settings, port),
                warnings=warnings,
                announcement=_announcement(settings, port, demo, new_token),
            ),
            listening,
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


def _environment(settings: Settings, port: int, crowd: int) -> dict[str, str]:
    """What the web processes get on top of this environment: everything that was decided here."""
    environment = {
        "PORT": str(port),
        "WORKERS": str(settings.workers),
        "ONSALE_DATA": str(settings.data.expanduser().absolute()),
        "ONSALE_SECRET_KEY": settings.secret_key.get_secret_value(),
        "ONSALE_OPERATOR_TOKEN": settings.operator_token.get_secret_value(),
        "ONSALE_PAYMENT": settings.payment,
        "ONSALE_SIMULATOR_URL": settings.simulator_url or f"{_local_url(settings, port)}/paysim",
    }
    if crowd:
        # All of the crowd comes from one address; and what it does is to be seen in the browser, not in log lines.
        environment["ONSALE_RATE_LIMITS"] = os.environ.get("ONSALE_RATE_LIMITS", "off")
        environment["ONSALE_LOG_LEVEL"] = os.environ.get("ONSALE_LOG_LEVEL", "warning")
    return environment


def _local_url(settings: Settings, port: int) -> str:
    """Where this machine reaches the server: the loopback address when it listens on all."""
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(settings.host)  # noqa: S104
    if host is None:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"


def _announcement(settings: Settings, port: int, demo: bool, new_token: bool) -> str:
    """What the operator is told once it serves."""
    url = settings.base_url.rstrip("/") or _local_url(settings, port)
    lines = [
        f"Onsale runs at {url}",
        *([f"  sale page       {url}/events/{DEMO_SLUG}"] if demo else [f"  events          {url}/"]),
        f"  operators       {url}/ops",
        # Whoever can read the log of a later start should not be an operator for that.
        *([f"  operator token  {settings.operator_token.get_secret_value()}"] if new_token else []),
        f"  data folder     {settings.data.expanduser().absolute()}",
        *(["  payment         SIMULATED: no money moves (ONSALE_PAYMENT)"] if settings.simulated_payment else []),
        "Ctrl-C ends it.",
    ]
    return "\n".join(lines)
