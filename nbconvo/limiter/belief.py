"""What is believed of one limit, from what the service tells of it in its replies."""

from __future__ import annotations

import math
from collections import deque

from nbconvo.limiter.allowance import OUTPUT, REQUESTS, Allowance
from nbconvo.limiter.base import Told
from nbconvo.limiter.bucket import Bucket
from nbconvo.limiter.marks import MOST_LAG, TOGETHER, Mark, Marks, Sent
from nbconvo.limiter.others import JITTER, Others
from nbconvo.limiter.window import Window

__all__ = ["Belief"]

_MARGIN = 0.02  # seconds that are waited beyond the end of a window: requests overtake each other
_SAMPLES = 4  # so many in a row must tell more before more is believed
_BURST = 2.0  # seconds of refill; if so much goes together, the last of it may take long
_STALE = 0.25  # seconds; what was sent so much earlier than another reply's request tells nothing
_UNSEEN = 2.0  # seconds of refill that are counted before any of it was measured
_LONGER = 0.1  # seconds
_SOON, _LITTLE = 0.05, 0.1  # parts of a window and of its limit
_VOTES = 3  # so many comparisons in a row show that a bucket is a window after all
_WINDOWS = (1.0, 10.0, 60.0, 3600.0, 86400.0, 2592000.0)


class Belief:
    """Follows one limit: what is left of it, how it comes back, and who else takes of it.

    What a reply tells is what was left when its request came in. It is compared to what was
    believed at that time, and the difference is applied to what is believed now, so that all
    that was sent since counts. Less is believed at once, more after ``_SAMPLES`` replies, since
    requests overtake each other, or when none is on its way any more.

    A limit refills steadily, or it is that of a window, sliding or fixed; until replies show
    which, it is taken for a sliding window, which no service of the others refuses. But if little
    is left at first, and all soon, it is a small bucket, or a window that happens to end, which is
    seldom and shows.

    Attributes:
        allowance: Admits what is believed to be left.
        limit: What the service allows in each ``seconds``.
        hopeless: The least amount that was refused, of those that are more than ``limit``.
    """

    __slots__ = ("_correction", "_decided", "_least", "_marks", "_most", "_newest", "_offsets",
                 "_others", "_pair", "_votes", "allowance", "hopeless", "limit",
                 "seconds")  # fmt: skip

    def __init__(self, counts: int, limit: float, seconds: float | None) -> None:
        self.limit = limit
        self.seconds = seconds or 60.0
        self.hopeless = math.inf
        self._decided = False
        self._correction = 0.0
        # How much more was left than was believed at least, and when that was.
        self._offsets: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)
        self._marks = Marks()
        self._newest = -math.inf
        self._least = math.inf  # that was told since none was on its way
        self._most = 0.0
        self._pair: tuple[float, float, float] | None = None
        self._votes = 0
        self.allowance = Allowance(counts, None, Window(limit, self.seconds, _MARGIN))
        # A limit on output counts what was made (Anthropic, "Rate limits"), whatever was expected;
        # of the others it shows.
        self.allowance.refund = 1.0 if counts == OUTPUT else 0.0
        self._others = Others(self.allowance)

    @property
    def per_minute(self) -> float:
        """The rate that the service states."""
        return self.limit * 60.0 / self.seconds

    def mark(self, amount: float, now: float, owed: float) -> Mark:
        """Return what is to be compared to the reply of a request that goes now.

        ``owed`` is reserved, but taken only in the course of the replies.
        """
        left = self.allowance.level(now) + owed - self._correction
        return self._marks.mark(amount, left, _BURST * self.limit / self.seconds, now)

    def observe(self, told: Told, sent: Sent, now: float) -> None:
        """Learn from the reply of the request ``sent``, which came ``now``."""
        if (remaining := told.remaining) is None:
            return
        self._least = min(self._least, remaining)
        self._learn(told, remaining, sent, now)
        if sent.last:
            self._believe_least(sent, now)

    def _learn(self, told: Told, remaining: float, sent: Sent, now: float) -> None:
        if told.limit and told.limit != self.limit:
            self._change_limit(told.limit, now)
        if sent.refused and sent.amount > self.limit:
            self.hopeless = min(self.hopeless, sent.amount)
        took = sent.amount if self.allowance.counts == REQUESTS and not sent.refused else 0.0
        self._most = max(self._most, min(remaining + took, self.limit))
        all_soon = told.reset is None or told.reset <= _SOON * self.seconds
        if self._newest == -math.inf and remaining <= _LITTLE * self.limit and all_soon:
            self._become_bucket(now)
        if told.reset is not None:
            self._look_at_reset(told.reset, told.grain, remaining, sent.at, now)
        self._marks.came(sent.late)
        if sent.at < self._newest - _STALE:
            return
        newest, self._newest = self._newest, max(self._newest, sent.at)
        ended = False
        if (window := self.allowance.window) is not None:
            window.lag = max(window.lag, self._marks.lag)
            if sent.refused:  # it overtook others that have to come back first
                window.lag = min(window.lag + _LONGER, MOST_LAG)
            ended = newest < window.ended <= sent.at
            self._look_at_end(window, told.reset, remaining, sent, now, ended=ended)
        if (bucket := self.allowance.bucket) is not None:
            if self._most > bucket.capacity:
                bucket.refit(now, rate=bucket.rate, capacity=self._most)
            nominal = self.limit / self.seconds
            if sent.refused:
                self._others.refused(bucket, nominal, sent.at, now)
            elif (mark := self._marks.comparable(sent.mark)) is not None:
                self._others.measure(bucket, nominal, remaining, mark, sent, now)
        self._anchor(remaining, sent, now, at_once=ended)

    # What is left.

    def _anchor(self, remaining: float, sent: Sent, now: float, *, at_once: bool) -> None:
        mark, offsets = self._marks.comparable(sent.mark), self._offsets
        if mark is not None:
            least, most = remaining - (mark.high - sent.amount), remaining - mark.lowest()
            then = mark.at
        elif offsets:  # it says less than those that can be compared
            return
        else:
            rate = self.allowance.bucket.rate if self.allowance.bucket is not None else 0.0
            # What came back since long ago may have gone to others, of whom nothing is known yet,
            # but what was sent since is not known to be refused either. It came in a while after it
            # was sent.
            passed = max(0.0, now - sent.at - 2.0 * TOGETHER)
            believed = remaining - sent.since + rate * min(passed, _UNSEEN)
            if passed > _UNSEEN:
                believed = max(believed, 0.0)
            least = most = believed - (self.allowance.level(now) - self._correction)
            then = now
            at_once = True
        if at_once:
            offsets.clear()
        offsets.append((least, then))
        if self._correction > most:
            change = most - self._correction
        elif at_once or len(offsets) == _SAMPLES:
            change = max(0.0, min(map(self._still_more, offsets)) - self._correction)
        else:
            return
        self._correction += self._shift(change, sent, now)

    def _still_more(self, offset: tuple[float, float]) -> float:
        """Return how much more is left now, without what has come back here too since then."""
        more, then = offset
        window = self.allowance.window
        return more if window is None else more - window.back_since(then)

    def _believe_least(self, sent: Sent, now: float) -> None:
        """Believe the least that was told, since none is on its way that it may leave out.

        Of a reply under way it is not known yet what it takes of a limit on output.
        """
        change = self._least - self.allowance.level(now)
        self._least = math.inf
        if change > 0.0 and not sent.refused and self.allowance.counts != OUTPUT:
            self._correction += self._shift(change, sent, now)
            self._offsets.clear()

    def _shift(self, change: float, sent: Sent, now: float) -> float:
        if (window := self.allowance.window) is not None:
            return window.shift(change, now, refused=sent.refused)
        bucket = self.allowance.bucket
        assert bucket is not None
        level = bucket.level(now)
        change = min(change, bucket.capacity - level)
        bucket.full_at = now + (bucket.capacity - level - change) / bucket.rate
        return change

    # How it comes back.

    def _look_at_reset(
        self, reset: float, grain: float, remaining: float, at: float, now: float
    ) -> None:
        """Tell a bucket from a window.

        A bucket is full again the later, the less is left, by the time of its refill; when a
        window ends has nothing to do with what is left of it.
        """
        if reset > 1.1 * self.seconds:
            self._change_seconds(next((w for w in _WINDOWS if w > 0.9 * reset), reset), now)
        if (pair := self._pair) is None:
            self._pair = remaining, reset, at
            return
        less, later, passed = pair[0] - remaining, reset - pair[1], at - pair[2]
        window = None
        if abs(less) >= min(3.0, 0.3 * self.limit):
            expected = less * self.seconds / self.limit
            if max(abs(expected), abs(later)) < 5.0 * grain + 0.02:
                return
            # What is left is told in whole numbers: the match is rough, but windows are far apart.
            seconds = later / less * self.limit
            window = next((w for w in _WINDOWS if abs(seconds / w - 1.0) < 0.4), None)
        elif passed >= 1.0 + grain and abs(later) < 0.3 * passed and reset < 0.5 * self.seconds:
            # As much is left as before, and it takes as long: no window comes nearer to its end.
            window = self.seconds
        else:
            return
        self._pair = remaining, reset, at
        self._votes = max(-_VOTES, min(_VOTES, self._votes + (1 if window else -1)))
        is_bucket = self.allowance.bucket is not None
        if window is not None and not is_bucket and (not self._decided or self._votes > 0):
            self._change_seconds(window, now)
            self._become_bucket(now)
        elif window is None and is_bucket and self._votes == -_VOTES:
            self._become_window(now)
        elif window is not None and is_bucket and window != self.seconds and self._votes > 1:
            self._change_seconds(window, now)
        self._decided = True

    def _look_at_end(
        self,
        window: Window,
        reset: float | None,
        remaining: float,
        sent: Sent,
        now: float,
        *,
        ended: bool,
    ) -> None:
        """Learn when a window ends, and from the first reply after that whether all comes back."""
        mark = self._marks.comparable(sent.mark)
        if mark is not None and not sent.refused:
            surplus = remaining - mark.high - self._correction
            if surplus > max(3.0 * sent.amount, 0.05 * self.limit):
                window.fixed = window.fixed or ended
        if reset is not None:
            window.told_end(sent.at + reset, now)

    def _become_bucket(self, now: float) -> None:
        level = self.allowance.level(now)
        rate = self.limit / self.seconds
        capacity = max(self._most, 1.0)
        self.allowance.bucket = Bucket(rate, capacity, now + (capacity - level) / rate)
        self.allowance.window = None
        self.allowance.reserve = JITTER * rate
        self._decided = True
        self._begin_anew(raised=self._correction)

    def _become_window(self, now: float) -> None:
        level = min(self.allowance.level(now), 0.0)
        window = Window(self.limit, self.seconds, _MARGIN)
        window.take(self.limit - level, now)
        self.allowance.bucket, self.allowance.window = None, window
        self.allowance.reserve = 0.0
        self._decided = True
        self._begin_anew()

    def _change_seconds(self, seconds: float, now: float) -> None:
        if seconds != self.seconds:
            self.seconds = seconds
            self._restart(now)

    def _change_limit(self, limit: float, now: float) -> None:
        self.limit = limit
        self.hopeless = math.inf
        self._most = min(self._most, limit)
        self._restart(now)

    def _restart(self, now: float) -> None:
        """Begin anew with another limit or window; the next reply tells what is left of it."""
        level = self.allowance.level(now)
        if (bucket := self.allowance.bucket) is not None:
            capacity = max(min(bucket.capacity, self.limit), 1.0)
            bucket.refit(now, rate=self.limit / self.seconds, capacity=capacity)
        else:
            window = Window(self.limit, self.seconds, _MARGIN)
            window.take(max(self.limit - level, 0.0), now)
            self.allowance.window = window
        self._begin_anew()

    def _begin_anew(self, *, raised: float | None = None) -> None:
        self._marks.begin_anew(raised=raised)
        self._others.begin_anew()
        self._correction = 0.0
        self._offsets.clear()
