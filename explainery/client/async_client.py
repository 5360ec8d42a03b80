"""The client that awaits: `client.py`, with `await`."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from explainery.client.async_transport import AsyncTransport
from explainery.client.binding import awaiting, awaiting_stream
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


class AsyncClient:
    """A client of one service, for asyncio. Close it, or use it in an `async with` block. Else as `Client` is."""

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8080",
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 4,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.transport = AsyncTransport(base_url, timeout_s, retries, headers_of(api_key, headers))

    submit = awaiting(of_jobs.submit)
    estimate = awaiting(of_jobs.estimate)
    job = awaiting(of_jobs.job)
    jobs = awaiting_stream(of_jobs.jobs)
    wait = awaiting(of_jobs.wait)
    cancel = awaiting(of_jobs.cancel)
    forget = awaiting(of_jobs.forget)
    refine = awaiting(of_jobs.refine)
    partial = awaiting(of_jobs.partial)

    result = awaiting(of_results.result)
    result_bytes = awaiting(of_results.result_bytes)
    figure = awaiting(of_results.figure)
    explain = awaiting(of_results.explain)

    explain_many = awaiting_stream(of_many.explain_many)

    compare = awaiting(of_comparisons.compare)
    submit_comparison = awaiting(of_comparisons.submit_comparison)
    comparison = awaiting(of_comparisons.comparison)
    comparison_result = awaiting(of_comparisons.comparison_result)
    cancel_comparison = awaiting(of_comparisons.cancel_comparison)
    forget_comparison = awaiting(of_comparisons.forget_comparison)

    create_file = awaiting(of_files.create_file)
    files = awaiting_stream(of_files.files)
    file = awaiting(of_files.file)
    file_content = awaiting_stream(of_files.file_content)
    file_lines = awaiting_stream(of_files.file_lines)
    delete_file = awaiting(of_files.delete_file)

    submit_batch = awaiting(of_batches.submit_batch)
    create_batch = awaiting(of_batches.create_batch)
    batch = awaiting(of_batches.batch)
    batches = awaiting_stream(of_batches.batches)
    cancel_batch = awaiting(of_batches.cancel_batch)
    wait_for_batch = awaiting(of_batches.wait_for_batch)
    batch_results = awaiting_stream(of_batches.batch_results)
    batch_summary = awaiting(of_batches.batch_summary)

    events = awaiting_stream(of_events.events)

    add_webhook = awaiting(of_webhooks.add_webhook)
    webhooks = awaiting(of_webhooks.webhooks)
    webhook = awaiting(of_webhooks.webhook)
    remove_webhook = awaiting(of_webhooks.remove_webhook)
    rotate_webhook_secret = awaiting(of_webhooks.rotate_webhook_secret)
    ping_webhook = awaiting(of_webhooks.ping_webhook)
    webhook_deliveries = awaiting(of_webhooks.webhook_deliveries)

    store_background = awaiting(of_backgrounds.store_background)
    backgrounds = awaiting(of_backgrounds.backgrounds)
    background = awaiting(of_backgrounds.background)
    forget_background = awaiting(of_backgrounds.forget_background)

    models = awaiting(of_catalogue.models)
    model = awaiting(of_catalogue.model)
    layers = awaiting(of_catalogue.layers)
    add_model = awaiting(of_catalogue.add_model)
    methods = awaiting(of_catalogue.methods)
    method = awaiting(of_catalogue.method)
    quality_checks = awaiting(of_catalogue.quality_checks)

    alive = awaiting(of_health.alive)
    ready = awaiting(of_health.ready)
    metrics = awaiting(of_health.metrics)

    explain_v1 = awaiting(of_protocols.explain_v1)
    predict_v1 = awaiting(of_protocols.predict_v1)
    alive_v1 = awaiting(of_protocols.alive_v1)
    server_v2 = awaiting(of_protocols.server_v2)
    live_v2 = awaiting(of_protocols.live_v2)
    ready_v2 = awaiting(of_protocols.ready_v2)
    model_v2 = awaiting(of_protocols.model_v2)
    model_ready_v2 = awaiting(of_protocols.model_ready_v2)
    infer_v2 = awaiting(of_protocols.infer_v2)
    explain_torchserve = awaiting(of_protocols.explain_torchserve)

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
