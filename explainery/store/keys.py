"""Every key in Redis: name, type, expiry, who writes it. No other file spells a key.

All ledger keys carry the hash tag `{explainery}`: the atomic steps touch several of them, and Redis Cluster only runs a script
whose keys share a slot. Steps get the prefix as their one key and build names as `key` does (`scripts/prelude.lua`).

| key | type | expires | written by |
|---|---|---|---|
| job:<id> | hash, the record | a day after it is forgotten, which is result_ttl_s after the job ended | every step |
| inputs:<id> | string, safetensors or a pointer into the payload store | deleted when the job ends; kept while it is quarantined, and with keep_inputs as long as its result | admit, every step that ends a job |
| result:<id> | string, safetensors or a pointer | result_ttl_s after the last job that shares it ended | finish, every step that ends a job |
| answers:<id> | string, safetensors: what the rows of a job that samples were answered, for whoever refines it | refine_ttl_s after the job ended | the worker that ends it; forget |
| partial:<id> | string, safetensors: a running estimate | a minute after it was published | the worker that holds the job |
| background:<tenant>:<digest> | string, safetensors: a background set | background_ttl_s after it was used last | the API |
| backgrounds:<tenant> | sorted set, digest of a background set by its last use (ms) | background_ttl_s after the last use of any | the API |
| sharers:<id> | set, ids of the jobs whose result is that of <id> | a day after the result | admit, finish, forget |
| payload:<digest> | sorted set, who needs a payload (inputs:<id>, result:<id>) by the time until (ms) | when empty, or swept | admit, finish, every step that ends a job, sweep |
| gone:<id> | string, `@` and a tenant: this id existed, and was its | tombstone_ttl_s after the job ended | every step that ends a job, forget |
| line:<line> | sorted set, id by tag; one line for each priority:group | when empty | admit, claim, cancel, reap, release |
| groups:<priority> | sorted set, group that has a line by the tag of its head | when empty | every step that changes a line |
| parked:<tenant> | sorted set, id by tag: its tenant runs as many jobs as it may | when empty | claim, every step that ends a run |
| delayed | sorted set, id by the time it goes back to its line (ms) | when empty | finish, release, reap, claim |
| followers:<id> | sorted set, ids of jobs that ask what <id> asks by order of admission | when <id> ends | admit, every step that ends a job |
| same:<content> | string, id of the job that answers this content | result_ttl_s and a day after the last question | admit, every step that ends a job |
| once:<key> | hash: the job admitted under an idempotency key of a tenant, and a fingerprint of what was asked | idempotency_ttl_s after the admission | admit |
| aging | sorted set, waiting batch job by the time it was admitted (ms) | when empty | admit, every step that starts or ends a wait |
| virtual | hash, priority -> virtual time, microseconds of compute | never: one field a priority | claim, reap |
| promised:<priority> | sorted set, tenant by the virtual time it was promised until | when nobody waits | admit, reap |
| running_of | hash, tenant -> jobs that run | when empty | every step that starts or ends a run |
| queued | hash, priority -> jobs that wait | when empty | every step that starts or ends a wait |
| queued_us | hash, priority -> estimated microseconds of compute that wait | when empty | every step that starts or ends a wait |
| sums | hash, input_bytes -> bytes of inputs of jobs that have not ended | when empty | admit, every step that ends a job |
| pace | hash, tenant, group and method -> microseconds per evaluation | a week after the last job | finish |
| loads | hash, group -> milliseconds its model took to load | a week after the last load | loaded |
| comparison:<id> | string, JSON: the jobs of a comparison; "gone" once it was deleted | tombstone_ttl_s | the API |
| runs:<kind> | list, what the last jobs of a kind took: calls, rows, seconds; a kind is a tenant, a model's digest and a device, and perhaps a method and a shape | a week after the last job | the worker that did it, once it has ended |
| bells | hash, whom it was rung for (a worker, or any) -> bells not yet answered | when empty, or a minute after the last bell | admit, claim, reap, release |
| rung | sorted set, whom by the time of its last bell (ms) | when empty, or a minute after the last bell | admit, claim, reap, release |
| awake | sorted set, worker by its last look at the lines (ms) | when empty, or a minute after the last look | claim, release, reap |
| resident:<group> | sorted set, worker that has the model in memory by when it said so (ms) | a lease after the last word | announce, claim |
| turns | sorted set, group by its last claim (ms) | a minute after the last claim | claim |
| running | sorted set, id by the end of its lease (ms) | when empty | claim, renew, finish, cancel, reap, release |
| deadlines | sorted set, id by its deadline, or when it is to be canceled (ms) | when empty | admit, every step that ends a job |
| ending | sorted set, id by the time it is to be forgotten (ms) | when empty | every step that ends a job, forget, reap |
| jobs | sorted set, id by order of admission: everything there is; and jobs:<tenant>, by the tenant's own order | when empty | admit, forget, reap |
| state:<state> | sorted set, id by order of admission; and state:<tenant>:<state>, by the tenant's own order | when empty | every transition |
| model:<tenant>:<name> | sorted set, id by its tenant's order of admission | when empty | admit, forget, reap |
| decision:<tenant>:<decision_id> | sorted set, id by its tenant's order of admission | when empty | admit, forget, reap |
| quarantine | sorted set, id of a job that workers died of by the time it was put aside (ms) | when empty | release, reap, forget |
| deaths | hash, group -> workers that died with it since its last success | when empty, or a week after the last death | release, reap, finish |
| banned | hash, group -> JSON: since when, deaths and last exit of a model that is quarantined | when empty | release, reap, unban |
| open_of | hash, tenant -> its jobs that have not ended | when empty | admit, every step that ends a job |
| open_us | hash, tenant -> microseconds of compute its open jobs are estimated to take | when empty | admit, every step that ends a job |
| stored | hash, job or file -> bytes that are stored for it: inputs and result, or a file's | when empty | admit, finish, every step that ends a job, forget, reap, reserve, shelve, note_batch, discard |
| stored_of | hash, tenant -> bytes stored for its jobs and files | when empty | as stored |
| spent:<tenant>:<day> | integer, microseconds of compute that a tenant spent on a day (UTC, since 1970) | two days | every step that ends a job |
| arrivals:<tenant> | integer, when a tenant may have made all its requests of a minute at once again (microseconds) | a minute after the last request | meter |
| tenant:<tenant> | hash: the fields of a tenant's policy that are its own | never: an operator's | tenants set, tenants forget |
| tenants | set, tenants with a policy of their own | when empty | tenants set, tenants forget |
| apikey:<id> | hash: digest of an API key, its name, tenant, role, when it was created, expires and was used last (ms) | never: until it is revoked | keys create, keys revoke, meter |
| apikeys | sorted set, id of an API key by when it was created (ms) | when empty | keys create, keys revoke |
| sequence | integer, the order of admission of the last job; and sequence:<tenant>, of the tenant's last | never | admit |
| ended:<bucket> | integer, jobs that ended in ten seconds | two minutes | every step that ends a job |
| counts | hash, what happened -> how often | never: a few dozen fields | every step |
| histogram:<what> | hash, bucket b -> how many took at most 2^b ms (or were at most 2^b large), and their sum | never: 25 fields | claim, finish, loaded |
| held:<worker> | set, ids a worker holds | when empty | claim, finish, cancel, reap, release |
| worker:<worker> | string, JSON: what a worker is, and the digest of its offer | its lease | announce, withdraw |
| workers | sorted set, worker by last heartbeat (ms) | when empty | announce, withdraw, reap |
| offer:<digest> | string, JSON: a catalogue | a day after its last heartbeat | announce |
| offers | sorted set, offer digest by last heartbeat (microseconds: their order decides) | never | announce |
| verdict:<digest>:<kind> | string, JSON: what the trial of a model's files has shown workers of that kind | trial_ttl_s after the trial; a refusal after an hour at most | the worker that held the trial |
| trying:<digest>:<kind> | string, the worker that holds the trial of these files now | with the trial, or when it must have ended | the worker that holds the trial |
| layers:<digest> | string, JSON: the layers of a model | trial_ttl_s after a worker said so last | a worker that has looked into it, or taken its trial's verdict |
| events:<tenant> | stream: a job, the state it came into or that it was forgotten, its revision, when (ms) | events_ttl_s after the last | every step that moves or forgets a job |
| progress:<tenant> | stream: a job and how far it is | a minute after the last | renew |
| hooks:<tenant> | sorted set, webhook by when it was added (ms) | when empty | hook, unhook |
| hook:<webhook> | hash: a webhook: tenant, url, types, secret, those before it that sign yet, whether it is disabled and why | with the webhook | hook, unhook, rotate, lease, settle, spread |
| inner_hooks:<tenant> | set, webhooks that are told of the jobs inside batches, too | when empty | hook, unhook |
| outbox | stream: what happened to jobs and batches of tenants with webhooks, and has not been made into deliveries | never; entries leave with spread | every step that moves or forgets a job, end_batch, spread |
| post:<delivery> | hash, named webhook/delivery: what is told, its status, attempts and last answer | a week after the last attempt | spread, ping, lease, settle, unhook |
| posts:<webhook> | sorted set, delivery that waits by when it is due (ms) | when empty | spread, ping, lease, settle, unhook |
| posting | sorted set, webhook by when its first delivery is due (ms) | when empty | spread, ping, lease, settle, unhook |
| posted:<webhook> | sorted set, the newest deliveries by when they were made (ms) | a week after the last | spread, ping, unhook |
| files:<tenant> | sorted set, file by when it was made (ms) | when empty | shelve, discard |
| file:<file> | hash: a file of a batch: tenant, name, bytes, purpose, format, when it was made and is to go | with the file | shelve, discard, end_batch |
| upload:<file> | string, the tenant whose file is being uploaded | when it is there; a day later, when it never was, by files_due | reserve, shelve, discard |
| parts:<file> | list, what an output file is made of: name and bytes | with the file | note_batch |
| readers:<file> | set, batches that read the file | when empty | open_batch, end_batch |
| files_due | sorted set, file by when it is to be deleted (ms) | when empty | reserve, shelve, discard, end_batch |
| batches:<tenant> | sorted set, batch by when it was made (ms) | when empty | open_batch |
| batch:<batch> | hash: a batch: what was asked, its status, counts and times, how far it is, whose it is and until when | file_ttl_s after its end | open_batch, take_batch, note_batch, stop_batch, end_batch |
| chunks:<batch> | hash, number of a stretch of the input that is being worked on -> JSON: where it lies, its jobs and what they answer | when empty | note_batch, end_batch |
| open_batches | sorted set, batch that has not ended by the end of its coordinator's lease (ms) | when empty | open_batch, take_batch, note_batch, end_batch |
| batch_once:<key> | string, the batch that was made under an idempotency key of a tenant, and a fingerprint of what was asked | idempotency_ttl_s after it was made | open_batch |
| changes | pub/sub channel: the id of a job that changed, and its state (none: forgotten) | - | every step |

Indexes are ordered by admission, not by time: the order is unique, so a page never repeats or skips a job. A tenant's are ordered by its
own admissions, so that a cursor does not tell how many others there were.
"""

from __future__ import annotations

TAG = "{explainery}"
PREFIX = f"{TAG}:"


def key(kind: str, name: str = "") -> str:
    """The full name of a key of the table above."""
    return f"{PREFIX}{kind}:{name}" if name else f"{PREFIX}{kind}"
