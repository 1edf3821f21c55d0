"""Promotion by rule and schedule: working memories that are important enough stay, before they fade."""

from __future__ import annotations

import logging
from time import monotonic

from chrysalis_memory._core import Memory
from chrysalis_memory._writing import Writing
from chrysalis_memory.errors import ChrysalisError

__all__ = ["Promoting"]

_log = logging.getLogger("chrysalis_memory")

_ROLES = {"writer", "validator", "administrator"}


class Promoting(Writing):
    """An open store that promotes by itself."""

    _promotion_due_s = 0.0  # on the clock of `monotonic`, which starts anywhere above 0: the first look is due at once

    def _work(self) -> float | None:
        self._promote_if_due()
        return super()._work()

    def _promote_if_due(self) -> None:
        """Promotes once each `Config.promotion_interval_s`. What fails is tried at the next time: the rest of the work
        in the background must not wait for it."""
        interval_s = self.config.promotion_interval_s
        if not interval_s or self._closed or monotonic() < self._promotion_due_s:
            return
        self._promotion_due_s = monotonic() + interval_s
        try:
            self._promote_own()
        except ChrysalisError as error:
            if not self._closed:
                _log.warning("promotion failed, next try in %g s: %s", interval_s, error)

    def _promote_own(self) -> list[Memory]:
        """Promotes what this replica created. Others promote theirs, so each memory is promoted once."""
        if self._core().role() not in _ROLES:
            return []
        own = [one for one in self._promotable(self.config.promotion_threshold) if one.author == self.public_key]
        return [promoted for one in own if (promoted := self._promoted(one.id)) is not None]

    def _promoted(self, id: str) -> Memory | None:
        try:
            return self.update(id, tier="long_term", ttl=None)
        except ChrysalisError as error:
            # Forgotten or faded meanwhile, or refused: the others are not to fade because of this one.
            _log.info("memory %s was not promoted: %s", id, error.code)
            return None
