"""Trials among workers: a file is tried once, what was seen is published, and a worker's catalogue says it before any job."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import repos
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from explainery.contract.catalogue import Verdict
from explainery.contract.errors import ModelUnloadable, ResourceExhausted
from explainery.contract.job import ModelRef
from explainery.settings import Settings
from explainery.store.keys import key
from explainery.store.verdicts import VerdictStore
from workers.registry import discover
from workers.repository import Found, Repository
from workers.trial.trials import Trials, kind_of
from workers.verdicts import Verdicts
from workers.worker import Worker

REGISTRY = discover()
FILES = {"card.toml": b"card"}
PASSED, REFUSED = Verdict(need_bytes=7), Verdict(refused="It is bad.")


class Holder:
    """Stands for a child process: counts, and answers when it may."""

    def __init__(self, verdict: Verdict | Exception = PASSED) -> None:
        self.verdict = verdict
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.held = 0
        self.at_once = 0
        self.most_at_once = 0

    def __call__(self, settings: Settings, files: Mapping[str, bytes], stop: Callable[[], bool]) -> Verdict:
        self.held += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        while not self.may_answer.wait(0.01):
            if stop():
                break
        self.at_once -= 1
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


def trials(redis: Redis, holder: Holder, worker: str = "w1", kind: str = "k", **settings: int) -> Trials:
    made = dataclasses.replace(Settings(), **settings)
    return Trials(made, VerdictStore(redis, made, kind, worker), holder)


def until(look: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_file_is_tried_once_by_all_workers_of_a_kind(redis: Redis) -> None:
    holder = Holder()
    assert trials(redis, holder).judge("d", FILES) == PASSED
    assert trials(redis, holder, "w2").judge("d", FILES) == PASSED
    assert holder.held == 1
    trials(redis, holder, "w3", kind="other").judge("d", FILES)
    assert holder.held == 2


def test_workers_that_come_at_once_hold_one_trial(redis: Redis) -> None:
    holder = Holder()
    holder.may_answer.clear()
    found: list[Verdict] = []
    crowd = [
        threading.Thread(target=lambda worker=worker: found.append(trials(redis, holder, worker).judge("d", FILES)))
        for worker in ("w1", "w2", "w3", "w4")
    ]
    for thread in crowd:
        thread.start()
    until(lambda: holder.held)
    holder.may_answer.set()
    for thread in crowd:
        thread.join()
    assert (holder.held, found) == (1, [PASSED] * 4)


def test_one_trial_at_a_time_on_a_host(redis: Redis) -> None:
    holder = Holder()
    crowd = [threading.Thread(target=trials(redis, holder, f"w{n}").judge, args=(f"d{n}", FILES)) for n in range(4)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert (holder.held, holder.most_at_once) == (4, 1)


def test_a_trial_on_another_host_is_waited_for(redis: Redis) -> None:
    elsewhere = VerdictStore(redis, Settings(), "k", "far")
    assert elsewhere.begin("d", 60.0)
    holder, found = Holder(), []  # type: ignore[var-annotated]
    thread = threading.Thread(target=lambda: found.append(trials(redis, holder).judge("d", FILES)))
    thread.start()
    elsewhere.publish("d", REFUSED)
    elsewhere.end("d")
    thread.join()
    assert (holder.held, found) == (0, [REFUSED])


def test_verdicts_run_out_refusals_sooner(redis: Redis) -> None:
    trials(redis, Holder(PASSED)).judge("good", FILES)
    trials(redis, Holder(REFUSED)).judge("bad", FILES)
    assert 7 * 86400 - 60 < redis.ttl(key("verdict", "good:k")) <= 7 * 86400
    assert 3600 - 60 < redis.ttl(key("verdict", "bad:k")) <= 3600
    assert not redis.exists(key("trying", "good:k"))


def test_a_trial_that_could_not_be_held_is_no_verdict(redis: Redis) -> None:
    with pytest.raises(ResourceExhausted):
        trials(redis, Holder(ResourceExhausted("no room"))).judge("d", FILES)
    assert redis.keys("*") == []
    assert trials(redis, Holder()).judge("d", FILES) == PASSED


def test_without_redis_each_worker_tries() -> None:
    with Redis(port=1, retry=Retry(NoBackoff(), 0)) as nowhere:
        assert trials(nowhere, Holder()).judge("d", FILES) == PASSED


def test_a_worker_that_leaves_holds_no_trial(redis: Redis) -> None:
    holder = Holder()
    leaving = trials(redis, holder)
    leaving.stop()
    with pytest.raises(ResourceExhausted):
        leaving.judge("d", FILES)
    assert holder.held == 0


def test_what_decides_a_verdict_makes_the_kind() -> None:
    kinds = {
        kind_of(Settings(**changed))  # type: ignore[arg-type]
        for changed in ({}, {"trial_bytes": 1 << 30}, {"trial_s": 1.0}, {"factories": ("nets",)}, {"allow_code_formats": True})
    }
    assert len(kinds) == 5
    assert kind_of(Settings(port=1)) == kind_of(Settings())


class Shelf:
    """A repository with an ONNX file and a stub, and what is known of them."""

    def __init__(self, folder: Path, redis: Redis, holder: Holder) -> None:
        repos.add_onnx_linear(folder, "m", np.ones((4, 1)))
        repos.add_stub(folder, "stub", 4)
        self.repository = Repository(str(folder))
        self.changes = 0
        self.verdicts = Verdicts(self.repository, REGISTRY, Settings(), trials(redis, holder), self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def found(self, name: str = "m") -> Found:
        return self.repository.find(name, 1)

    def admit(self, name: str = "m") -> None:
        found = self.found(name)
        assert found.card is not None
        self.verdicts.admit(ModelRef(name=name, version="1", digest=found.digest), found.card, FILES)


def test_a_model_is_admitted_after_its_trial_and_not_tried_again(tmp_path: Path, redis: Redis) -> None:
    holder = Holder()
    shelf = Shelf(tmp_path, redis, holder)
    for _ in range(3):
        shelf.admit()
    assert (holder.held, shelf.changes) == (1, 1)
    assert shelf.verdicts.of(shelf.found().digest) == PASSED


def test_what_has_no_file_is_not_tried(tmp_path: Path, redis: Redis) -> None:
    holder = Holder()
    shelf = Shelf(tmp_path, redis, holder)
    shelf.admit("stub")
    assert holder.held == 0


def test_a_refused_model_is_not_admitted_until_its_verdict_has_run_out(tmp_path: Path, redis: Redis) -> None:
    holder = Holder(REFUSED)
    shelf = Shelf(tmp_path, redis, holder)
    for _ in range(2):
        with pytest.raises(ModelUnloadable, match="It is bad"):
            shelf.admit()
    shelf.verdicts.look(shelf.repository.scan())
    with pytest.raises(ModelUnloadable):
        shelf.admit()
    assert holder.held == 1
    redis.flushall()
    holder.verdict = PASSED
    shelf.verdicts.look(shelf.repository.scan())
    shelf.admit()
    assert holder.held == 2


def test_what_is_found_is_tried_before_a_job_asks(tmp_path: Path, redis: Redis) -> None:
    holder = Holder(REFUSED)
    shelf = Shelf(tmp_path, redis, holder)
    shelf.verdicts.start()
    shelf.verdicts.look(shelf.repository.scan())
    until(lambda: shelf.verdicts.of(shelf.found().digest))
    shelf.verdicts.stop()
    assert holder.held == 1


def test_leaving_ends_the_trial_that_goes_on(tmp_path: Path, redis: Redis) -> None:
    holder = Holder()
    holder.may_answer.clear()
    shelf = Shelf(tmp_path, redis, holder)
    shelf.verdicts.start()
    shelf.verdicts.look(shelf.repository.scan())
    until(lambda: holder.at_once)
    shelf.verdicts.stop()
    assert holder.at_once == 0


def test_loading_adds_to_what_the_trial_has_shown(tmp_path: Path, redis: Redis) -> None:
    shelf = Shelf(tmp_path, redis, Holder())
    shelf.admit()
    digest = shelf.found().digest
    shelf.verdicts.note(digest, Verdict(parity=0.5))
    assert shelf.verdicts.of(digest) == Verdict(parity=0.5, need_bytes=7)


def test_a_workers_catalogue_says_it_before_any_job(settings: Settings) -> None:
    """A real worker with a real child: a broken file becomes a fault of the catalogue by itself."""
    folder = Path(settings.models)
    place = repos.add_onnx_linear(folder, "m", np.ones((4, 1)))
    (place / "model.onnx").write_bytes(b"nonsense")
    worker = Worker(dataclasses.replace(settings, device="cpu", threads=1, rescan_s=0.1))
    worker.start()
    try:
        until(lambda: worker.offer().models[0].fault)
        assert "cannot be loaded" in str(worker.offer().models[0].fault)
    finally:
        worker.stop()


def test_trials_can_be_turned_off(settings: Settings) -> None:
    repos.add_onnx_linear(Path(settings.models), "m", np.ones((4, 1)))
    worker = Worker(dataclasses.replace(settings, device="cpu", threads=1, trials=False))
    worker.start()
    try:
        assert worker.offer().models[0].verdict == Verdict(
            cannot={"trees": "the explained output is not an ensemble of trees: it is made of the input itself"}
        )
    finally:
        worker.stop()
