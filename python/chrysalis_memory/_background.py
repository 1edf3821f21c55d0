"""The one background thread of a store: embeds what waits, writes access counts, ends what is past its time."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable

__all__ = ["Background"]

_log = logging.getLogger("chrysalis_memory")

_RETRY_FIRST_S = 1.0
_RETRY_MOST_S = 60.0


class Background:
    """Runs `work` soon after each `wake()`, and every `interval_s` without one; sleeps in between. Work may return
    after how many seconds it wants to be run again, if that is sooner.

    Work that fails is tried again, each time after twice the wait, and logged once per failure. `work` is a method
    of the store's object and is held weakly: an object that nobody holds any more ends its thread. `replica` is held
    for as long as the thread runs.
    """

    def __init__(self, work: Callable[[], float | None], replica: object, interval_s: float) -> None:
        self._work = weakref.WeakMethod(work, lambda _: self.wake())
        self._interval_s = interval_s
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(replica,), name="chrysalis-background", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is work."""
        self._woken.set()

    def stop(self) -> None:
        """Ends the thread and waits for it. Stopping twice is no error."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self, _replica: object) -> None:
        # A process that forks has no such thread in the child, and the frame of this function stays there for ever.
        # That is wanted: the replica must not be torn down in the child, where the threads that it would wait for
        # do not exist.
        wait_s = self._interval_s
        retry_s = _RETRY_FIRST_S
        while not self._stopping.is_set():
            self._woken.wait(wait_s)
            self._woken.clear()
            work = self._work()
            if work is None or self._stopping.is_set():
                return
            try:
                wanted_s = work()
            except Exception as error:  # noqa: BLE001 - a background thread that dies is noticed by nobody
                if not self._stopping.is_set():
                    _log.warning("work in the background failed, next try in %g s: %s", retry_s, error)
                wait_s = retry_s
                retry_s = min(retry_s * 2, _RETRY_MOST_S)
            else:
                wait_s, retry_s = min(wanted_s or self._interval_s, self._interval_s), _RETRY_FIRST_S
            # While it waits, this thread must not be what keeps the object alive.
            del work
