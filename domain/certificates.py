"""Whom a server may be vouched for by."""

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """The authorities that SSL_CERT_FILE or SSL_CERT_DIR names, else those of certifi. To read them takes longer than to ask a server."""
    return httpx.create_ssl_context()
