"""What a command does around its work, and for its children: signals, streams, exit codes."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from .errors import PytrackingETError
from .files import home

# `timeout`, systemd, torchrun and a closed terminal send theirs twice: within this time the second
# is the same wish, and must not break off what the first one made us save.
REPEAT_SECONDS = 1.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")

# An installation for tracking alone does without them (docs/small-computers.md).
REQUIRED = ("torch", "pandas", "matplotlib", "tqdm", "safetensors", "filelock", "tomli")
_BELOW = {"torch": "<2.14"}  # as in pyproject.toml

_OF_A_PATH = (PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quotas

_deferring: list[Callable[[int, FrameType | None], None]] = []  # handlers of `deferred_stop`


def run(name: str, work: Callable[[], int], stopped: Callable[[], str] | None = None) -> int:
    """Do a command's work; what goes wrong is one sentence on stderr.

    SIGTERM and SIGHUP stop it as Ctrl-C does.

    Args:
        name: of the command, before its messages.
        work: gives the exit code.
        stopped: what to say after Ctrl-C, e.g. how to go on.

    Returns:
        The work's exit code; 2 for errors of the user's making, 130 where it was stopped.
    """
    prepare()
    try:
        with stop_signals():
            return work()
    except PytrackingETError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in REQUIRED:
            raise
        wanted = package + _BELOW.get(package, "")
        print(f'{name}: error: this needs {package}; pip install "{wanted}"', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: stopped{f'; {stopped()}' if stopped else ''}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, less) has gone; there is nobody left to tell.
        return 141
    except OSError as error:
        if error.errno in _FULL:
            advice = "make room, and give the command again"
        elif isinstance(error, _OF_A_PATH) or error.errno == errno.ENAMETOOLONG:
            advice = "name another path"
        else:
            raise
        print(f"{name}: error: {error}; {advice}", file=sys.stderr)
        return 2


def command_line(words: Sequence[str], windows: bool = os.name == "nt") -> str:
    r"""One line that a shell, or the vot-toolkit, splits into `words` again.

    Windows' shells and CreateProcess know double quotes alone; elsewhere C:\Users would lose its
    backslashes without single ones.
    """
    return subprocess.list2cmdline(words) if windows else shlex.join(words)


def prepare() -> None:
    """Streams that exist and take every character, a home, no proxy before our own servers."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Started without them: the next file that is opened would become stdout or stderr,
            # and libraries would write their warnings into it.
            os.open(os.devnull, os.O_RDWR)
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:
            setattr(sys, stream, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(getattr(sys, stream), "reconfigure"):
            getattr(sys, stream).reconfigure(errors="backslashreplace")
    if os.name != "nt" and not os.environ.get("HOME"):
        with suppress(PytrackingETError):  # raised again where the folder is needed
            os.environ["HOME"] = str(home())
    without_proxy()


def without_proxy() -> None:
    """Keep HTTP clients (urllib, requests, websocket-client, FFmpeg) from asking a proxy for
    servers on this machine, which it cannot reach.
    """
    # FFmpeg reads the small name only, requests prefers it; urllib reads both.
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    names = [item for item in known.split(",") if item.strip()]
    missing = [name for name in LOOPBACK if name not in names]
    if missing and known.strip() != "*":
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*names, *missing])


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for a child: libraries read them when they load, before any code of ours."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def stop_signals() -> Iterator[None]:
    """SIGTERM, SIGHUP (and Ctrl-Break on Windows) as Ctrl-C, for the length of the block.

    One that was ignored before, as under `nohup`, stays so. In threads, which cannot set handlers,
    nothing changes.
    """
    last = -REPEAT_SECONDS

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        if number == getattr(signal, "SIGHUP", None):
            _leave_terminal()
        previous, last = last, time.monotonic()
        if last - previous < REPEAT_SECONDS:
            return
        # Through the handler of Ctrl-C, as libraries have one of their own. In the background of a
        # script there is none: Ctrl-C is ignored there.
        handler = _deferring[-1] if _deferring else signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    names = ("SIGTERM", "SIGHUP", "SIGBREAK")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            if signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_terminal() -> None:
    """The terminal is gone: writing to it fails, which must not end the saving."""
    for descriptor in (1, 2):
        if stat.S_ISCHR(os.fstat(descriptor).st_mode):
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


@dataclass
class Stop:
    """asked: Ctrl-C was pressed, or a signal came that stands for it."""

    asked: bool = False


@contextmanager
def deferred_stop(notice: str) -> Iterator[Stop]:
    """Let a loop end its round: the first Ctrl-C only sets `asked`, another one interrupts.

    Args:
        notice: said at the first.
    """
    stop = Stop()
    came = 0.0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if not stop.asked:
            stop.asked, came = True, time.monotonic()
            with suppress(OSError):
                # Not by print: a handler may strike in the middle of one.
                os.write(2, f"\n{notice}\n".encode())
        elif time.monotonic() - came >= REPEAT_SECONDS:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)
    _deferring.append(handle)
    if callable(before):
        signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        _deferring.remove(handle)
        if callable(before):
            signal.signal(signal.SIGINT, before)
