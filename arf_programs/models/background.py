"""One event loop in a thread of its own: asynchronous calls for synchronous callers."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}  # by process id: a forked child has no thread of its parent's


def run_sync(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine and return its result, also while an event loop is running, as in Jupyter.

    All callers share one loop, so calls from several threads share pacing and are asked once. The coroutine sees the
    caller's context variables. Raises what the coroutine raises, and RuntimeError when it is called on that loop
    itself, where the caller can `await`.
    """
    loop = background_loop()
    if _running_loop() is loop:
        work.close()
        raise RuntimeError("a synchronous call inside an asynchronous one: use `await program.acall(...)` here")
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def run_in_background(work: Coroutine[Any, Any, Result]) -> Result:
    """Await a coroutine on the loop in the background, from any other loop or from itself."""
    loop = background_loop()
    if asyncio.get_running_loop() is loop:
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of this process. Its thread starts with the first call."""
    with _lock:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="arf-calls", daemon=True).start()
        return loop


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
