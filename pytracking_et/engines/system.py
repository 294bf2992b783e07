"""What the CPU is good for, and the memory that engines leave behind."""

from __future__ import annotations

import ctypes
import locale
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..machine import cpu_flags

# Instruction sets (Linux's names) without which a precision is slower than float32.
INSTRUCTIONS = {
    "bf16": frozenset({"avx512_bf16", "amx_bf16"}),
    "int8": frozenset({"avx512_vnni", "avx_vnni", "amx_int8"}),
}
# Share of the CPUs that others may keep busy while a measurement still says something.
_BUSY = 0.5


def computes_in(precision: str) -> bool:
    """Whether the CPU has instructions for a precision; only Linux tells."""
    return precision not in INSTRUCTIONS or bool(cpu_flags() & INSTRUCTIONS[precision])


def is_busy() -> bool:
    """Whether other programs keep the CPUs busy; False where the system does not tell."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > _BUSY * (os.cpu_count() or 1)


@contextmanager
def c_numbers() -> Iterator[None]:
    """Have C libraries write and read numbers with a point, as graph files need it.

    Under LC_NUMERIC of Germany, which any Qt window may set, OpenVINO writes 9,99e-06 into its
    files, and reads 9 from them.
    """
    before = locale.setlocale(locale.LC_NUMERIC)
    if before == "C":
        yield
        return
    locale.setlocale(locale.LC_NUMERIC, "C")
    try:
        yield
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)


def return_freed_memory() -> None:
    """Give memory that was freed back to the system, which glibc does only when told to.

    Compiling a graph leaves some 10 MB; elsewhere there is nothing to call.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
