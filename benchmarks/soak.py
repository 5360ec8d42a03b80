"""An hour's life in ten minutes: mixed jobs at 80 % of what this machine can do, and whether anything grows.

`python -m benchmarks.soak [minutes]`. What ended is kept for 20 s, so that jobs, results and tombstones expire within the run.
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from redis import Redis

from benchmarks.service_speed import HEADERS, service
from benchmarks.tables import met, show
from explainery.store.keys import PREFIX

CLIENTS = 8
LOAD = 0.8
EVERY_S = 5.0
WARM = 0.45
"""The first part of the run, in which everything that expires is still piling up."""
TTL_S = 20
SETTINGS = {
    "EXPLAINERY_RESULT_TTL_S": str(TTL_S),
    "EXPLAINERY_TOMBSTONE_TTL_S": "40",
    "EXPLAINERY_INLINE_BYTES": "20000",
    "EXPLAINERY_TENANT_WEIGHTS": "t0=3,t1=2",
}
GROWTH = 0.05
"""What a process may grow from the first to the last quarter of the time after `WARM`."""
PROCESSES = ("service", "worker-1", "redis")


@dataclass
class Sample:
    """What was seen at one moment."""

    at_s: float
    resident: dict[str, float]
    redis_mib: float
    keys: int
    by_kind: Counter[str]


@dataclass
class Load:
    """Clients that ask, at a pace or as fast as they can."""

    address: tuple[str, int]
    gap_s: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    ended: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def run(self, seconds: float, meanwhile: Callable[[float], None]) -> float:
        """Ask for so long; jobs a second."""
        threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        before, began = sum(self.ended.values()), time.monotonic()
        self.stop.clear()
        for thread in threads:
            thread.start()
        while (now := time.monotonic() - began) < seconds:
            meanwhile(now)
            time.sleep(min(EVERY_S, max(seconds - now, 0)))
        rate = (sum(self.ended.values()) - before) / (time.monotonic() - began)
        self.stop.set()
        for thread in threads:
            thread.join()
        return rate

    def _client(self, number: int) -> None:
        dice = random.Random(number)  # noqa: S311  a mix, no secret
        connection = http.client.HTTPConnection(*self.address)
        due = time.monotonic() + dice.random() * self.gap_s
        while not self.stop.is_set():
            if self.gap_s:
                time.sleep(max(0.0, due - time.monotonic()))
                due = max(due + self.gap_s, time.monotonic() - 5 * self.gap_s)
            try:
                self._ask(connection, dice)
            except (OSError, http.client.HTTPException, RuntimeError) as error:
                self.faults.append(f"{type(error).__name__}: {error}")
                connection.close()

    def _ask(self, connection: http.client.HTTPConnection, dice: random.Random) -> None:
        """One job of the mix: most are waited for, some canceled, forgotten or asked again; answers are read in every form."""
        fate = dice.random()
        who = {"X-Explainery-Tenant": f"t{dice.randrange(6)}"}
        document = self._say(connection, "POST", "/v1/explanations", _body(dice), who, fate)
        path = f"/v1/explanations/{document['id']}"
        if fate < 0.03:
            self._say(connection, "POST", f"{path}/cancel", b"", who, fate)
        elif document["status"] == "succeeded":
            accept = dice.choice(("application/json", "application/x-npz", "application/vnd.safetensors"))
            form = {"Accept": accept if dice.random() < 0.1 else "application/json"}
            connection.request("GET", f"{path}/result", headers=form | who)
            connection.getresponse().read()
            if fate > 0.97:
                self._say(connection, "DELETE", path, b"", who, fate)
        self.ended[document["status"]] += 1

    def _say(
        self, connection: http.client.HTTPConnection, verb: str, path: str, body: bytes, who: dict[str, str], fate: float
    ) -> dict[str, Any]:
        prefer = {"Prefer": "respond-async" if fate < 0.03 else "wait=20"}
        connection.request(verb, path, body, {**HEADERS, **who, **prefer})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status not in (200, 202, 204, 409):
            raise RuntimeError(f"{verb} gave {answer.status}")
        return dict(json.loads(content)) if content else {}


def _body(dice: random.Random) -> bytes:
    model, method, features = dice.choice(
        [
            ("no-op", "saliency", 4),
            ("no-op", "exact_shapley", 4),
            ("no-op", "feature_ablation", 4),
            ("mlp", "integrated_gradients", 12),
            ("mlp", "saliency", 12),
            ("mlp", "kernel_shap", 12),
        ]
    )
    rows = 300 if dice.random() < 0.01 and method == "saliency" else dice.randrange(1, 4)  # some lie in the payload store
    value = dice.randrange(50) / 10 if dice.random() < 0.2 else dice.random()  # a fifth has been asked before
    more = {"samples": 64} if method == "kernel_shap" else {}
    return json.dumps(
        {
            "model": model,
            "method": method,
            "instances": [[value] * features] * rows,
            "params": more,
            "priority": dice.choice(["interactive", "batch"]),
        }
    ).encode()


def main(argv: list[str]) -> None:
    """Print how much was done and what grew."""
    seconds = 60 * float(argv[0] if argv else 10)
    with tempfile.TemporaryDirectory() as folder, service(Path(folder), **SETTINGS) as address:
        home = Path(folder)
        redis = Redis(port=int((home / "redis" / "port").read_text()))
        Load(address).run(5, lambda _: None)
        capacity = Load(address).run(15, lambda _: None)
        samples: list[Sample] = []
        load = Load(address, gap_s=CLIENTS / (LOAD * capacity))
        rate = load.run(seconds, lambda now: samples.append(_sample(now, home, redis)))
        time.sleep(8 * TTL_S)
        after = _sample(seconds, home, redis)
        ledger = {name.decode(): int(count) for name, count in redis.hgetall(f"{PREFIX}counts").items()}
        redis.close()
    ended = ", ".join(f"{count} {status}" for status, count in sorted(load.ended.items()))
    columns = ("minutes", "capacity jobs/s", "load jobs/s", "of capacity", "as answered", "faults", "lost leases")
    row = (
        seconds / 60,
        f"{capacity:.0f}",
        f"{rate:.0f}",
        f"{rate / capacity:.0%}",
        ended,
        len(load.faults),
        ledger.get("lost", 0),
    )
    show("Soak: mixed jobs, six tenants, 3 % canceled, 3 % deleted, a fifth asked before", columns, [row])
    for fault in sorted(set(load.faults))[:5]:
        print(f"fault: {fault}")
    _show_growth(samples, after)


def _show_growth(samples: list[Sample], after: Sample) -> None:
    late = [sample for sample in samples if sample.at_s >= WARM * samples[-1].at_s]
    quarter = max(1, len(late) // 4)

    def compare(name: str, of: Callable[[Sample], float], unit: str) -> tuple[object, ...]:
        first, last = (float(np.median([of(sample) for sample in part])) for part in (late[:quarter], late[-quarter:]))
        grown = last / first - 1
        start = of(samples[0])
        return (
            name,
            f"{start:.0f} {unit}",
            f"{first:.0f}",
            f"{last:.0f}",
            f"{grown:+.1%}",
            met(grown, GROWTH, at_least=False),
            f"{of(after):.0f}",
        )

    rows = [compare(f"{name}, resident", lambda sample, name=name: sample.resident[name], "MiB") for name in PROCESSES]  # type: ignore[misc]
    rows.append(compare("Redis, used", lambda sample: sample.redis_mib, "MiB"))
    rows.append(compare("keys", lambda sample: sample.keys, ""))
    columns = ("what", "at the start", "when all expires", "at the end", "grown", "bound", f"{8 * TTL_S} s after")
    show("What grows (medians of the first and last quarter of the time after the warm-up)", columns, rows)
    left = ", ".join(f"{count} {kind}" for kind, count in after.by_kind.most_common())
    print(f"\nKeys that were left: {left}")


def _sample(now: float, home: Path, redis: Redis) -> Sample:
    resident = {name: _resident_mib(int((home / "run" / f"{name}.pid").read_text())) for name in PROCESSES}
    used = redis.info("memory")["used_memory"] / 2**20
    count = redis.dbsize()
    kinds: Counter[str] = Counter()
    if count < 5000:
        kinds.update(name.decode().removeprefix(PREFIX).partition(":")[0] for name in redis.scan_iter(count=1000))
    return Sample(now, resident, used, count, kinds)


def _resident_mib(pid: int) -> float:
    """Of a process and its children: the API's workers are gunicorn's."""
    total = 0.0
    for family in (pid, *_children(pid)):
        status = Path(f"/proc/{family}/status").read_text()
        said = status.partition("VmRSS:")[2].split()
        total += int(said[0]) / 1024 if said else 0.0  # one that has ended has none
    return total


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


if __name__ == "__main__":
    main(sys.argv[1:])
