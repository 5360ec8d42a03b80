"""The courier on a real Redis, with real targets: nothing that happened is lost, and one dead target delays nobody."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from targets import Target, targets, until

from explainery.contract.errors import TooManyWebhooks, WebhookNotFound
from explainery.contract.events import TYPES
from explainery.contract.job import Baseline, JobSpec, ModelRef
from explainery.contract.webhooks import WebhookRequest
from explainery.courier import courier as couriers
from explainery.courier.courier import TO_ONE, Courier
from explainery.settings import Settings
from explainery.store.connection import connect
from explainery.store.ids import new_job_id
from explainery.store.jobs import JobStore
from explainery.store.keys import PREFIX, key
from explainery.store.webhooks import WebhookStore

QUICK = ("0.02", "0.02", "0.02")


class Office:
    """A ledger, webhooks, and couriers that come and go."""

    def __init__(self, settings: Settings) -> None:
        self.settings = dataclasses.replace(settings, webhook_allowed=("127.0.0.1",), webhook_retry_s=QUICK)
        self.redis = connect(self.settings)
        self.jobs, self.store = JobStore(self.redis, self.settings), WebhookStore(self.redis, self.settings)

    def add(self, target: Target, *types: str, tenant: str = "default") -> tuple[str, str]:
        webhook, secret = self.store.add(tenant, WebhookRequest(url=target.url, **({"types": list(types)} if types else {})))
        return webhook.id, secret

    def job(self, tenant: str = "default") -> str:
        """A job that is canceled: queued, canceled."""
        model = ModelRef(name="digits", version="1", digest="sha256:" + "a" * 64)
        spec = JobSpec(
            id=new_job_id(), model=model, method="saliency", method_requested="auto", params={}, rows=1, target=("predicted",),
            baseline=Baseline(kind="zeros"), seed=0, tenant=tenant,
        )  # fmt: skip
        self.jobs.admit(spec, b"inputs")
        self.jobs.cancel(spec.id)
        return spec.id

    @contextmanager
    def courier(self, **changes: Any) -> Iterator[Courier]:
        settings = dataclasses.replace(self.settings, **changes)
        courier = Courier(WebhookStore(self.redis, settings), settings)
        thread = threading.Thread(target=courier.run)
        thread.start()
        try:
            yield courier
        finally:
            courier.stop()
            thread.join()

    def states(self, hook: str) -> list[tuple[str, int, str | None]]:
        return [(each.status, each.attempts, each.answer) for each in self.store.deliveries("default", hook, 100)]

    def hook(self, hook: str) -> Any:
        return self.store.get("default", hook)


@pytest.fixture
def office(settings: Settings) -> Iterator[Office]:
    made = Office(settings)
    yield made
    made.redis.close()


def test_the_end_of_a_job_is_told_signed_and_once(office: Office):
    with targets() as [target], office.courier():
        hook, secret = office.add(target)
        job = office.job()
        until(lambda: office.states(hook) == [("delivered", 1, "204")])
        [told] = target.told
        assert (told["type"], told["data"]["id"], told["data"]["status"]) == ("explanation.canceled", job, "canceled")
        assert target.signed(secret)
        assert office.redis.xlen(key("outbox")) == 0


def test_only_what_was_asked_for_and_only_its_tenants(office: Office):
    with targets(2) as [mine, others], office.courier():
        hook, _ = office.add(mine, "explanation.queued")
        office.add(others, *TYPES, tenant="other")
        office.job()
        office.job("other")
        until(lambda: len(others.seen) == 2 and office.states(hook) == [("delivered", 1, "204")])
        assert [told["type"] for told in mine.told] == ["explanation.queued"]
        with pytest.raises(WebhookNotFound):
            office.store.get("other", hook)


def test_without_webhooks_nothing_is_put_by(office: Office):
    office.job()
    assert not office.redis.exists(key("outbox"))


def test_what_failed_is_tried_again_with_the_same_id_and_body(office: Office):
    with targets() as [target], office.courier():
        target.answers = [(500, {}), (404, {}), (200, {})]
        hook, secret = office.add(target)
        office.job()
        until(lambda: office.states(hook) == [("delivered", 3, "200")])
        assert len({(headers["webhook-id"], body) for headers, body in target.seen}) == 1
        assert target.signed(secret)
        assert office.hook(hook).failing == 0


def test_what_fails_for_as_long_as_it_is_tried_disables_the_webhook(office: Office):
    with targets() as [target], office.courier():
        target.answers = [(500, {})]
        hook, _ = office.add(target)
        office.job()
        until(lambda: office.hook(hook).disabled_at is not None)
        assert office.states(hook) == [("failed", 1 + len(QUICK), "500")]
        assert "nothing could be delivered" in office.hook(hook).disabled_reason
        office.job()
        office.store.ping("default", hook)
        until(lambda: len(target.seen) == 2 + len(QUICK))
        assert target.told[-1]["type"] == "webhook.ping"


def test_one_that_fails_among_those_that_do_not_disables_nothing(office: Office):
    with targets() as [target], office.courier():
        hook, _ = office.add(target, "explanation.canceled", "explanation.queued")
        target.answers = [(500, {}), (204, {}), (500, {})]
        office.job()
        until(lambda: len([state for state in office.states(hook) if state[0] != "waiting"]) == 2)
        assert sorted(state[0] for state in office.states(hook)) == ["delivered", "failed"]
        assert office.hook(hook).disabled_at is None


def test_410_disables_at_once(office: Office):
    with targets() as [target], office.courier():
        target.answers = [(410, {})]
        hook, _ = office.add(target)
        office.job()
        until(lambda: office.hook(hook).disabled_at is not None)
        assert office.states(hook) == [("failed", 1, "410")]
        assert "410" in office.hook(hook).disabled_reason
        office.job()
        until(lambda: office.redis.xlen(key("outbox")) == 0)
        assert len(office.states(hook)) == 1


def test_an_attempt_on_which_we_break_has_failed(office: Office):
    with targets() as [target]:
        hook, _ = office.add(target)
        office.redis.hset(key("hook", hook), "secret", "whsec_a")  # no base64
        office.job()
        with office.courier():
            until(lambda: office.states(hook) == [("failed", 4, "could not be made")])
        assert not target.seen


def test_a_target_that_hangs_delays_no_other(office: Office):
    with targets(2) as [dead, alive], office.courier():
        dead.hold.clear()
        hanging, _ = office.add(dead)
        hook, _ = office.add(alive)
        for _ in range(30):
            office.job()
        until(lambda: office.states(hook).count(("delivered", 1, "204")) == 30)
        assert len(dead.seen) <= TO_ONE
        assert all(state[0] == "waiting" for state in office.states(hanging))


def test_however_many_hang_those_that_answer_are_told(office: Office, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(couriers, "HANDS", 4)
    monkeypatch.setattr(couriers, "TO_FAILING", 2)
    with targets(7) as [alive, *dead], office.courier(webhook_timeout_s=60.0, webhook_retry_s=("0.5",) * 9) as courier:
        hooks = [office.add(each)[0] for each in dead]
        for each in dead:
            each.answers = [(500, {})]
        office.job()
        until(lambda: all("500" in [answer for *_, answer in office.states(hook)] for hook in hooks))
        for each in dead:
            each.hold.clear()
        until(lambda: courier._at_work.total() >= 2)
        office.add(alive, tenant="other")
        for _ in range(8):
            office.job("other")
        until(lambda: len(alive.told) == 8)
        assert courier._at_work.total() <= 4
        for each in dead:
            each.hold.set()


def test_what_a_dead_courier_had_in_hand_is_delivered_by_the_next(office: Office):
    with targets() as [target]:
        hook, _ = office.add(target)
        job = office.job()
        assert office.store.spread(10) == 2
        [errand] = office.store.lease(5, 1, 60.0, [])
        assert office.store.lease(5, 1, 60.0, []) == []  # it is in somebody's hands
        with office.courier():
            office.redis.zadd(key("posts", hook), {errand.id: 0})  # its lease is over
            office.redis.zadd(key("posting"), {hook: 0})
            until(lambda: office.states(hook) == [("delivered", 2, "204")])
        assert target.told[0]["data"]["id"] == job


def test_a_courier_that_is_killed_again_and_again_loses_nothing(office: Office):
    """A real process, killed at any moment: each event arrives, perhaps twice, then with the same id."""
    environment = {
        **os.environ, "EXPLAINERY_REDIS_URL": office.settings.redis_url, "EXPLAINERY_WEBHOOK_ALLOWED": "127.0.0.1",
        "EXPLAINERY_WEBHOOK_RETRY_S": "0.05,0.05,0.05,0.05", "EXPLAINERY_WEBHOOK_TIMEOUT_S": "0.5",
    }  # fmt: skip
    command = [sys.executable, "-m", "explainery.courier"]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    with targets() as [target]:
        hook, secret = office.add(target)
        jobs, process = [], start()
        try:
            for count in (1, 20, 40):
                jobs += [office.job() for _ in range(30)]
                until(lambda count=count: len(target.seen) >= count)
                process.send_signal(signal.SIGKILL)
                process.wait()
                process = start()
            for name in office.redis.zrange(key("posts", hook), 0, -1):  # leases of the dead are over
                office.redis.zadd(key("posts", hook), {name: 0}, xx=True)
            office.redis.zadd(key("posting"), {hook: 0}, xx=True)
            jobs.append(office.job())  # a last one for the last courier: what it delivers tells that it runs
            until(lambda: {told["data"]["id"] for told in target.told} == set(jobs))
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(timeout=20)
        assert ended == 0
        assert len({headers["webhook-id"] for headers, _ in target.seen}) == len(jobs) == 91
        assert target.signed(secret)


def test_a_restart_of_redis_stops_nothing(office: Office, redis_server: Any):
    with targets() as [target], office.courier():
        hook, _ = office.add(target)
        redis_server.stop()
        redis_server.start()
        office.job()
        until(lambda: office.states(hook) == [("delivered", 1, "204")])


def test_a_removed_webhook_leaves_nothing(office: Office):
    with targets() as [target]:
        before = set(office.redis.scan_iter())
        hook, _ = office.add(target, *TYPES)
        office.job()
        office.store.spread(10)
        office.store.ping("default", hook)
        office.store.remove("default", hook)
        with pytest.raises(WebhookNotFound):
            office.store.remove("default", hook)
        left = {name.decode().removeprefix(PREFIX).split(":")[0] for name in set(office.redis.scan_iter()) - before}
        assert not left & {"hook", "hooks", "post", "posts", "posting", "posted"}
        with office.courier():
            until(lambda: office.redis.xlen(key("outbox")) == 0)
        assert target.seen == []


def test_a_tenant_has_so_many_and_no_more(office: Office):
    store = WebhookStore(office.redis, dataclasses.replace(office.settings, webhooks=1))
    request = WebhookRequest(url="https://hooks.example.com/")
    store.add("default", request)
    store.add("other", request)
    with pytest.raises(TooManyWebhooks):
        store.add("default", request)


def test_what_finds_a_line_full_is_counted(office: Office, monkeypatch: pytest.MonkeyPatch):
    from explainery.store import webhooks

    monkeypatch.setattr(webhooks, "MOST_WAITING", 3)
    with targets() as [target]:
        hook, _ = office.add(target)
        for _ in range(5):
            office.job()
        office.store.spread(100)
        assert (len(office.states(hook)), office.hook(hook).dropped) == (3, 2)


def test_tests_do_not_fill_a_line_either(office: Office, monkeypatch: pytest.MonkeyPatch):
    from explainery.store import webhooks

    monkeypatch.setattr(webhooks, "MOST_WAITING", 3)
    monkeypatch.setattr(webhooks, "SHOWN", 2)
    with targets() as [target]:
        hook, _ = office.add(target)
        for _ in range(3):
            office.store.ping("default", hook)
        with pytest.raises(TooManyWebhooks):
            office.store.ping("default", hook)
        assert len(office.states(hook)) == 2
        office.store.remove("default", hook)
        assert not list(office.redis.scan_iter(f"{PREFIX}post*"))


def test_a_delivery_outlives_the_longest_pause(office: Office):
    with targets() as [target]:
        target.answers = [(503, {})]
        hook, _ = office.add(target)
        office.job()
        with office.courier(webhook_retry_s=(str(30 * 86400),)):
            until(lambda: office.states(hook) == [("waiting", 1, "503")])
        [post] = office.store.deliveries("default", hook, 1)
        name = key("post", f"{hook}/{post.id}")
        next_s = int(office.redis.hget(name, "next")) / 1000 - time.time()
        assert next_s > 30 * 86400 * 0.79  # give or take a fifth
        assert office.redis.ttl(name) > next_s + 3600


def test_every_key_is_in_the_table_with_its_type(office: Office):
    from explainery.store import keys

    with targets() as [target]:
        office.add(target)
        office.job()
        office.store.spread(1)
        for name in office.redis.scan_iter():
            kind = name.decode().removeprefix(PREFIX).split(":")[0]
            said = {"zset": "sorted set"}.get(found := office.redis.type(name).decode(), found)
            rows = [line for line in (keys.__doc__ or "").splitlines() if line.startswith((f"| {kind} |", f"| {kind}:"))]
            assert len(rows) == 1, kind
            assert said in rows[0] or (said, "integer" in rows[0]) == ("string", True), kind
