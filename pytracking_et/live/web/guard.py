"""Only this machine's own page may talk to the server.

Binding to 127.0.0.1 keeps other machines out, not other web sites: a page from elsewhere can make
the user's browser send requests here (cross-site requests, cross-site WebSockets), or point its
own host name at 127.0.0.1 (DNS rebinding). The Host header names the site the browser believes it
talks to, the Origin header the page that asks; both must be ours.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

# connect-src names the WebSocket schemes because Safari before 15.4 does not count them as 'self'.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=()",
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


def refusal(headers: Headers) -> str | None:
    """Why a request with these headers is refused; None where it is welcome.

    Any port is fine: it differs behind `ssh -L`. A request without Origin does not come from a
    script of another page.
    """
    host = headers.get("host", "")
    if host_name(host) not in LOOPBACK:
        return f"host {host!r} is not this machine; open http://127.0.0.1 with the server's port"
    origin = headers.get("origin")
    if origin is None:
        return None
    scheme, _, origin_host = origin.partition("://")
    if scheme not in ("http", "https") or origin_host.lower() != host.lower():
        return f"origin {origin!r} is not this server's own page ({host})"
    return None


class Guard:
    """ASGI middleware: refuse foreign hosts and origins, add security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        reason = refusal(Headers(scope=scope))

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if reason is None:
            await self.app(scope, receive, send_guarded)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close(code=1008, reason=reason)
        else:
            response = JSONResponse({"error": reason}, status_code=403)
            await response(scope, receive, send_guarded)
