"""Every key in Redis: name, type, expiry, who writes it. No other file spells a key.

All ledger keys carry the hash tag `{explainery}`: the atomic steps touch several of them, and Redis Cluster only runs a script
whose keys share a slot. Steps get the prefix as their one key and build names as `key` does (`scripts/prelude.lua`).

| key | type | expires | written by |
|---|---|---|---|
| job:<id> | hash, the record | a day after it is forgotten, which is result_ttl_s after the job ended | every step |
| inputs:<id> | string, safetensors | deleted when the job ends | admit |
| result:<id> | string, safetensors | result_ttl_s after the job ended | finish |
| gone:<id> | string "1": this id existed | tombstone_ttl_s after the job ended | every step that ends a job, forget |
| waiting:<group> | sorted set, id by place in line | when empty | admit, claim, cancel, reap, release |
| groups | sorted set, group that waits by the time its last bell was rung (ms) | when empty | admit, claim, reap, release |
| bells | hash, group -> bells rung and not yet answered | when empty | admit, claim, reap, release |
| draining:<group> | sorted set, worker by its last look at the line (ms) | a minute after the last look | claim |
| running | sorted set, id by the end of its lease (ms) | when empty | claim, renew, finish, cancel, reap, release |
| deadlines | sorted set, id by its deadline (ms) | when empty | admit, every step that ends a job |
| ending | sorted set, id by the time it is to be forgotten (ms) | when empty | every step that ends a job, forget, reap |
| jobs | sorted set, id by order of admission: everything there is | when empty | admit, forget, reap |
| state:<state> | sorted set, id by order of admission | when empty | every transition |
| model:<name> | sorted set, id by order of admission | when empty | admit, forget, reap |
| decision:<decision_id> | sorted set, id by order of admission | when empty | admit, forget, reap |
| sequence | integer, the order of admission of the last job | never | admit |
| held:<worker> | set, ids a worker holds | when empty | claim, finish, cancel, reap, release |
| worker:<worker> | string, JSON: what a worker is, and the digest of its offer | its lease | announce, withdraw |
| workers | sorted set, worker by last heartbeat (ms) | when empty | announce, withdraw, reap |
| offer:<digest> | string, JSON: a catalogue | a day after its last heartbeat | announce |
| offers | sorted set, offer digest by last heartbeat (microseconds: their order decides) | never | announce |
| changes | pub/sub channel: the id of a job that changed, and its state (none: forgotten) | - | every step |

Indexes are ordered by admission, not by time: the order is unique, so a page never repeats or skips a job.
"""

from __future__ import annotations

TAG = "{explainery}"
PREFIX = f"{TAG}:"


def key(kind: str, name: str = "") -> str:
    """The full name of a key of the table above."""
    return f"{PREFIX}{kind}:{name}" if name else f"{PREFIX}{kind}"
