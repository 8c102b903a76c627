"""A quantity of which so much may be taken within any window of time, or within each."""

from __future__ import annotations

import math
from collections import deque

__all__ = ["Window"]

_QUIET = 1.0  # seconds without a request, after which one goes to see whether a window ended
_AGAIN = 0.5  # seconds until what was thought to have come back is tried again,
_BACK = 3.0  # if it was thought so within these; nobody asks about what came back before
_SLOTS = 1000  # what was taken within a thousandth of the window is kept, and returns, together


class Window:
    """A quantity of which ``capacity`` may be taken in any ``seconds`` that follow each other.

    What was taken is kept by its time, and comes back when the window has moved past it. Where
    the service counts anew at fixed moments instead (``fixed``), all comes back when one passes.

    Args:
        capacity: So much in a window.
        seconds: The length of the window.
        margin: Seconds that are waited beyond it: requests take different times on their way.

    Attributes:
        lag: Seconds that are waited besides for what was taken in a sliding window, since it may
            have been so long on its way to the service.
        ends: When the service's own window ends, as far as it told; infinity if it did not.
        ended: When the last one ended that was seen to.
        fixed: Whether all comes back then. Until that is known, one request may go and see.
    """

    __slots__ = ("_back", "_last", "_probe", "_slot", "_taken", "_total", "capacity", "ended",
                 "ends", "fixed", "lag", "margin", "seconds")  # fmt: skip

    def __init__(self, capacity: float, seconds: float, margin: float = 0.0) -> None:
        self.capacity = capacity
        self.seconds = seconds
        self.margin = margin
        self.lag = 0.0
        self.ends = math.inf
        self.ended = -math.inf
        self.fixed = False
        self._probe = False
        self._last = -math.inf
        self._slot = seconds / _SLOTS
        # By number of the slot: when the last of it was taken, and how much in all. In order of
        # time, but for what was taken before the window and corrected since, which is dropped.
        self._taken: dict[int, tuple[float, float]] = {}
        self._total = 0.0
        self._back: deque[tuple[float, float]] = deque()  # when how much came back, lately

    def level(self, now: float) -> float:
        """Return how much may be taken; below 0 is a debt."""
        self.expire(now)
        return self.capacity - self._total

    @property
    def _ends_at_once(self) -> bool:
        # Where nothing tells when, it can only be waited for as for one that slides.
        return self.fixed and self.ends < math.inf

    def delay(self, amount: float, now: float, ahead: float = 0.0) -> float:
        """Return the seconds until ``amount`` may be taken, 0 at once; changes nothing.

        ``ahead`` is what others will have taken by then.
        """
        missing = min(amount, self.capacity) + ahead - (self.capacity - self._total)
        if missing <= 0.0 or (self._probe and not ahead):
            return 0.0
        at = math.inf
        if not self._ends_at_once:
            past = self.seconds + self.margin + self.lag
            # A copy: another thread may be asking.
            for then, taken in tuple(self._taken.values()):
                missing -= taken
                if missing <= 1e-9:
                    at = then + past
                    break
            else:  # others have yet to take what is waited for
                at = now + past
        return max(0.0, min(at, self._looks_at()) - now)

    def take(self, amount: float, now: float) -> None:
        """Take ``amount``, into debt if need be; what has expired was dropped before."""
        if self._probe:
            self._probe = False
            self.ends = math.inf  # the reply will tell
        self._last = now
        self._put(amount, now)

    def change(self, amount: float, then: float) -> None:
        """Count so much more (or less) as taken at the time ``then``, which may be past."""
        slot = int(then / self._slot)
        if (had := self._taken.get(slot)) is not None:
            amount = max(amount, -had[1])
            self._taken[slot] = (had[0], had[1] + amount)
            self._total += amount

    def shift(self, amount: float, now: float, *, refused: bool = False) -> float:
        """Hold so much more (or less) than was thought; return the change that was made.

        Where a request was ``refused`` just after some came back, that came too early.
        """
        self.expire(now)
        if amount < 0.0:
            early = 0.0
            if refused and (early := min(-amount, self.back_since(now - _BACK))) > 0.0:
                self._back.append((now, -early))
                self._put_early(early, now)
            if -amount > early:
                self._put(-amount - early, now)
            return amount
        # What others took, or took earlier than was thought, is as if it had come back.
        left = amount
        for slot, (then, taken) in list(self._taken.items()):
            if taken > left:
                self._taken[slot] = (then, taken - left)
                left = 0.0
                break
            del self._taken[slot]
            left -= taken
        self._total -= amount - left
        return amount - left

    def expire(self, now: float) -> None:
        """Let come back what is due by now."""
        if self._ends_at_once:
            if self.ends + self.margin <= now:
                self._end(now)
            return
        # Every request comes through here, and most come soon after another.
        if self._last + _QUIET <= now and self._looks_at() <= now:
            self.ended = self.ends
            self._probe = True
        past = now - self.seconds - self.margin - self.lag + 1e-6
        while self._taken:
            slot = next(iter(self._taken))
            then, taken = self._taken[slot]
            if then > past:
                return
            del self._taken[slot]
            self._total -= taken
            self._back.append((now, taken))
            while self._back[0][0] < now - _BACK:
                self._back.popleft()
        self._total = 0.0

    def back_since(self, then: float) -> float:
        """Return how much has come back since ``then``; what came back long ago is forgotten."""
        return sum(taken for at, taken in self._back if at > then)

    def told_end(self, ends: float, now: float) -> None:
        """Note when the service says that its window ends."""
        self.expire(now)
        known = self.ends
        same = known < math.inf and abs(ends - known) < self.seconds / 2
        self.ends = max(known, ends) if same else ends

    def _looks_at(self) -> float:
        """Return when the window has ended, or may be seen to have."""
        if self._ends_at_once:
            return self.ends + self.margin
        looks_at = max(self.ends, self._last + _QUIET) + self.margin
        # An end before anything can have come back by its age is no sliding window's.
        if self.ends < math.inf and self._taken:
            oldest, _ = next(iter(self._taken.values()))
            if looks_at + self.lag < oldest + self.seconds:
                return looks_at
        return looks_at + self.lag

    def _end(self, now: float) -> None:
        self.ended = self.ends
        self._taken.clear()
        self._total = 0.0
        self.ends += self.seconds * math.ceil((now - self.ends) / self.seconds)
        if self.ends <= now:
            self.ends += self.seconds

    def _put(self, amount: float, now: float) -> None:
        slot = int(now / self._slot)
        had = self._taken.get(slot)
        self._taken[slot] = (now, amount + (had[1] if had else 0.0))
        self._total += amount

    def _put_early(self, amount: float, now: float) -> None:
        """Let ``amount`` come back once more, soon: the service still counted it."""
        then = now + _AGAIN - self.seconds - self.margin - self.lag
        slot = int(then / self._slot)
        had = self._taken.pop(slot, (then, 0.0))
        self._taken = {slot: (then, amount + had[1]), **self._taken}
        self._total += amount
