"""Only a server's own page may talk to it: the rule of `serve` and of Visdom's.

Binding to 127.0.0.1 keeps other machines out, not other web sites: a page from elsewhere can make
the user's browser send requests here (cross-site requests, cross-site WebSockets), or point its
own host name at 127.0.0.1 (DNS rebinding). The Host header names the site the browser believes it
talks to, the Origin header the page that asks; both must be ours.

A server that other machines reach asks for a token besides: whoever opens the link that holds it
gets a cookie, and nobody else an answer.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

# Of every answer: no other page may show ours in a frame or read it as a script.
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def host_name(host: str) -> str | None:
    """The name in a Host header, without port; None where it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018  raises ValueError for a bad port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


def is_loopback(host: str) -> bool:
    """Whether a server at this name or address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _cannot_be_rebound(name: str | None, served: str) -> bool:
    """Whether a host is an address, this machine's own name or the one it serves at: another page
    has neither.
    """
    try:
        ipaddress.ip_address(name or "")
    except ValueError:
        own = socket.gethostname().lower()
        known = (own, own.split(".")[0], served.lower())
        return name is not None and (name in known or name.removesuffix(".local") in known)
    return True


def refusal(host: str, origin: str | None, served: str | None = None) -> str | None:
    """Why a request with these headers is refused; None where it is welcome.

    Any port is fine: it differs behind `ssh -L`. A request without Origin (None) does not come
    from a script of another page.

    Args:
        served: name or address that the server was told to listen on where other machines may ask
            (with a token, see `admission`); None: none may.
    """
    name = host_name(host)
    if not is_loopback(name or "") and (served is None or not _cannot_be_rebound(name, served)):
        return f"host {host!r} is not this machine; open http://127.0.0.1 with the server's port"
    if origin is None:
        return None
    scheme, _, origin_host = origin.partition("://")
    if scheme not in ("http", "https") or origin_host.lower() != host.lower():
        return f"origin {origin!r} is not this server's own page ({host})"
    return None


def cookie_name(host: str) -> str:
    """Name of the cookie that holds the token; browsers share cookies between a host's ports."""
    return f"ettrack-{host.rpartition(':')[2] if ':' in host else 80}"


def admission(token: str, host: str, cookie: str, query: str) -> str | None:
    """How a request shows the token: "cookie", "link" (its query), or None where it does not."""
    try:
        morsel = SimpleCookie(cookie).get(cookie_name(host))
    except CookieError:
        morsel = None
    given = {
        "cookie": morsel.value if morsel else "",
        "link": parse_qs(query).get("token", [""])[0],
    }
    for way, value in given.items():
        if hmac.compare_digest(value.encode(), token.encode()):
            return way
    return None
