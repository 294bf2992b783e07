"""The WebSocket of a session: commands and camera frames in, boxes and previews out.

In, text: {"type": "play" | "pause" | "step" | "release"}, {"type": "seek", "frame": n} or
    {"type": "target", "frame": n, "box": [x, y, w, h]} (video).
In, binary (camera): see protocol.parse_frame.
Out, text: "hello" (session), "rows" (rows, fps, ms), "cut" (rows from `frame` on are void),
    "state" (video), "skipped" (camera frame without target), "lost", "notice", "error".
Out, binary (video): preview, header {"frame", "row"} and JPEG, packed as in protocol.pack.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from .media import Limits
from .protocol import (
    CLOSE_BUSY,
    CLOSE_PROTOCOL,
    CLOSE_UNKNOWN,
    Outbox,
    ProtocolError,
    parse_command,
    parse_frame,
)
from .visits import Visit, Visits
from .workers import CameraWorker, TrackerFactory, VideoWorker

logger = logging.getLogger(__name__)

Worker = VideoWorker | CameraWorker
TAKEOVER_SECONDS = 1.0


class Channel:
    """Joins WebSockets to tracking threads, one of each per session."""

    def __init__(self, store: Visits, make_tracker: TrackerFactory, limits: Limits) -> None:
        self._store = store
        self._make_tracker = make_tracker
        self._limits = limits
        self._workers: dict[str, Worker] = {}

    async def endpoint(self, socket: WebSocket) -> None:
        """Serve one connection until either side ends it."""
        await socket.accept()  # first: only then does a browser see code and reason of a close
        session = self._store.get(socket.path_params["session"])
        if session is None:
            await socket.close(CLOSE_UNKNOWN, "this session has ended")
            return
        if not await self._free(session):
            await socket.close(CLOSE_BUSY, "this session is open in another tab")
            return
        session.connected = True
        outbox = Outbox(asyncio.get_running_loop())
        kind = CameraWorker if session.mode == "camera" else VideoWorker
        worker: Worker = kind(session, self._make_tracker, outbox, self._limits)
        self._workers[session.id] = worker
        try:
            await socket.send_json({"type": "hello", "session": session.describe()})
            worker.start()
            await self._serve(socket, worker, outbox)
        except WebSocketDisconnect:
            logger.debug("session %s disconnected", session.id[:6])
        except ProtocolError as error:
            # A close frame holds at most 123 bytes of reason (RFC 6455, 5.5).
            reason = str(error).encode("ascii", "replace")[:120].decode()
            await socket.close(CLOSE_PROTOCOL, reason)
        finally:
            worker.stop()
            try:
                if worker.is_alive():
                    await asyncio.shield(run_in_threadpool(worker.join))
            finally:  # also where this coroutine is cancelled: the server shuts down
                self._workers.pop(session.id, None)
                session.connected = False
                self._store.get(session.id)

    async def _free(self, session: Visit) -> bool:
        """Wait until the session has no connection; False where it keeps one.

        A page that reloads connects again before its old connection has ended.
        """
        deadline = time.monotonic() + TAKEOVER_SECONDS
        while session.connected and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        return not session.connected

    async def _serve(self, socket: WebSocket, worker: Worker, outbox: Outbox) -> None:
        sender = asyncio.create_task(self._send(socket, outbox))
        receiver = asyncio.create_task(self._receive(socket, worker))
        tasks = {sender, receiver}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in done:
            task.result()  # raises what went wrong
        if sender in done and receiver not in done:
            await socket.close(1000, "tracking has ended")

    async def _send(self, socket: WebSocket, outbox: Outbox) -> None:
        while (messages := await outbox.drain()) is not None:
            for message in messages:
                if isinstance(message, bytes):
                    await socket.send_bytes(message)
                else:
                    await socket.send_text(message)

    async def _receive(self, socket: WebSocket, worker: Worker) -> None:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            self._deliver(message.get("text"), message.get("bytes"), worker)

    def _deliver(self, text: str | None, data: bytes | None, worker: Worker) -> None:
        if text is not None:
            worker.submit(parse_command(text))
        elif isinstance(worker, CameraWorker):
            if data is None or len(data) > self._limits.frame_bytes:
                size = 0 if data is None else len(data)
                raise ProtocolError(f"a frame of {size} bytes; at most {self._limits.frame_bytes}")
            worker.offer(parse_frame(data))
        else:
            raise ProtocolError("binary messages are for camera sessions")

    def stop(self, session: Visit) -> None:
        """End the session's thread, and with it its WebSocket. Blocks until it has let go."""
        worker = self._workers.get(session.id)
        if worker is not None:
            worker.stop()
            if worker.is_alive():
                worker.join()

    def stop_all(self) -> None:
        """End all threads. Blocks."""
        for worker in list(self._workers.values()):
            worker.stop()
            if worker.is_alive():
                worker.join()
