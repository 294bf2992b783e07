"""The WebSocket of a session: commands and camera frames in, boxes and previews out.

In, text: {"type": "play" | "pause" | "step" | "back" | "undo"}, {"type": "seek", "frame": n},
    {"type": "target", "frame": n, "box": [x, y, w, h]} with "id" to correct a target,
    {"type": "release"} with "id" or for all, {"type": "remove", "id": k},
    {"type": "redetect", "on": bool}, {"type": "view", "box": part of the frame for previews}.
In, binary (camera): see parse_frame.
Out, text: "hello" (session), "rows" (rows, fps, ms), "all" (rows, in place of those before),
    "state", "skipped" (camera frame without target), "lost", "notice", "error".
Out, binary (video): preview, header {"frame", "rows", "area"} and JPEG, packed as in page.pack.
"""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from ...errors import PytrackingETError
from ..controls import Controls, Edit
from ..player import Player
from ..reader import BACK, Reader
from ..session import Session, SingleTracker
from ..sources import Source
from .page import BoxValues, BrowserCamera, CameraFrame, Command, Outbox, Page
from .uploads import Limits
from .visits import Visit, Visits

COMMANDS = frozenset(
    {
        "play",
        "pause",
        "step",
        "back",
        "seek",
        "target",
        "release",
        "remove",
        "undo",
        "redetect",
        "view",
    }
)
HEADER_BYTES = 4096
TAKEOVER_SECONDS = 1.0

# WebSocket close codes of our own (4000-4999 are free for applications, RFC 6455, 7.4.2).
CLOSE_PROTOCOL = 4400
CLOSE_UNKNOWN = 4404
CLOSE_BUSY = 4409

TrackerFactory = Callable[[], SingleTracker]
logger = logging.getLogger(__name__)


class ProtocolError(PytrackingETError):
    """A message that does not follow the protocol; the connection is closed."""


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the message is not JSON") from error
    if not isinstance(value, dict):
        raise ProtocolError("the message is not a JSON object")
    return value


def _number(value: object, name: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Whole numbers of JSON have any length, and beyond this they are no floats.
    if not number or not abs(value) <= sys.float_info.max:  # type: ignore[arg-type]
        raise ProtocolError(f"{name} {str(value)[:40]} is not a finite number")
    return float(value)  # type: ignore[arg-type]


def _box(value: object) -> BoxValues:
    if not isinstance(value, list) or len(value) != 4:
        raise ProtocolError(f"box {value!r} is not a list of four numbers x, y, w, h")
    x, y, w, h = (_number(item, "box value") for item in value)
    return x, y, w, h


def _frame(value: object, name: str = "frame") -> int:
    # 2**53: numbers of a browser are exact below.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise ProtocolError(f"{name} {value!r} is not a whole number from 0")
    return value


def parse_command(text: str) -> Command:
    """Read a text message.

    Raises:
        ProtocolError: not one of those above.
    """
    message = _object(text)
    name = message.get("type")
    if not isinstance(name, str) or name not in COMMANDS:
        raise ProtocolError(f"unknown message type {name!r}; one of {', '.join(sorted(COMMANDS))}")
    if name == "redetect":
        return Command(name, on=message.get("on") is True)
    if name == "view":
        return Command(name, None if message.get("box") is None else _box(message["box"]))
    target = None if message.get("id") is None else _frame(message["id"], "id")
    if name == "target":
        return Command(name, _box(message.get("box")), _frame(message.get("frame")), target)
    if name == "seek":
        return Command(name, frame=_frame(message.get("frame")))
    return Command(name, target=target)


def parse_frame(data: bytes) -> CameraFrame:
    """Read a binary message: header length (4 bytes, big-endian), header (JSON), JPEG.

    The header is {"frame": n, "time": seconds} with "box" on the frame the user drew on, and "id"
    where it corrects a target.
    """
    if len(data) < 4:
        raise ProtocolError("a camera frame of less than 4 bytes")
    (length,) = struct.unpack(">I", data[:4])
    if length > min(HEADER_BYTES, len(data) - 4):
        raise ProtocolError(f"a camera frame with a header of {length} bytes")
    header = _object(data[4 : 4 + length])
    number = _frame(header.get("frame"))
    box = None if header.get("box") is None else _box(header["box"])
    target = None if header.get("id") is None else _frame(header["id"], "id")
    seconds = _number(header.get("time"), "time")
    return CameraFrame(number, seconds, data[4 + length :], box, target)


class Worker(threading.Thread):
    """The live loop of one connection, in a thread of its own."""

    def __init__(
        self, visit: Visit, make_tracker: TrackerFactory, limits: Limits, low_score: float
    ) -> None:
        super().__init__(name=f"{visit.mode}-{visit.id[:6]}", daemon=True)
        self.visit, self.limits, self.low_score = visit, limits, low_score
        self._make_tracker = make_tracker
        self.outbox = Outbox(asyncio.get_running_loop())
        self.controls = Controls(paused=visit.mode == "video")
        self.camera: BrowserCamera | None = None
        if visit.mode == "camera":
            self.camera = BrowserCamera(visit, self.controls, self.outbox, limits)

    def submit(self, command: Command) -> None:
        """Pass a command of the page on; from any thread."""
        controls, name = self.controls, command.name
        target = self._known(command.target)
        if name == "target":
            controls.ask(Edit("box", np.array(command.box), target, command.frame, play=True))
        elif name in ("play", "pause"):
            controls.pause(name == "pause")
        elif name in ("step", "back"):
            controls.step(1 if name == "step" else -1)
        elif name == "seek":
            controls.seek(command.frame)
        elif name == "release":
            controls.ask(Edit("release", target=target))
        elif name == "remove" and target is not None:
            controls.ask(Edit("remove", target=target))
        elif name == "undo":
            controls.ask(Edit("undo"))
        elif name == "redetect":
            controls.ask(Edit("redetect", play=command.on))
        elif name == "view":
            self.visit.area = command.box
            controls.wake()

    def offer(self, frame: CameraFrame) -> None:
        """Hand in a camera frame; from any thread."""
        assert self.camera is not None
        if frame.box is not None:
            target = self._known(frame.target)
            self.controls.ask(Edit("box", np.array(frame.box), target, frame.number))
        self.camera.offer(frame)

    def stop(self) -> None:
        """Ask the thread to end; join() waits for it."""
        self.controls.quit()
        if self.camera is not None:
            self.camera.close()

    def run(self) -> None:
        """Thread body; a defect is logged and told to the page, never swallowed."""
        try:
            self._play()
        except Exception as error:
            logger.exception("tracking stopped in session %s", self.visit.id[:6])
            self.outbox.post(
                {"type": "error", "fatal": True, "message": f"tracking stopped: {error}"}
            )
        finally:
            self.outbox.close()

    def _play(self) -> None:
        session = Session(self._make_tracker(), self.low_score, self.visit.redetect)
        session.last_id = self.visit.rows.last_id
        source: Source = self.camera or self.visit.video()
        page = Page(self.visit, session, self.controls, self.outbox, self.limits, self.camera)
        with Reader(source, back=BACK, patience=None) as reader:
            Player(
                reader,
                session,
                self.controls,
                [page],
                recording=self.visit.rows,
                pace=None if self.camera else self.visit.clip.fps,
                review=True,
                notify=lambda text: self.outbox.post({"type": "error", "message": text}),
            ).run()

    def _known(self, target: int | None) -> int | None:
        """A target's number where there is such a target."""
        return target if target is not None and 0 < target <= self.visit.rows.last_id else None


class Channel:
    """Joins WebSockets to tracking threads, one of each per session."""

    def __init__(self, store: Visits, make_tracker: TrackerFactory, low_score: float) -> None:
        self._store, self._make_tracker, self._low_score = store, make_tracker, low_score
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
        worker = Worker(session, self._make_tracker, self._store.limits, self._low_score)
        self._workers[session.id] = worker
        try:
            await socket.send_json({"type": "hello", "session": session.describe()})
            worker.start()
            await self._serve(socket, worker)
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
                if not session.left:
                    self._store.get(session.id)

    async def _free(self, session: Visit) -> bool:
        """Wait until the session has no connection; False where it keeps one.

        A page that reloads connects again before its old connection has ended.
        """
        deadline = time.monotonic() + TAKEOVER_SECONDS
        while session.connected and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        return not session.connected

    async def _serve(self, socket: WebSocket, worker: Worker) -> None:
        sender = asyncio.create_task(self._send(socket, worker.outbox))
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
                kind = "bytes" if isinstance(message, bytes) else "text"
                await socket.send({"type": "websocket.send", kind: message})

    async def _receive(self, socket: WebSocket, worker: Worker) -> None:
        most = worker.limits.frame_bytes
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            data = message.get("bytes") or b""
            if message.get("text") is not None:
                worker.submit(parse_command(message["text"]))
            elif worker.camera is None:
                raise ProtocolError("binary messages are for camera sessions")
            elif len(data) > most:
                raise ProtocolError(f"a frame of {len(data)} bytes; at most {most}")
            else:
                worker.offer(parse_frame(data))

    def stop(self, session: Visit | None = None) -> None:
        """End a session's thread (default: all), and with it its WebSocket; waits for that."""
        for identity, worker in list(self._workers.items()):
            if session is None or session.id == identity:
                worker.stop()
                if worker.is_alive():
                    worker.join()
