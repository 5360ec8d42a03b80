"""The courier: makes deliveries out of what happened, and carries them out, many at once, few to one target."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from explainery.allowed_hosts import AllowList
from explainery.contract.errors import StoreUnavailable
from explainery.courier.message import body_of, headers_of
from explainery.courier.posting import Answer, post
from explainery.courier.schedule import pause_after
from explainery.settings import Settings
from explainery.store.webhooks import Errand, WebhookStore

HANDS = 64
"""Deliveries at once."""
TO_ONE = 4
"""To one target at once; one that fails is asked one at a time, so that it holds one hand only."""
TO_FAILING = 32
"""To all targets that fail, at once: however many hang, the other hands are for those that answer."""
EVENTS = 500
IDLE_MS, BUSY_MS = 500, 20
RETRY_S = 0.5
SPARE_S = 15.0
"""How much longer than an answer may take a delivery is a courier's: afterwards another makes it."""

log = logging.getLogger(__name__)


class Courier:
    """One per process. `run` until `stop`."""

    def __init__(self, store: WebhookStore, settings: Settings) -> None:
        self._store = store
        self._allowed = AllowList.parse(settings.webhook_allowed)
        self._pauses_s = settings.webhook_pauses_s
        self._timeout_s = settings.webhook_timeout_s
        self._random = random.Random()  # noqa: S311  # spreads retries, decides nothing else
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._at_work: Counter[str] = Counter()
        self._failing: set[str] = set()

    def run(self) -> None:
        """Carry out deliveries until told to stop; those in hand are broken off then, and are made again by who comes next."""
        with ThreadPoolExecutor(HANDS, thread_name_prefix="courier") as hands:
            while not self._stopped.is_set():
                try:
                    self._turn(hands)
                except StoreUnavailable as error:
                    log.warning("store_unavailable: %s; trying again", error.detail)
                    self._stopped.wait(RETRY_S)

    def stop(self) -> None:
        """End soon."""
        self._stopped.set()

    def _turn(self, hands: ThreadPoolExecutor) -> None:
        spread = self._store.spread(EVENTS)
        errands = self._leased()
        for errand in errands:
            with self._lock:
                self._at_work[errand.hook] += 1
            hands.submit(self._carry, errand)
        if not errands and spread < EVENTS:
            self._store.wait(BUSY_MS if self._at_work else IDLE_MS)

    def _leased(self) -> list[Errand]:
        """What is due and there are hands for: first of targets that answer, then, within their bound, of those that fail."""
        with self._lock:
            at_work, failing = dict(self._at_work), set(self._failing)
        busy = {hook for hook, count in at_work.items() if count >= (1 if hook in failing else TO_ONE)}
        lease_s, free = self._timeout_s + SPARE_S, HANDS - sum(at_work.values())
        errands = self._store.lease(free, 1, lease_s, busy | failing) if free > 0 else []
        room = min(free - len(errands), TO_FAILING - sum(count for hook, count in at_work.items() if hook in failing))
        if failing and room > 0:
            errands += self._store.lease(room, 1, lease_s, busy | {errand.hook for errand in errands})
        return errands

    def _carry(self, errand: Errand) -> None:
        try:
            answer = self._attempt(errand)
            if not self._stopped.is_set() or answer.status is not None:
                self._settle(errand, answer)
        except StoreUnavailable:
            log.warning("delivery_not_noted: it is made again when its lease ends")
        except Exception as error:  # a hand must be free again whatever happens; a message could quote what was sent
            log.exception("delivery_broke", exc_info=None, extra={"kind": type(error).__name__})
        finally:
            with self._lock:
                self._at_work[errand.hook] -= 1
                if self._at_work[errand.hook] <= 0:
                    del self._at_work[errand.hook]

    def _attempt(self, errand: Errand) -> Answer:
        """One attempt. Where we break on it, it has failed: else it would be made again each time its lease ends, for ever."""
        try:
            body = body_of(errand)
            headers = headers_of(errand, body, int(time.time()))
            return post(errand.url, headers, body, self._allowed, self._timeout_s, self._stopped)
        except Exception as error:  # a message could quote what was sent
            log.exception("delivery_broke", exc_info=None, extra={"kind": type(error).__name__})
            return Answer(None, "could not be made")

    def _settle(self, errand: Errand, answer: Answer) -> None:
        good = answer.status is not None and 200 <= answer.status < 300
        with self._lock:
            (self._failing.discard if good else self._failing.add)(errand.hook)
        if good:
            self._store.settle(errand, "delivered", answer.told)
        elif answer.status == 410:
            self._store.settle(errand, "gone", answer.told)
        else:
            pause_s = pause_after(errand.attempts, self._pauses_s, answer.retry_after_s, self._random.random())
            self._store.settle(errand, "failed" if pause_s is None else "waiting", answer.told, pause_s)
        log.info("delivery webhook=%s message=%s attempt=%d answer=%s", errand.hook, errand.id, errand.attempts, answer.told)
