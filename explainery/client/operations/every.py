"""The operations as methods. The one list of them: what stands here is in both clients."""

from __future__ import annotations

from typing import ClassVar

from explainery.client.binding import Answered, Streamed
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


class Operations:
    """What `Client` and `AsyncClient` can be asked; each takes and says what the function of its name does."""

    _awaits: ClassVar = False

    submit = Answered(of_jobs.submit)
    estimate = Answered(of_jobs.estimate)
    job = Answered(of_jobs.job)
    jobs = Streamed(of_jobs.jobs)
    wait = Answered(of_jobs.wait)
    cancel = Answered(of_jobs.cancel)
    forget = Answered(of_jobs.forget)
    refine = Answered(of_jobs.refine)
    partial = Answered(of_jobs.partial)

    result = Answered(of_results.result)
    result_bytes = Answered(of_results.result_bytes)
    figure = Answered(of_results.figure)
    explain = Answered(of_results.explain)

    explain_many = Streamed(of_many.explain_many)

    compare = Answered(of_comparisons.compare)
    submit_comparison = Answered(of_comparisons.submit_comparison)
    comparison = Answered(of_comparisons.comparison)
    comparison_result = Answered(of_comparisons.comparison_result)
    cancel_comparison = Answered(of_comparisons.cancel_comparison)
    forget_comparison = Answered(of_comparisons.forget_comparison)

    create_file = Answered(of_files.create_file)
    files = Streamed(of_files.files)
    file = Answered(of_files.file)
    file_content = Streamed(of_files.file_content)
    file_lines = Streamed(of_files.file_lines)
    delete_file = Answered(of_files.delete_file)

    submit_batch = Answered(of_batches.submit_batch)
    create_batch = Answered(of_batches.create_batch)
    batch = Answered(of_batches.batch)
    batches = Streamed(of_batches.batches)
    cancel_batch = Answered(of_batches.cancel_batch)
    wait_for_batch = Answered(of_batches.wait_for_batch)
    batch_results = Streamed(of_batches.batch_results)
    batch_summary = Answered(of_batches.batch_summary)

    events = Streamed(of_events.events)

    add_webhook = Answered(of_webhooks.add_webhook)
    webhooks = Answered(of_webhooks.webhooks)
    webhook = Answered(of_webhooks.webhook)
    remove_webhook = Answered(of_webhooks.remove_webhook)
    rotate_webhook_secret = Answered(of_webhooks.rotate_webhook_secret)
    ping_webhook = Answered(of_webhooks.ping_webhook)
    webhook_deliveries = Answered(of_webhooks.webhook_deliveries)

    store_background = Answered(of_backgrounds.store_background)
    backgrounds = Answered(of_backgrounds.backgrounds)
    background = Answered(of_backgrounds.background)
    forget_background = Answered(of_backgrounds.forget_background)

    models = Answered(of_catalogue.models)
    model = Answered(of_catalogue.model)
    layers = Answered(of_catalogue.layers)
    add_model = Answered(of_catalogue.add_model)
    methods = Answered(of_catalogue.methods)
    method = Answered(of_catalogue.method)
    quality_checks = Answered(of_catalogue.quality_checks)

    alive = Answered(of_health.alive)
    ready = Answered(of_health.ready)
    metrics = Answered(of_health.metrics)

    explain_v1 = Answered(of_protocols.explain_v1)
    predict_v1 = Answered(of_protocols.predict_v1)
    alive_v1 = Answered(of_protocols.alive_v1)
    server_v2 = Answered(of_protocols.server_v2)
    live_v2 = Answered(of_protocols.live_v2)
    ready_v2 = Answered(of_protocols.ready_v2)
    model_v2 = Answered(of_protocols.model_v2)
    model_ready_v2 = Answered(of_protocols.model_ready_v2)
    infer_v2 = Answered(of_protocols.infer_v2)
    explain_torchserve = Answered(of_protocols.explain_torchserve)
