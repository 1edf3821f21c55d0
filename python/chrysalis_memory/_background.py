"""The one background thread of a store: embeds what waits, writes access counts, ends what is past its time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

__all__ = ["Background"]

_log = logging.getLogger("chrysalis_memory")

_RETRY_FIRST_S = 1.0
_RETRY_MOST_S = 60.0


class Background:
    """Runs `work` soon after each `wake()`, and every `interval_s` without one; sleeps in between.

    Work that fails is tried again, each time after twice the wait, and logged once per failure.
    """

    def __init__(self, work: Callable[[], None], interval_s: float) -> None:
        self._work = work
        self._interval_s = interval_s
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chrysalis-background", daemon=True)
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

    def _run(self) -> None:
        wait_s = self._interval_s
        retry_s = _RETRY_FIRST_S
        while not self._stopping.is_set():
            self._woken.wait(wait_s)
            self._woken.clear()
            if self._stopping.is_set():
                return
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - a background thread that dies is noticed by nobody
                if not self._stopping.is_set():
                    _log.warning("work in the background failed, next try in %g s: %s", retry_s, error)
                wait_s = retry_s
                retry_s = min(retry_s * 2, _RETRY_MOST_S)
            else:
                wait_s, retry_s = self._interval_s, _RETRY_FIRST_S
