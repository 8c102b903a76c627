"""The opt-in ``loop = "kernel"``: the kernel's own event loop turns while a cell waits.

For notebooks whose own tasks must go on during an ask, or whose tools use objects bound to the
kernel's loop. Requests still run on the I/O thread; only the waiting is nested.
"""

from __future__ import annotations

import asyncio
import sys

from nbconvo.errors import InputError

__all__ = ["kernel_loop"]

_REMEDY = "use %config NbConvo.loop = 'thread'"


def kernel_loop() -> asyncio.AbstractEventLoop | None:
    """Return the running event loop, made re-entrant; ``None`` where none runs.

    Raises:
        InputError: On a loop that cannot be made re-entrant, or where the old ``nest_asyncio``
            has patched asyncio under ipykernel 7, which silently drops queued cells.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    if not isinstance(loop, asyncio.BaseEventLoop):
        raise InputError(f"loop = 'kernel' cannot work on {type(loop).__module__}; {_REMEDY}")
    if _patched_by_old() and _ipykernel_major() >= 7:
        raise InputError(
            "loop = 'kernel' cannot work here: nest_asyncio 1.x has patched asyncio, and drops "
            f"queued cells on ipykernel 7; {_REMEDY}, or restart and import nest_asyncio2 instead"
        )
    import nest_asyncio2

    nest_asyncio2.apply(loop)
    return loop


def _patched_by_old() -> bool:
    patched = getattr(asyncio, "_nest_patched", False)
    return bool(patched) and getattr(asyncio.run, "__module__", "") == "nest_asyncio"


def _ipykernel_major() -> int:
    ipykernel = sys.modules.get("ipykernel")
    version: tuple[int, ...] = getattr(ipykernel, "version_info", (0,))
    return int(version[0])
