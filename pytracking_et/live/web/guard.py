"""The rule of `live.guard` as ASGI middleware, and the headers of this page's answers."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from .. import guard

# connect-src names the WebSocket schemes because Safari before 15.4 does not count them as 'self'.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    **guard.SECURITY_HEADERS,
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "permissions-policy": "camera=(self), microphone=()",
}


class Guard:
    """ASGI middleware: refuse foreign hosts and origins, add security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        reason = guard.refusal(headers.get("host", ""), headers.get("origin"))

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
