"""All limits of one account: those that the user states, that the service tells, that are found."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

from nbconvo.errors import InputError
from nbconvo.limiter.allowance import INPUT, OUTPUT, REQUESTS, TOKENS, Allowance, Amounts
from nbconvo.limiter.base import LONGEST_WAIT, Permit, Told
from nbconvo.limiter.belief import TOGETHER, Belief, Mark, Sent
from nbconvo.limiter.bucket import Bucket
from nbconvo.limiter.crowd import Crowd
from nbconvo.limiter.pace import BURST_SECONDS, Pace
from nbconvo.limiter.seek import QUIET, Seek
from nbconvo.limiter.window import Window

__all__ = ["Books", "Limits"]

_COUNTS = {"requests": REQUESTS, "tokens": TOKENS, "input_tokens": INPUT, "output_tokens": OUTPUT}
_LABELS = ((REQUESTS, "max_requests_per_minute", 1.0), (TOKENS, "max_tokens_per_minute", 0.0))
_MINUTE = 60.0
_NOTHING: Amounts = (0.0, 0.0, 0.0, 0.0)
_DOUBTED = 600.0  # seconds in which bursts are not tried again that were refused without a word
_SHY = 200  # one in so many is left of a minute's, for requests that overtake each other


class Books(Permit):
    """A permit with what is kept of its request.

    Attributes:
        amounts: What it reserves.
        before: What all had reserved before it, and those that went together with it, went.
        totals: What all had reserved when it went, itself included.
        unused: What all had left unused by then.
        marks: What was believed then of each limit that was told.
        answered: Whether a reply to it has begun to come, or a refusal has come.
        others: How many were under way when it went, and had been refused before; those that
            were refused since were not admitted, so that they take no place.
        others_before: Likewise of those that went before it, but not together with it.
        refused: Whether it was refused.
    """

    __slots__ = ("__weakref__", "amounts", "answered", "before", "marks", "others",
                 "others_before", "refused", "totals", "unused")  # fmt: skip

    def __init__(self, tokens: int, first: bool, output: int, bulk: Hashable) -> None:
        # Every request comes through here, and what super() would add is a third of it.
        self.tokens, self.first, self.output, self.bulk, self.at = tokens, first, output, bulk, 0.0
        self.amounts: Amounts = (1.0, tokens, tokens - output, output)
        self.before = self.totals = self.unused = _NOTHING
        self.marks: tuple[Mark, ...] = ()
        self.answered = self.refused = False
        self.others = self.others_before = 0


class Limits:
    """Admits what all limits allow, and follows what becomes of it.

    A stated limit is an upper bound, kept by half a second's bucket, and requests by what goes in
    any minute too, so that a service refuses none, however it counts; a told one of no higher
    rate takes its place, since then it is known what the service holds. A refusal that nothing
    explains has too many under way as its reason, or comes of a burst: then limits that were told
    are kept as stated ones are.

    Args:
        seeks: Whether to look for a level where nothing is stated or told; else there is none.
    """

    __slots__ = ("_active", "_before", "_beliefs", "_crowd", "_cut", "_doubted", "_doubted_at",
                 "_others_before", "_owed", "_refused", "_refused_held", "_seek", "_seeks",
                 "_slow", "_sought", "_stated", "_totals", "_unanswered", "_under_way",
                 "_unused", "_went_at", "_windows")  # fmt: skip

    def __init__(self, *, seeks: bool) -> None:
        self._stated: dict[int, Pace] = {}
        self._doubted: tuple[Pace, ...] = ()  # told limits that are kept without bursts
        self._doubted_at = -math.inf
        self._crowd = Crowd(gently=seeks)
        self._sought: Pace | None = None
        self._seeks = seeks
        self._seek: Seek | None = None
        # In the order in which they were told of first: a permit holds a mark of each.
        self._beliefs: dict[str, Belief] = {}
        self._active: tuple[Allowance, ...] = ()
        self._slow: tuple[Allowance, ...] = ()
        self._windows: tuple[Window, ...] = ()
        self._cut: tuple[Pace, ...] = ()  # those below the stated rate
        self._totals = self._unused = _NOTHING
        self._before = self._totals
        self._went_at = -math.inf
        self._unanswered = self._under_way = self._others_before = 0
        self._refused = self._refused_held = 0
        self._owed = 0.0  # tokens of replies under way
        self._choose()

    def state(self, requests: float | None, tokens: float | None, now: float) -> None:
        """Keep these limits per minute from now on; what was taken lately still counts.

        Raises:
            InputError: If one is not above 0; then nothing is changed.
        """
        stated = {}
        for (counts, label, least), per_minute in zip(_LABELS, (requests, tokens), strict=True):
            if per_minute is None:
                continue
            if not 0 < per_minute < math.inf:
                raise InputError(
                    f"{label} must be a number above 0, not '{per_minute}'; None is no limit"
                )
            stated[counts] = _paced(counts, per_minute, least, self._stated.get(counts), now)
        self._stated = stated
        self._choose()

    @property
    def has_room(self) -> bool:
        """Whether another request may go, as far as those under way are concerned."""
        seek = self._seek  # read once: another thread may be asking
        if seek is not None and self._unanswered >= seek.most:
            return False
        return self._under_way < self._crowd.most

    def has_room_in(self, now: float) -> float:
        """Return the seconds until it is tried whether more may be under way; or infinity."""
        return self._crowd.grows_in(now)

    @property
    def per_minute(self) -> tuple[float | None, float | None]:
        """The limits on requests and tokens per minute, stated, told or found.

        Any thread may ask.
        """
        found: list[float | None] = []
        for counts in (REQUESTS, TOKENS):
            rates = [b.per_minute for b in tuple(self._beliefs.values()) if _is_quick(b, counts)]
            if (pace := self._stated.get(counts)) is not None:
                rates.append(pace.per_minute)
            elif counts == REQUESTS and (sought := self._sought) is not None:
                rates.append(round(sought.bucket.rate * _MINUTE))
            found.append(min(rates, default=None))
        return found[0], found[1]

    def delay(self, amounts: Amounts, now: float, ahead: Amounts | None = None) -> float:
        """Return the seconds until ``amounts`` may be taken, after those ``ahead``.

        It changes nothing, and is 0 or less when they may be at once.
        """
        delay = 0.0
        for allowance in self._active:
            counts = allowance.counts
            before = 0.0 if ahead is None else ahead[counts]
            # Every request comes through here, and max() takes longer than the rest together.
            if (wait := allowance.delay(amounts[counts], now, before)) > delay:
                delay = wait
        return delay

    def refresh(self, now: float) -> None:
        """Let what has come back by now be taken."""
        for window in self._windows:
            window.level(now)
        for pace in self._cut:
            pace.grow(now)
        self._crowd.grow(self._under_way, now)

    def hopeless(self, amounts: Amounts, now: float) -> float | None:
        """Return the seconds until limits longer than a minute allow ``amounts``, if too many."""
        for allowance in self._slow:
            wait = allowance.delay(amounts[allowance.counts], now)
            if wait > LONGEST_WAIT:
                return wait
        return None

    def exceeded(self, amounts: Amounts) -> float | None:
        """Return the told limit of which ``amounts`` are more than all, as a refusal has shown."""
        for belief in self._beliefs.values():
            if amounts[belief.allowance.counts] >= belief.hopeless:
                return belief.limit
        return None

    def cost(self, amounts: Amounts) -> float:
        """Return how many seconds of refill the amounts take of the limit that they strain most."""
        cost = 0.0
        for allowance in self._active:
            bucket = allowance.bucket
            if bucket is not None:
                cost = max(cost, amounts[allowance.counts] / bucket.rate)
            elif (window := allowance.window) is not None:
                cost = max(cost, amounts[allowance.counts] * window.seconds / window.capacity)
        return cost or 1.0

    def take(self, books: Books, now: float) -> None:
        """Take what a request reserves, since it goes now."""
        amounts = books.amounts
        for allowance in self._active:
            allowance.take(amounts[allowance.counts], now)
        books.at = now
        if now > self._went_at + TOGETHER:
            self._went_at, self._before = now, self._totals
            self._others_before = self._under_way + self._refused
        one, tokens, prompt, output = amounts
        a, b, c, d = self._totals
        self._totals = (a + one, b + tokens, c + prompt, d + output)
        self._owed += output
        self._unanswered += 1
        books.others = self._under_way + self._refused
        books.others_before = min(books.others, self._others_before)
        self._under_way += 1
        books.before, books.totals, books.unused = self._before, self._totals, self._unused
        if self._beliefs:
            books.marks = tuple(
                belief.mark(
                    amounts[belief.allowance.counts],
                    now,
                    self._owed if belief.allowance.counts == OUTPUT else 0.0,
                )
                for belief in self._beliefs.values()
            )

    def settle(self, books: Books, used: Amounts, now: float) -> bool:
        """Correct what was reserved to what was used; a request of 0 was never sent.

        Return whether others may go now that could not before.
        """
        amounts = books.amounts
        self._owed -= amounts[OUTPUT]
        self._under_way -= 1
        self._refused_held -= books.refused
        self._note_answer(books)
        if used == amounts:
            return self._seek is not None or self._crowd.most < math.inf
        was_sent = used[REQUESTS] > 0.0
        for allowance in self._active:
            change = used[allowance.counts] - amounts[allowance.counts]
            if was_sent and change < 0.0:
                change *= allowance.refund
            if change:
                allowance.change(change, books.at, now)
        if was_sent and not books.refused:
            a, b, c, d = self._unused
            _, tokens, prompt, output = (
                max(0.0, r - u) for r, u in zip(amounts, used, strict=True)
            )
            self._unused = (a, b + tokens, c + prompt, d + output)
        return True

    def observe(self, told: Sequence[Told], books: Books, now: float) -> None:
        """Learn what the reply to a request tells."""
        changed = False
        for one in told:
            belief = self._beliefs.get(one.name)
            if belief is None:
                if one.limit is None or one.limit <= 0 or one.remaining is None:
                    continue
                belief = self._beliefs[one.name] = Belief(
                    _COUNTS[one.counts], one.limit, one.window
                )
                changed = True
            before = belief.limit, belief.seconds
            belief.observe(one, self._sent(belief, books), now)
            changed = changed or before != (belief.limit, belief.seconds)
        if self._doubted and (changed or now > self._doubted_at + _DOUBTED):
            self._doubted = ()
            changed = True
        if changed:
            self._choose()
        elif told:
            self._find_windows()

    def answered(self, books: Books, now: float) -> None:
        """Note that a request was answered well."""
        if self._seek is not None:
            self._seek.answered(self._unanswered, now)
        self._crowd.answered(books.others_before - self._refused, now)
        self._note_answer(books)

    def refused(self, told: Sequence[Told], books: Books, now: float) -> float:
        """Slow down after a request was refused, unless headers say why.

        Return the seconds in which nothing should go.
        """
        books.refused = True
        self._note_answer(books)
        if any(
            one.remaining is not None
            and (belief := self._beliefs.get(one.name)) is not None
            and one.remaining < books.amounts[belief.allowance.counts]
            for one in told
        ):
            return 0.0
        self._refused_held += 1
        # On their way some overtook each other: who was refused tells less than who was not.
        others = max(books.others - self._refused, self._under_way - self._refused_held)
        was_crowded = self._crowd.refused(books.at, others, now)
        self._refused += 1
        if self._seek is not None:
            self._sought = self._seek.refused(books.at, books.totals[REQUESTS], now)
            if self._sought is not None:
                self._choose()
            return QUIET
        paces = [pace for pace in self._paces if pace.allowance in self._active]
        self._doubted_at = now
        if not paces:
            self._doubted = tuple(
                _paced(belief.allowance.counts, belief.per_minute, 1.0, None, now).emptied(now)
                for belief in self._beliefs.values()
                if belief.seconds <= _MINUTE
            )
            self._choose()
            return 0.0
        if was_crowded and self._doubted:
            return 0.0
        # It was the one of which least is left.
        pace = min(paces, key=lambda pace: pace.bucket.level(now) / pace.bucket.rate)
        counts = pace.allowance.counts
        pace.refused(books.at, books.amounts[counts], books.totals[counts], now)
        self._find_windows()
        return 0.0

    @property
    def _paces(self) -> tuple[Pace, ...]:
        sought = () if self._sought is None else (self._sought,)
        return (*self._stated.values(), *sought, *self._doubted)

    def _find_windows(self) -> None:
        active = self._active
        self._windows = tuple(a.window for a in active if a.window is not None)
        self._cut = tuple(p for p in self._paces if p.bucket.rate < p.ceiling)

    def _note_answer(self, books: Books) -> None:
        if not books.answered:
            books.answered = True
            self._unanswered -= 1

    def _sent(self, belief: Belief, books: Books) -> Sent:
        counts = belief.allowance.counts
        place = list(self._beliefs.values()).index(belief)
        total = books.totals[counts]
        since = self._totals[counts] - books.before[counts] - books.amounts[counts]
        if counts == OUTPUT:  # of what is under way nothing was counted yet
            since = self._owed
        return Sent(
            at=books.at,
            mark=books.marks[place] if place < len(books.marks) else None,
            amount=books.amounts[counts],
            total=total,
            since=since,
            unused=books.unused[counts],
            refused=books.refused,
        )

    def _choose(self) -> None:
        """Choose the limits that are kept; the others are contained in them."""
        beliefs = self._beliefs.values()
        quick = [belief for belief in beliefs if belief.seconds <= _MINUTE]
        stated = [
            pace.allowance
            for counts, pace in self._stated.items()
            if not any(
                belief.allowance.counts == counts and belief.per_minute <= 1.01 * pace.per_minute
                for belief in quick
            )
        ]
        if stated or quick:
            self._sought = self._seek = None
        elif self._seeks and self._sought is None and self._seek is None:
            self._seek = Seek()
        elif self._sought is not None:
            self._seek = None
        sought = [] if self._sought is None else [self._sought.allowance]
        doubted = [pace.allowance for pace in self._doubted]
        self._active = (*stated, *sought, *doubted, *(belief.allowance for belief in beliefs))
        self._find_windows()
        self._slow = tuple(b.allowance for b in beliefs if b.seconds > LONGEST_WAIT)


def _is_quick(belief: Belief, counts: int) -> bool:
    return belief.allowance.counts == counts and belief.seconds <= _MINUTE


def _paced(counts: int, per_minute: float, least: float, old: Pace | None, now: float) -> Pace:
    """Return a stated limit, of which as much is taken as of the ``old`` one."""
    rate = per_minute / _MINUTE
    bucket = Bucket(rate, max(rate * BURST_SECONDS, least), now)
    # Sizes of many tokens never fill a minute to the brim: it would cost part of the rate.
    window = Window(per_minute, _MINUTE) if counts == REQUESTS else None
    if old is not None:
        taken = old.bucket.full_at - now
        if taken > 0.0:
            bucket.take(taken * old.bucket.rate, now)
        window = old.allowance.window
    if window is not None:
        window.capacity = per_minute - per_minute // _SHY
    return Pace(Allowance(counts, bucket, window), rate, per_minute)
