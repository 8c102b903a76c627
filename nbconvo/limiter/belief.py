"""What is believed of one limit, from what the service tells of it in its replies."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from nbconvo.limiter.allowance import OUTPUT, REQUESTS, Allowance
from nbconvo.limiter.base import Told
from nbconvo.limiter.bucket import Bucket
from nbconvo.limiter.window import Window

__all__ = ["TOGETHER", "Belief", "Mark", "Sent"]

_JITTER = 0.03  # seconds of refill kept back: requests overtake each other on their way
_MARGIN = 0.02  # seconds that are waited beyond the end of a window, for the same reason,
_MOST_LAG = 0.6  # and at most so many more for what was long on its way
_WARY = 0.06  # of a bucket, but of two seconds at most, is left to others who drink from it,
_MOST_WARY = 0.3  # and the more, the more often that was too little
TOGETHER = 0.03  # seconds; what goes within them may come in in any order
_SAMPLES = 4  # so many in a row must tell more before more is believed
_BURST = 2.0  # seconds of refill; if so much goes together, the last of it may take
_ON_ITS_WAY = 1.0  # seconds to come in
_STALE = 0.25  # seconds; what was sent so much earlier than another reply's request tells nothing
_MEASURE = 1.0  # seconds between two samples, for the refill to show over their noise
_CUT = 0.7
_UNSEEN = 2.0  # seconds of refill that are counted before any of it was measured
_CALM = 5  # so many measurements in a row show that nobody else takes any more
_SOON, _LITTLE = 0.05, 0.1  # parts of a window and of its limit
_VOTES = 3  # so many comparisons in a row show that a bucket is a window after all
_WINDOWS = (1.0, 10.0, 60.0, 3600.0, 86400.0, 2592000.0)


class Mark:
    """What was believed to be left when some requests went together, corrections apart.

    Nobody knows in which order they came in, nor whether before those that went a moment later.

    Attributes:
        epoch: Marks of different ones cannot be compared.
        at: When the first of them went.
        before: What was left before any of them.
        high: What was left before all that may be on their way still when they come in.
        low: What was left after all of them.
        next: Those that went after them.
    """

    __slots__ = ("at", "before", "epoch", "high", "low", "next")

    def __init__(self, epoch: int, at: float, before: float, high: float, low: float) -> None:
        self.epoch = epoch
        self.at = at
        self.before = before
        self.high = high
        self.low = low
        self.next: Mark | None = None

    def lowest(self) -> float:
        """Return what was left after all that may have come in before the last of them."""
        after = self.next
        if after is None or after.at > self.at + 2.0 * TOGETHER:
            return self.low
        return min(self.low, after.low)


@dataclass(slots=True)
class Sent:
    """The request whose reply tells something.

    Attributes:
        at: When it went.
        mark: What was believed then; ``None`` if nothing was.
        amount: What it took.
        total: What all requests took until then, itself included.
        since: What the others took since, or at the same time.
        unused: What all replies had left unused of it until then.
        refused: Whether it was refused, with 429.
    """

    at: float
    mark: Mark | None
    amount: float
    total: float
    since: float
    unused: float
    refused: bool


class Belief:
    """Follows one limit: what is left of it, how it comes back, and who else takes of it.

    What a reply tells is what was left when its request came in. It is compared to what was
    believed at that time, and the difference is applied to what is believed now, so that all
    that was sent since counts. Less is believed at once, more after ``_SAMPLES`` replies, since
    requests overtake each other.

    A limit refills steadily, or it is that of a window, sliding or fixed; until replies show
    which, it is taken for a sliding window, which no service of the others refuses. But if little
    is left at first, and all soon, it is a small bucket, or a window that happens to end, which is
    seldom and shows.

    Attributes:
        allowance: Admits what is believed to be left.
        limit: What the service allows in each ``seconds``.
        shared: Whether somebody else takes of it.
        hopeless: The least amount that was refused, of those that are more than ``limit``.
    """

    __slots__ = ("_base", "_calm", "_correction", "_cut_at", "_decided", "_epoch", "_fastest",
                 "_lag", "_marks", "_most", "_newest", "_offsets", "_pair", "_votes", "_wary",
                 "allowance", "hopeless", "limit", "seconds", "shared")  # fmt: skip

    def __init__(self, counts: int, limit: float, seconds: float | None) -> None:
        self.limit = limit
        self.seconds = seconds or 60.0
        self.shared = False
        self.hopeless = math.inf
        self._decided = False
        self._epoch = 0
        self._correction = 0.0
        self._offsets: deque[float] = deque(maxlen=_SAMPLES)
        self._marks: deque[Mark] = deque()  # of those that may be on their way
        self._newest = self._cut_at = -math.inf
        self._fastest = math.inf
        self._lag = 2.0 * TOGETHER
        self._most = 0.0
        self._base: tuple[float, float, float, float, float] | None = None
        self._pair: tuple[float, float, float] | None = None
        self._votes = 0
        self._calm = _CALM
        self._wary = _WARY
        self.allowance = Allowance(counts, None, Window(limit, self.seconds, _MARGIN))
        # A limit on output counts what was made (Anthropic, "Rate limits"), whatever was expected;
        # of the others it shows.
        self.allowance.refund = 1.0 if counts == OUTPUT else 0.0

    @property
    def per_minute(self) -> float:
        """The rate that the service states."""
        return self.limit * 60.0 / self.seconds

    def mark(self, amount: float, now: float, owed: float) -> Mark:
        """Return what is to be compared to the reply of a request that goes now.

        ``owed`` is reserved, but taken only in the course of the replies.
        """
        left = self.allowance.level(now) + owed - self._correction
        marks = self._marks
        last = marks[-1] if marks else None
        if last is not None and last.epoch == self._epoch and now - last.at <= TOGETHER:
            last.low = left
            return last
        before = left + amount
        while marks and marks[0].at < now - _ON_ITS_WAY:
            marks.popleft()
        burst = _BURST * self.limit / self.seconds
        high = max(
            (
                earlier.before
                for earlier in marks
                if now - earlier.at <= self._lag or earlier.before - earlier.low > burst
            ),
            default=before,
        )
        mark = Mark(self._epoch, now, before, max(high, before), left)
        marks.append(mark)
        if last is not None:
            last.next = mark
        return mark

    def observe(self, told: Told, sent: Sent, now: float) -> None:
        """Learn from the reply of the request ``sent``, which came ``now``."""
        if (remaining := told.remaining) is None:
            return
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
        # The fastest reply shows what of this is not the request's way.
        passed = now - sent.at
        self._fastest = min(self._fastest, passed)
        self._lag = max(2.0 * TOGETHER, 0.99 * self._lag, min(passed - self._fastest, _MOST_LAG))
        if sent.at < self._newest - _STALE:
            return
        newest, self._newest = self._newest, max(self._newest, sent.at)
        ended = False
        if (window := self.allowance.window) is not None:
            window.lag = max(window.lag, self._lag)
            ended = newest < window.ended <= sent.at
            self._look_at_end(window, told.reset, remaining, sent, now, ended=ended)
        if (bucket := self.allowance.bucket) is not None:
            if self._most > bucket.capacity:
                bucket.refit(now, rate=bucket.rate, capacity=self._most)
            self._measure(bucket, remaining, sent, now)
            if sent.refused:
                self._cut(bucket, sent, now)
        self._anchor(remaining, sent, now, at_once=ended)

    # What is left.

    def _anchor(self, remaining: float, sent: Sent, now: float, *, at_once: bool) -> None:
        mark, offsets = sent.mark, self._offsets
        if mark is not None and mark.epoch == self._epoch:
            least, most = remaining - (mark.high - sent.amount), remaining - mark.lowest()
        elif offsets:  # it says less than those that can be compared
            return
        else:
            rate = self.allowance.bucket.rate if self.allowance.bucket is not None else 0.0
            # What came back since long ago may have gone to others, of whom nothing is known yet,
            # but what was sent since is not known to be refused either.
            passed = now - sent.at
            believed = remaining - sent.since + rate * min(passed, _UNSEEN)
            if passed > _UNSEEN:
                believed = max(believed, 0.0)
            least = most = believed - (self.allowance.level(now) - self._correction)
            at_once = True
        if at_once:
            offsets.clear()
        offsets.append(least)
        if self._correction > most:
            change = most - self._correction
        elif at_once or len(offsets) == _SAMPLES:
            change = max(0.0, min(offsets) - self._correction)
        else:
            return
        self._correction += self._shift(change, sent, now)

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
        if (mark := sent.mark) is not None and mark.epoch == self._epoch and not sent.refused:
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
        self.allowance.reserve = _JITTER * rate
        self._decided = True
        for mark in self._marks:  # these may be on their way yet
            mark.before += self._correction
        marks = self._marks
        self._new_epoch()
        self._marks = marks

    def _become_window(self, now: float) -> None:
        level = min(self.allowance.level(now), 0.0)
        window = Window(self.limit, self.seconds, _MARGIN)
        window.take(self.limit - level, now)
        self.allowance.bucket, self.allowance.window = None, window
        self.allowance.reserve = 0.0
        self._decided = True
        self._new_epoch()

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
        self._new_epoch()

    def _new_epoch(self) -> None:
        self._epoch += 1
        self._correction = 0.0
        self._offsets.clear()
        self._marks = deque()
        self._base = None

    # Who else takes of it.

    def _measure(self, bucket: Bucket, remaining: float, sent: Sent, now: float) -> None:
        """Measure the refill between two replies: what others take of it is not ours."""
        mark, base = sent.mark, self._base
        if self.allowance.counts == OUTPUT:  # it is not known when which of it was made
            return
        if sent.refused or mark is None or mark.epoch != self._epoch:
            return
        nominal = self.limit / self.seconds
        blur = mark.high - sent.amount - mark.lowest()  # of those that went together
        if base is None or remaining >= 0.98 * bucket.capacity:
            if blur <= 0.2 * nominal:
                self._base = sent.at, remaining, sent.total, sent.unused, blur
            return
        at, then, total, unused, blur_then = base
        seconds = sent.at - at
        if seconds < _MEASURE or (noise := blur + blur_then + 1.0) > 0.3 * nominal * seconds:
            return
        self._base = sent.at, remaining, sent.total, sent.unused, blur
        taken, unused = sent.total - total, sent.unused - unused
        gained = remaining - then + taken
        if unused > 0.1 * taken:
            back = (gained - bucket.rate * seconds) / unused
            refund = self.allowance.refund
            self.allowance.refund += 0.3 * (min(1.0, max(0.0, back)) - refund)
        rate = (gained - self.allowance.refund * unused) / seconds
        self._calm += 1
        if rate + max(noise / seconds, 0.05 * nominal) < nominal:
            self._calm = 0
        self._set_shared(bucket, self._calm < _CALM, now)
        rate = bucket.rate + 0.5 * (min(rate, nominal) - bucket.rate) if self.shared else nominal
        bucket.refit(now, rate=max(rate, 0.02 * nominal), capacity=bucket.capacity)

    def _set_shared(self, bucket: Bucket, shared: bool, now: float) -> None:
        nominal = self.limit / self.seconds
        self.shared = shared
        wary = self._wary * min(bucket.capacity, 2.0 * nominal) if shared else 0.0
        self.allowance.reserve = _JITTER * nominal + wary

    def _cut(self, bucket: Bucket, sent: Sent, now: float) -> None:
        if sent.at > self._cut_at:
            self._cut_at = now
            self._calm = 0
            if self.shared:
                self._wary = min(_MOST_WARY, 1.5 * self._wary)
            self._set_shared(bucket, True, now)
            bucket.refit(now, rate=_CUT * bucket.rate, capacity=bucket.capacity)
