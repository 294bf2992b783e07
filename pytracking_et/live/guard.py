"""Only this machine's own page may talk to a server here: the rule of `serve` and of Visdom's.

Binding to 127.0.0.1 keeps other machines out, not other web sites: a page from elsewhere can make
the user's browser send requests here (cross-site requests, cross-site WebSockets), or point its
own host name at 127.0.0.1 (DNS rebinding). The Host header names the site the browser believes it
talks to, the Origin header the page that asks; both must be ours.
"""

from __future__ import annotations

from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
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


def refusal(host: str, origin: str | None) -> str | None:
    """Why a request with these headers is refused; None where it is welcome.

    Any port is fine: it differs behind `ssh -L`. A request without Origin (None) does not come
    from a script of another page.
    """
    if host_name(host) not in LOOPBACK:
        return f"host {host!r} is not this machine; open http://127.0.0.1 with the server's port"
    if origin is None:
        return None
    scheme, _, origin_host = origin.partition("://")
    if scheme not in ("http", "https") or origin_host.lower() != host.lower():
        return f"origin {origin!r} is not this server's own page ({host})"
    return None
