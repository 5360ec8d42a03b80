"""What workers offer, and which live."""

import pytest

from explainery.contract.catalogue import MethodSpec, ModelEntry, Offer, RuntimeSpec
from explainery.contract.errors import CatalogueUnavailable
from explainery.contract.model_card import parse_card
from explainery.store import catalogue as catalogue_module
from explainery.store.catalogue import CatalogueStore, WorkerInfo
from explainery.store.keys import key
from explainery.store.offers import merge

CARD = parse_card("""
title = "Three numbers"
format = "stub"
[[inputs]]
name = "x"
datatype = "FP32"
shape = [-1, 3]
[[outputs]]
name = "y"
datatype = "FP32"
shape = [-1, 1]
kind = "regression"
""")


def method(name: str, title: str = "A method") -> MethodSpec:
    return MethodSpec(name=name, title=title, summary="", asks=("values",), completeness=True, reference="")


def model(name: str, digest: str = "sha256:a", fault: str | None = None) -> ModelEntry:
    return ModelEntry(name=name, version=1, digest=digest, runtime="stub", card=CARD, players=3, methods={}, fault=fault)


def offer(*names: str) -> Offer:
    runtime = RuntimeSpec(name="stub", title="", formats=("stub",), answers=("values",))
    return Offer(methods=tuple(method(name) for name in names), runtimes=(runtime,), models=(model("m"),))


def worker(name: str, started_at: str = "2026-01-01T00:00:00Z") -> WorkerInfo:
    return WorkerInfo(name, 42, "host", "cpu", started_at, ("m@1",), {"torch": None})


@pytest.fixture
def publisher(ledger):
    return CatalogueStore(ledger.redis, ledger.settings)


@pytest.fixture
def reader(ledger, monkeypatch):
    monkeypatch.setattr(catalogue_module, "FRESH_S", 0.0)
    return CatalogueStore(ledger.redis, ledger.settings)


def test_without_a_worker_ever_there_is_no_catalogue(reader):
    assert reader.workers() == []
    with pytest.raises(CatalogueUnavailable):
        reader.offer()


def test_what_a_worker_publishes_is_read(publisher, reader):
    publisher.publish(worker("w1"), offer("saliency"))
    assert reader.workers() == [worker("w1")]
    assert reader.offer() == offer("saliency")


def test_a_worker_lives_for_one_lease(ledger_with, until):
    ledger = ledger_with(lease_s=0.2)
    store = CatalogueStore(ledger.redis, ledger.settings)
    store.publish(worker("w1"), offer("saliency"))
    assert store.workers() == [worker("w1")]
    until(lambda: store.workers() == [])
    assert ledger.redis.zcard(key("workers")) == 1
    ledger.jobs.reap(backlog=0)
    assert ledger.redis.zcard(key("workers")) == 0


def test_an_offer_outlives_its_worker(publisher, reader):
    publisher.publish(worker("w1"), offer("saliency"))
    publisher.publish(worker("w2"), offer("occlusion"))
    publisher.withdraw("w1")
    publisher.withdraw("w2")
    assert reader.workers() == []
    assert reader.offer() == offer("occlusion")


def test_of_offers_said_in_one_millisecond_the_later_is_the_last(publisher, reader):
    for turn in range(50):
        names = ("saliency", "occlusion")[:: 1 if turn % 2 else -1]
        for name in names:
            publisher.publish(worker(name), offer(name))
        for name in names:
            publisher.withdraw(name)
        assert reader.offer() == offer(names[-1])


def test_offers_of_live_workers_are_merged_the_newest_workers_first(publisher, reader):
    publisher.publish(worker("old"), offer("saliency"))
    publisher.publish(worker("new", "2026-02-01T00:00:00Z"), offer("occlusion"))
    assert [spec.name for spec in reader.offer().methods] == ["occlusion", "saliency"]
    publisher.withdraw("new")
    assert reader.offer() == offer("saliency")


def test_an_offer_that_did_not_change_is_not_sent_again(ledger, publisher):
    same = offer("saliency")
    publisher.publish(worker("w1"), same)
    ledger.redis.config_resetstat()
    publisher.publish(worker("w1"), same)
    stats = ledger.redis.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 1
    assert stats["cmdstat_set"]["calls"] == 1


def test_an_offer_that_redis_lost_is_sent_again(ledger, publisher, reader):
    same = offer("saliency")
    publisher.publish(worker("w1"), same)
    ledger.redis.flushall()
    publisher.publish(worker("w1"), same)
    assert reader.offer() == same


def test_an_offer_is_read_once_while_it_stays_the_same(publisher, reader):
    publisher.publish(worker("w1"), offer("saliency"))
    first = reader.offer()
    publisher.publish(worker("w2"), offer("saliency"))
    assert reader.offer() is first


def test_a_reader_asks_redis_only_so_often(ledger, publisher):
    publisher.publish(worker("w1"), offer("saliency"))
    store = CatalogueStore(ledger.redis, ledger.settings)
    store.offer()
    ledger.redis.config_resetstat()
    store.offer()
    assert set(ledger.redis.info("commandstats")) <= {"cmdstat_config|resetstat", "cmdstat_info"}


def test_everything_the_catalogue_writes_expires_but_the_indexes(ledger, publisher):
    publisher.publish(worker("w1"), offer("saliency"))
    lasting = {name for name in ledger.redis.scan_iter() if ledger.redis.ttl(name) < 0}
    assert lasting == {key("workers").encode(), key("offers").encode()}


def test_merging_keeps_one_of_each_and_prefers_a_model_that_works():
    newer = Offer(methods=(method("a", "new"),), runtimes=(), models=(model("m", fault="broken file"), model("n")))
    older = Offer(methods=(method("a", "old"), method("b")), runtimes=(), models=(model("m"), model("m", "sha256:b")))
    merged = merge([newer, older])
    assert [(spec.name, spec.title) for spec in merged.methods] == [("a", "new"), ("b", "A method")]
    assert sorted((entry.name, entry.digest, entry.fault) for entry in merged.models) == [
        ("m", "sha256:a", None),
        ("m", "sha256:b", None),
        ("n", "sha256:a", None),
    ]
