"""All limits of one model: those that the user states, that the service tells, that are found."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nbconvo.limiter.allowance import REQUESTS, TOKENS, Allowance, Amounts
from nbconvo.limiter.base import LONGEST_WAIT, Told
from nbconvo.limiter.beliefs import Beliefs, explains
from nbconvo.limiter.books import Books
from nbconvo.limiter.crowd import Crowd
from nbconvo.limiter.pace import Pace
from nbconvo.limiter.seek import QUIET, Seek
from nbconvo.limiter.stated import MINUTE, Stated, paced
from nbconvo.limiter.window import Window

__all__ = ["Limits"]

_DOUBTED = 600.0  # seconds in which bursts are not tried again that were refused without a word


class Limits:
    """Admits what all limits allow, and follows what becomes of it.

    Services tell of each model apart, and limit it apart; what is stated holds for all models
    together. Where but one is asked, a told limit of no higher rate takes the place of a stated
    one, since then it is known what the service holds. A refusal that nothing explains has too
    many under way as its reason, or comes of a burst: then limits that were told are kept as
    stated ones are.

    Args:
        stated: What the user states of the account.
        seeks: Whether to look for a level where nothing is stated or told; else there is none.

    Attributes:
        paused_until: When the service asked to send the next request, at the earliest.
        told_at: When a reply last came.
    """

    __slots__ = ("_active", "_beliefs", "_booked", "_contained", "_crowd", "_cut", "_doubted",
                 "_doubted_at", "_others_before", "_refused", "_refused_held", "_seek",
                 "_seeks", "_slow", "_sought", "_stated", "_unanswered", "_under_way",
                 "_windows", "paused_until", "told_at")  # fmt: skip

    def __init__(self, stated: Stated, *, seeks: bool) -> None:
        self._stated = stated
        self.paused_until = self.told_at = -math.inf
        self._doubted: tuple[Pace, ...] = ()  # told limits that are kept without bursts
        self._doubted_at = -math.inf
        self._crowd = Crowd(gently=seeks)
        self._sought: Pace | None = None
        self._seeks = seeks
        self._seek: Seek | None = None
        self._beliefs = Beliefs()
        self._active: tuple[Allowance, ...] = ()
        self._contained: tuple[Allowance, ...] = ()  # stated, and kept by what was told
        self._booked: tuple[Allowance, ...] = ()
        self._slow: tuple[Allowance, ...] = ()
        self._windows: tuple[Window, ...] = ()
        self._cut: tuple[Pace, ...] = ()  # those below the stated rate
        self._unanswered = self._under_way = self._others_before = 0
        self._refused = self._refused_held = 0
        self.choose()

    @property
    def has_room(self) -> bool:
        """Whether another request may go, as far as those under way are concerned."""
        seek = self._seek  # read once: another thread may be asking
        if seek is not None and self._unanswered >= seek.most:
            return False
        return not self.is_crowded

    @property
    def is_crowded(self) -> bool:
        """Whether as many are under way as the service is thought to take."""
        return self._under_way >= self._crowd.most

    def has_room_in(self, now: float) -> float:
        """Return the seconds until it is tried whether more may be under way; or infinity."""
        return self._crowd.grows_in(now) if self.is_crowded else math.inf

    @property
    def per_minute(self) -> tuple[float | None, float | None]:
        """The limits on requests and tokens per minute that were told or found.

        Any thread may ask.
        """
        requests, tokens = self._beliefs.per_minute(REQUESTS), self._beliefs.per_minute(TOKENS)
        if (sought := self._sought) is not None:  # which is so only where nothing was told
            requests = round(sought.bucket.rate * MINUTE)
        return requests, tokens

    def delay(self, amounts: Amounts, now: float, ahead: Amounts | None = None) -> float:
        """Return the seconds until ``amounts`` may be taken, after those ``ahead``.

        It changes nothing, and is 0 or less when they may be at once.
        """
        delay = self.paused_until - now
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
            window.expire(now)
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
        return self._beliefs.exceeded(amounts)

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
        for allowance in self._contained:  # they may have to be kept at any time
            allowance.take(amounts[allowance.counts], now)
            if (bucket := allowance.bucket) is not None:
                bucket.full_at = min(bucket.full_at, now + MINUTE)
        books.at = now
        books.in_all = self._stated.take(amounts)
        others = self._under_way + self._refused
        if self._beliefs.sent(books, now):
            self._others_before = others
        books.others, books.others_before = others, min(others, self._others_before)
        self._unanswered += 1
        self._under_way += 1

    def settle(self, books: Books, used: Amounts, now: float) -> bool:
        """Correct what was reserved to what was used; a request of 0 was never sent.

        Return whether others may go now that could not before.
        """
        amounts = books.amounts
        freed = self._under_way >= self._crowd.most or not books.answered
        was_sent = used[REQUESTS] > 0.0
        self._beliefs.ended(books, used if was_sent and not books.refused else amounts)
        self._under_way -= 1
        self._refused_held -= books.refused and not books.explained
        self._note_answer(books)
        if used == amounts:
            return freed
        for allowance in self._booked:
            change = used[allowance.counts] - amounts[allowance.counts]
            if was_sent and change < 0.0:
                change *= allowance.refund
            if change:
                allowance.change(change, books.at, now)
                freed = freed or allowance in self._active
        return freed

    def observe(self, told: Sequence[Told], books: Books, now: float) -> None:
        """Learn what the reply to a request tells."""
        changed = self._beliefs.observe(told, books, now, last=not self._unanswered)
        if self._doubted and (changed or now > self._doubted_at + _DOUBTED):
            self._doubted = ()
            changed = True
        if changed:
            self.choose()
        elif told:
            self._find_windows()

    def answered(self, books: Books, now: float) -> None:
        """Note that a request was answered well."""
        if self._seek is not None:
            self._seek.answered(self._unanswered, now)
        self._crowd.answered(books.others_before - self._refused, now)
        self._note_answer(books)

    def pause(self, until: float) -> None:
        """Admit nothing until then."""
        self.paused_until = max(self.paused_until, until)

    def refused(self, told: Sequence[Told], books: Books, now: float) -> None:
        """Slow down after a request was refused, unless headers say why."""
        books.refused = True
        self._note_answer(books)
        if explains(told, books.amounts):
            books.explained = True
            return
        self._refused_held += 1
        # On their way some overtook each other: who was refused tells less than who was not.
        others = max(books.others - self._refused, self._under_way - self._refused_held)
        # Headers tell of a rate that is not used up, and no other is kept.
        no_rate = bool(told) and self._sought is None and not self._stated.paces
        was_crowded = self._crowd.refused(books.at, others, now, no_rate=no_rate)
        self._refused += 1
        if self._seek is not None:
            self._sought = self._seek.refused(books.at, books.totals[REQUESTS], now)
            if self._sought is not None:
                self.choose()
            self.pause(now + QUIET)
            return
        paces = [pace for pace in self._paces if pace.allowance in self._active]
        self._doubted_at = now
        if not paces:
            self._doubted = tuple(
                paced(belief.allowance.counts, belief.per_minute, 1.0, None, now).emptied(now)
                for belief in self._beliefs.quick
            )
            self.choose()
            return
        if was_crowded and self._doubted:
            return
        # It was the one of which least is left.
        pace = min(paces, key=lambda pace: pace.bucket.level(now) / pace.bucket.rate)
        counts = pace.allowance.counts
        totals = books.in_all if pace is self._stated.paces.get(counts) else books.totals
        pace.refused(books.at, books.amounts[counts], totals[counts], now)
        self._find_windows()

    @property
    def _paces(self) -> tuple[Pace, ...]:
        sought = () if self._sought is None else (self._sought,)
        return (*self._stated.paces.values(), *sought, *self._doubted)

    def _find_windows(self) -> None:
        active = self._active
        self._booked = (*active, *self._contained)
        self._windows = tuple(a.window for a in self._booked if a.window is not None)
        self._cut = tuple(p for p in self._paces if p.bucket.rate < p.ceiling)

    def _note_answer(self, books: Books) -> None:
        if not books.answered:
            books.answered = True
            self._unanswered -= 1

    def choose(self) -> None:
        """Choose the limits that are kept; the others are contained in them.

        To be called when what is stated has changed.
        """
        quick = self._beliefs.quick
        stated: list[Allowance] = []
        contained: list[Allowance] = []
        for counts, pace in self._stated.paces.items():
            most = 1.01 * pace.per_minute
            is_contained = not self._stated.shared and any(
                belief.allowance.counts == counts and belief.per_minute <= most for belief in quick
            )
            (contained if is_contained else stated).append(pace.allowance)
        if stated or quick:
            self._sought = self._seek = None
        elif self._seeks and self._sought is None and self._seek is None:
            self._seek = Seek()
        elif self._sought is not None:
            self._seek = None
        sought = [] if self._sought is None else [self._sought.allowance]
        doubted = [pace.allowance for pace in self._doubted]
        self._active = (*stated, *sought, *doubted, *self._beliefs.allowances)
        self._contained = tuple(contained)
        self._find_windows()
        beliefs = self._beliefs.all
        self._slow = tuple(b.allowance for b in beliefs if b.seconds > LONGEST_WAIT)
