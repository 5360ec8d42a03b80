"""The client that blocks. Its methods are the operations, which are written once for both clients."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from explainery.client.binding import blocking, blocking_stream
from explainery.client.credentials import headers_of
from explainery.client.operations import backgrounds as of_backgrounds
from explainery.client.operations import batches as of_batches
from explainery.client.operations import catalogue as of_catalogue
from explainery.client.operations import comparisons as of_comparisons
from explainery.client.operations import events as of_events
from explainery.client.operations import files as of_files
from explainery.client.operations import health as of_health
from explainery.client.operations import jobs as of_jobs
from explainery.client.operations import many as of_many
from explainery.client.operations import protocols as of_protocols
from explainery.client.operations import results as of_results
from explainery.client.operations import webhooks as of_webhooks
from explainery.client.transport import Transport


class Client:
    """A client of one service. Safe to share between threads; close it, or use it in a `with` block.

    Every method raises ServiceError for a problem the service states and ServiceUnreachable when nobody answers. `api_key`: an
    API key, or a token of your identity provider; EXPLAINERY_API_KEY (or the file that EXPLAINERY_API_KEY_FILE names) when not
    given. `timeout_s`: how long an answer may take; `retries`: how often what may be said twice is tried again; `headers`: go
    with every request.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8080",
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 4,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.transport = Transport(base_url, timeout_s, retries, headers_of(api_key, headers))

    submit = blocking(of_jobs.submit)
    estimate = blocking(of_jobs.estimate)
    job = blocking(of_jobs.job)
    jobs = blocking_stream(of_jobs.jobs)
    wait = blocking(of_jobs.wait)
    cancel = blocking(of_jobs.cancel)
    forget = blocking(of_jobs.forget)
    refine = blocking(of_jobs.refine)
    partial = blocking(of_jobs.partial)

    result = blocking(of_results.result)
    result_bytes = blocking(of_results.result_bytes)
    figure = blocking(of_results.figure)
    explain = blocking(of_results.explain)

    explain_many = blocking_stream(of_many.explain_many)

    compare = blocking(of_comparisons.compare)
    submit_comparison = blocking(of_comparisons.submit_comparison)
    comparison = blocking(of_comparisons.comparison)
    comparison_result = blocking(of_comparisons.comparison_result)
    cancel_comparison = blocking(of_comparisons.cancel_comparison)
    forget_comparison = blocking(of_comparisons.forget_comparison)

    create_file = blocking(of_files.create_file)
    files = blocking_stream(of_files.files)
    file = blocking(of_files.file)
    file_content = blocking_stream(of_files.file_content)
    file_lines = blocking_stream(of_files.file_lines)
    delete_file = blocking(of_files.delete_file)

    submit_batch = blocking(of_batches.submit_batch)
    create_batch = blocking(of_batches.create_batch)
    batch = blocking(of_batches.batch)
    batches = blocking_stream(of_batches.batches)
    cancel_batch = blocking(of_batches.cancel_batch)
    wait_for_batch = blocking(of_batches.wait_for_batch)
    batch_results = blocking_stream(of_batches.batch_results)
    batch_summary = blocking(of_batches.batch_summary)

    events = blocking_stream(of_events.events)

    add_webhook = blocking(of_webhooks.add_webhook)
    webhooks = blocking(of_webhooks.webhooks)
    webhook = blocking(of_webhooks.webhook)
    remove_webhook = blocking(of_webhooks.remove_webhook)
    rotate_webhook_secret = blocking(of_webhooks.rotate_webhook_secret)
    ping_webhook = blocking(of_webhooks.ping_webhook)
    webhook_deliveries = blocking(of_webhooks.webhook_deliveries)

    store_background = blocking(of_backgrounds.store_background)
    backgrounds = blocking(of_backgrounds.backgrounds)
    background = blocking(of_backgrounds.background)
    forget_background = blocking(of_backgrounds.forget_background)

    models = blocking(of_catalogue.models)
    model = blocking(of_catalogue.model)
    layers = blocking(of_catalogue.layers)
    add_model = blocking(of_catalogue.add_model)
    methods = blocking(of_catalogue.methods)
    method = blocking(of_catalogue.method)
    quality_checks = blocking(of_catalogue.quality_checks)

    alive = blocking(of_health.alive)
    ready = blocking(of_health.ready)
    metrics = blocking(of_health.metrics)

    explain_v1 = blocking(of_protocols.explain_v1)
    predict_v1 = blocking(of_protocols.predict_v1)
    alive_v1 = blocking(of_protocols.alive_v1)
    server_v2 = blocking(of_protocols.server_v2)
    live_v2 = blocking(of_protocols.live_v2)
    ready_v2 = blocking(of_protocols.ready_v2)
    model_v2 = blocking(of_protocols.model_v2)
    model_ready_v2 = blocking(of_protocols.model_ready_v2)
    infer_v2 = blocking(of_protocols.infer_v2)
    explain_torchserve = blocking(of_protocols.explain_torchserve)

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
