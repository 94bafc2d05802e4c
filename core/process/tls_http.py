"""Whom this process believes over TLS: the certificates are read once, however many clients it has."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def trusted() -> ssl.SSLContext:
    """For `verify=` of every httpx client: one of its own costs each of them 35 ms of a core.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name other certificates, as httpx has it.
    """
    return httpx.create_ssl_context()
