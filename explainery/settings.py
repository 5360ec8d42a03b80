"""Every setting: one table with name, default, unit and help. Read once; all mistakes are reported together.

A setting `home` is read from `EXPLAINERY_HOME`, or from the file that `EXPLAINERY_HOME_FILE` names (secrets).
`docs/operations.md` documents each; a test compares.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from explainery.allowed_hosts import AllowList
from explainery.contract.errors import SettingsInvalid
from explainery.contract.job import is_tenant

PREFIX = "EXPLAINERY_"


def _setting(default: Any, help: str, unit: str = "", minimum: float | None = None, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"help": help, "unit": unit, "minimum": minimum})


@dataclass(frozen=True)
class Settings:
    """The settings of one process. Field names are the environment variables' names, lower case, without the prefix."""

    home: Path = _setting(Path("~/.explainery"), "State of the embedded server, logs, caches, pid files.", "folder")
    models: str = _setting("", "Model repository: a folder or an fsspec URL. Default: <home>/models.", "folder or URL")
    redis_url: str = _setting("", "Redis to use. When empty, `explainery up` runs an embedded one.", "URL")
    host: str = _setting("127.0.0.1", "Address the API binds to. Beyond loopback it starts only with EXPLAINERY_AUTH.")
    port: int = _setting(8080, "Port of the API; 0 takes a free one.", minimum=0)
    auth: str = _setting("off", "Who may come: off, keys, oidc, or keys,oidc; off-i-know: anybody, beyond loopback too.")
    api_key: str = _setting("", "API key that the command line and the Python client send.", secret=True)
    oidc_issuer: str = _setting("", "Identity provider whose tokens are taken, exactly as its tokens write it.", "URL")
    oidc_audience: str = _setting("", "Audience that tokens must be for.")
    oidc_jwks_url: str = _setting("", "The provider's keys. Default: what its discovery document names.", "URL")
    oidc_algorithms: tuple[str, ...] = _setting(("RS256", "ES256"), "How tokens may be signed.", "comma-separated algorithms")
    oidc_tenant_claim: str = _setting("tenant", "Claim that names the tenant; dots lead into objects.")
    oidc_role_claim: str = _setting("role", "Claim that names the role, or a list with it; dots lead into objects.")
    tenant_models: tuple[str, ...] = _setting(
        ("*",), "Models that a tenant may use where it has no list of its own, as patterns.", "comma-separated patterns"
    )
    tenant_requests: int = _setting(0, "Requests a tenant may make in a minute; past it, 429. 0: any number.", "requests", 0)
    tenant_jobs: int = _setting(0, "Jobs of a tenant that may not have ended; past it, 429. 0: any number.", "jobs", 0)
    tenant_bytes: int = _setting(0, "Bytes that may be stored for a tenant; past it, 429. 0: any number.", "bytes", 0)
    tenant_compute_s: float = _setting(
        0.0, "Compute that a tenant may spend in a day (UTC); past it, 429. 0: any.", "seconds", 0
    )
    workers: int = _setting(1, "Worker processes under `explainery up`.", "processes", 1)
    device: str = _setting("auto", "Device of the workers: auto, cpu, cuda or cuda:N.")
    threads: int = _setting(0, "Compute threads of a worker; 0: cores divided by workers.", "threads", 0)
    factories: tuple[str, ...] = _setting(
        (), "Modules whose functions may build models from weights.", "comma-separated modules"
    )
    plugins: tuple[str, ...] = _setting(
        (), "Folders with methods/, runtimes/ or modalities/ of your own.", "comma-separated folders"
    )
    methods_off: tuple[str, ...] = _setting((), "Methods that workers leave out of what they offer.", "comma-separated methods")
    remote_allowed: tuple[str, ...] = _setting(
        (), "Hosts that remote models may be served at; private addresses must be listed too.", "comma-separated host[:port]"
    )
    allow_code_formats: bool = _setting(False, "Load .pt2 and TorchScript files, which run code from the file.", "0 or 1")
    result_ttl_s: int = _setting(7 * 86400, "How long a job that ended is kept.", "seconds", 1)
    keep_inputs: bool = _setting(
        True, "Keep the inputs of jobs that succeeded as long as their results: figures show them.", "0 or 1"
    )
    refine_ttl_s: int = _setting(
        3600, "How long a job that samples can be refined: its answers are kept so long; 0: not at all.", "seconds", 0
    )
    refine_bytes: int = _setting(4 * 2**20, "Largest answers of one job that are kept to refine it.", "bytes", 0)
    background_ttl_s: int = _setting(30 * 86400, "How long a stored background is kept after its last use.", "seconds", 1)
    background_bytes: int = _setting(16 * 2**20, "Largest background that may be stored.", "bytes", 1)
    tombstone_ttl_s: int = _setting(30 * 86400, "How long a forgotten id answers 410 and not 404.", "seconds", 1)
    max_streams: int = _setting(256, "Most event streams one API process keeps open; past it, 503.", "streams", 0)
    events_heartbeat_s: float = _setting(15.0, "How often a silent event stream says that it lives.", "seconds", 0.05)
    events_kept: int = _setting(10_000, "About how many of a tenant's events are kept for streams that resume.", "events", 1)
    events_ttl_s: int = _setting(86400, "How long a tenant's events are kept after the last of them.", "seconds", 1)
    webhooks: int = _setting(16, "Most webhooks of one tenant; 0: none are taken.", "webhooks", 0)
    webhook_allowed: tuple[str, ...] = _setting(
        (), "Hosts that webhooks may reach although they are private, or by plain HTTP.", "comma-separated host[:port]"
    )
    webhook_retry_s: tuple[str, ...] = _setting(
        ("5", "300", "1800", "7200", "18000", "36000", "50400", "72000", "86400"),
        "When a delivery that failed is tried again, each after the one before.",
        "comma-separated seconds",
    )
    webhook_timeout_s: float = _setting(15.0, "Longest that a webhook's target may take to answer.", "seconds", 0.1)
    files: str = _setting("", "Files of batches: a folder or an fsspec URL. Default: <home>/files.", "folder or URL")
    file_ttl_s: int = _setting(30 * 86400, "How long a file is kept, and a batch after its end.", "seconds", 60)
    chunk_lines: int = _setting(1024, "Lines of a batch that are planned, and later written, at once.", "lines", 1)
    max_file_bytes: int = _setting(4 * 2**30, "Largest file that may be uploaded.", "bytes", 1)
    idempotency_ttl_s: int = _setting(86400, "How long an Idempotency-Key is remembered.", "seconds", 1)
    max_body_bytes: int = _setting(64 * 2**20, "Largest request body.", "bytes", 1)
    max_rows: int = _setting(4096, "Most rows one job may have.", "rows", 1)
    max_waiting: int = _setting(100_000, "Most jobs that may wait; past it, 503.", "jobs", 1)
    max_wait_s: float = _setting(60.0, "Longest `Prefer: wait` that is honoured.", "seconds", 0)
    sync_limit_s: float = _setting(
        50.0, "Longest that KServe, Open Inference and TorchServe requests wait; then 504, and the job goes on.", "seconds", 0.1
    )
    api_threads: int = _setting(
        32, "Threads of the API besides those of event streams; each long poll holds one.", "threads", 1
    )
    lease_s: float = _setting(10.0, "How long a claimed job is its worker's without a heartbeat.", "seconds", 0.5)
    max_attempts: int = _setting(5, "Workers a job may lose before it is quarantined with worker_lost.", "attempts", 1)
    max_retries: int = _setting(3, "Tries after the first of a job whose failure may pass by itself.", "tries", 0)
    model_deaths: int = _setting(
        12, "Workers a model may take with it, with no success between, before it is quarantined.", "workers", 1
    )
    job_limit_s: float = _setting(3600.0, "Longest one attempt of a job may run.", "seconds", 0.1)
    tenant_weights: tuple[str, ...] = _setting(
        (), "Shares of tenants, as name=weight; 1 for all others.", "comma-separated pairs"
    )
    tenant_running: int = _setting(0, "Most jobs of one tenant that may run at once; 0: no limit.", "jobs", 0)
    max_evaluations: int = _setting(
        0,
        "Most evaluations one job may cost: a method that samples ends there; what needs more is refused. 0: any number.",
        "evaluations",
        0,
    )
    batch_age_s: float = _setting(60.0, "How long a batch job waits before it goes with the interactive ones.", "seconds", 0)
    affinity_s: float = _setting(
        2.0, "How far another model's line may fall behind before a worker loads that model.", "compute seconds", 0
    )
    dedupe: str = _setting("tenant", "Whose earlier answers are given again: tenant, all or off.")
    max_waiting_bytes: int = _setting(2**30, "Most bytes of inputs that may wait; past it, 503.", "bytes", 1)
    max_age_s: float = _setting(6 * 3600.0, "Age of the oldest waiting job past which new ones get 503.", "seconds", 1)
    inline_bytes: int = _setting(2**20, "Inputs and results larger than this go to the payload store.", "bytes", 0)
    payloads: str = _setting("", "Payload store: a folder or an fsspec URL. Default: <home>/payloads.", "folder or URL")
    batch_jobs: int = _setting(64, "Most jobs a worker works on at once.", "jobs", 1)
    batch_rows: int = _setting(256, "Most rows a worker works on at once.", "rows", 1)
    grace_s: float = _setting(20.0, "How long a worker that is asked to stop goes on with the jobs it holds.", "seconds", 0)
    model_cache: int = _setting(64, "Most models a worker keeps loaded.", "models", 1)
    job_bytes: int = _setting(
        0, "What a job's rows may take in a worker; 0: a quarter of the machine's memory, shared.", "bytes", 0
    )
    model_cache_bytes: int = _setting(
        0, "What a worker's loaded models may take, on host and GPU each; 0: half of what is there, shared.", "bytes", 0
    )
    twin_after_s: float = _setting(
        10.0, "Compute on a PyTorch model's values after which ONNX Runtime gives them, on a CPU; -1: never.", "seconds", -1
    )
    trials: bool = _setting(True, "Open each new model in a limited child process before a worker takes it in.", "0 or 1")
    trial_bytes: int = _setting(
        8 * 2**30, "Most memory a model may need in its trial, beyond what the libraries take.", "bytes", 2**20
    )
    trial_cpu_s: float = _setting(60.0, "Most CPU time a model may take in its trial.", "seconds", 1)
    trial_s: float = _setting(120.0, "Longest a model's trial may last, once the libraries are loaded.", "seconds", 0.1)
    trial_ttl_s: int = _setting(
        7 * 86400, "How long what a trial has shown is believed; a refusal for at most an hour.", "seconds", 1
    )
    max_model_bytes: int = _setting(16 * 2**30, "Largest size of a model's files together.", "bytes", 1)
    model_uploads: bool = _setting(
        False, "Let POST /v1/models add models: operators alone, where EXPLAINERY_AUTH says who that is.", "0 or 1"
    )
    max_upload_bytes: int = _setting(2**30, "Largest body of POST /v1/models.", "bytes", 1)
    rescan_s: float = _setting(5.0, "How often a worker looks for new models.", "seconds", 0.1)
    log_level: str = _setting("info", "debug, info, warning or error.")

    @property
    def models_url(self) -> str:
        """The model repository, the default applied."""
        return self.models or str(self.home / "models")

    @property
    def payloads_url(self) -> str:
        """The payload store, the default applied."""
        return self.payloads or str(self.home / "payloads")

    @property
    def files_url(self) -> str:
        """Where files of batches lie, the default applied."""
        return self.files or str(self.home / "files")

    @property
    def credentials(self) -> frozenset[str]:
        """What callers may show who they are with: "keys", "oidc", both; nothing: nobody is asked."""
        return frozenset(self.auth.split(",")) & {"keys", "oidc"}

    @property
    def weights(self) -> dict[str, float]:
        """Weight by tenant, for those that have one of their own. Raises ValueError."""
        return dict(_weight(pair) for pair in self.tenant_weights)

    @property
    def webhook_pauses_s(self) -> tuple[float, ...]:
        """Seconds after each failed attempt. Raises ValueError."""
        return tuple(map(_pause, self.webhook_retry_s))

    @property
    def heartbeat_s(self) -> float:
        """How often leases are renewed: four times a lease."""
        return self.lease_s / 4


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Raises SettingsInvalid naming every setting that cannot be used, and what it must be.
    """
    source = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    faults: list[str] = []
    for entry in fields(Settings):
        try:
            said = text(entry.name, source)
            values[entry.name] = entry.default if said is None else _checked(entry, said)
        except (ValueError, OSError) as error:
            faults.append(f"{variable(entry.name)}: {error}")
    if faults:
        raise SettingsInvalid("Settings cannot be used: " + "; ".join(faults))
    values["home"] = Path(values["home"]).expanduser().absolute()
    return Settings(**values)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def text(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """One setting as it is written in the environment, or in the file that this names; None where it is not set."""
    source = os.environ if environ is None else environ
    if (path := source.get(variable(name) + "_FILE")) is not None:
        return Path(path).read_text(encoding="utf-8").strip()
    return source.get(variable(name))


def _checked(entry: Field[Any], text: str) -> Any:
    value = _READERS[type(entry.default)](text.strip())
    minimum = entry.metadata["minimum"]
    if minimum is not None and value < minimum:
        raise ValueError(f"must be at least {minimum:g}")
    if entry.name in _CHECKS:
        _CHECKS[entry.name](value)
    choices = _CHOICES.get(entry.name)
    if choices is not None and value not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}")
    return value


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("must be a number") from None


def _boolean(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("must be 0 or 1")
    return text == "1"


def _weight(pair: str) -> tuple[str, float]:
    tenant, _, weight = pair.partition("=")
    try:
        number = float(weight)
    except ValueError:
        number = 0.0
    if not is_tenant(tenant) or not 0 < number < float("inf"):
        raise ValueError("must be pairs like gold=3,free=0.5 with weights above 0")
    return tenant, number


def _pause(text: str) -> float:
    seconds = _number(text)
    if not 0 <= seconds < 31 * 86400:
        raise ValueError("must be seconds like 5,300,1800, each at most a month")
    return seconds


def _signing(name: str) -> str:
    if name not in _ALGORITHMS:
        raise ValueError(f"must be of {', '.join(_ALGORITHMS)}: algorithms with a public key")
    return name


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_READERS: dict[type, Callable[[str], Any]] = {
    int: _integer,
    float: _number,
    bool: _boolean,
    tuple: _names,
    str: str,
    type(Path()): Path,
}
_CHECKS: dict[str, Callable[[Any], object]] = {
    "tenant_weights": lambda pairs: [_weight(pair) for pair in pairs],
    "remote_allowed": AllowList.parse,
    "oidc_algorithms": lambda names: [_signing(name) for name in names],
    "webhook_allowed": AllowList.parse,
    "webhook_retry_s": lambda pauses: [_pause(text) for text in pauses],
}
"""What raises ValueError for a value that cannot be used."""
_CHOICES = {
    "log_level": ("debug", "info", "warning", "error"),
    "dedupe": ("tenant", "all", "off"),
    "auth": ("off", "off-i-know", "keys", "oidc", "keys,oidc", "oidc,keys"),
}
