"""Which errors each operation of the API may answer with: what `/openapi.json` says, and the fuzz run checks.

`problems.py` says which error has which status; here it is by route. Those of `EVERYWHERE` may come from every route: the
server itself cannot read the request, Redis is away, or the fault is ours.
"""

from __future__ import annotations

EVERYWHERE = (400, 414, 431, 500, 503)

CALLERS = (401, 403, 429)
"""From every route that asks who it is, where EXPLAINERY_AUTH is on."""

READS = (406,)
READS_ONE = (404, 406)
READS_JOB = (404, 406, 410)
BODY = (400, 406, 413, 415, 422)
COMPUTES = (*BODY, 404, 409, 410, 504)
"""A synchronous protocol: what may become of a job is its answer."""

STATUSES: dict[str, tuple[int, ...]] = {
    "submit_explanation": BODY,
    "estimate_explanation": BODY,
    "list_explanations": (*READS, 422),
    "get_explanation": READS_JOB,
    "cancel_explanation": (*READS_JOB, 409),
    "forget_explanation": (404, 410),
    "refine_explanation": (*BODY, *READS_JOB, 409),
    "get_partial": (*READS_JOB, 409),
    "get_result": (*READS_JOB, 409),
    "get_figure": (*READS_JOB, 409, 422, 501),
    "stream_explanation_events": (*READS_JOB, 422),
    "stream_events": (*READS, 422),
    "submit_comparison": BODY,
    "get_comparison": READS_JOB,
    "get_comparison_result": (*READS_JOB, 409),
    "cancel_comparison": (*READS_JOB, 409),
    "forget_comparison": (404, 410),
    "store_background": BODY,
    "list_backgrounds": (*READS, 422),
    "get_background": (*READS_ONE, 422),
    "forget_background": (404, 422),
    "add_webhook": (*BODY, 409),
    "list_webhooks": (*READS, 422),
    "get_webhook": (*READS_ONE, 422),
    "remove_webhook": (404, 422),
    "list_deliveries": (*READS_ONE, 422),
    "rotate_webhook_secret": (*BODY, 404),
    "ping_webhook": (*READS_ONE, 422),
    "upload_file": (*BODY, 409, 411),
    "list_files": (*READS, 422),
    "get_file": (*READS_ONE, 422),
    "get_file_content": (404, 416, 422),
    "delete_file": (*READS_ONE, 409, 422),
    "create_batch": (*BODY, 404, 409),
    "list_batches": (*READS, 422),
    "get_batch": (*READS_ONE, 422),
    "cancel_batch": (*READS_ONE, 409, 422),
    "summarise_batch": (*READS_ONE, 422),
    "list_models": READS,
    "add_model": (*BODY, 403, 409, 411),
    "get_model": READS_ONE,
    "get_layers": (*READS_ONE, 422),
    "list_methods": READS,
    "get_method": READS_ONE,
    "list_quality_checks": READS,
    "get_liveness_v1": (),
    "explain_v1": COMPUTES,
    "predict_v1": COMPUTES,
    "get_server_v2": READS,
    "get_live_v2": (),
    "get_ready_v2": (),
    "get_model_v2": READS_ONE,
    "get_model_ready_v2": READS_ONE,
    "infer_v2": COMPUTES,
    "explain_torchserve": COMPUTES,
    "get_health": (),
    "get_readiness": (),
    "get_metrics": (),
}
"""Operation -> statuses of errors, beside those that come everywhere."""

PHRASES = {
    400: "The request cannot be understood: it is not JSON, or a header is malformed.",
    401: "Nobody is known who calls: send an API key, or a token.",
    403: "The caller's role does not allow it, or it is switched off.",
    404: "There is no such thing, or there never was.",
    406: "None of the media types of `Accept` can be given.",
    409: "It cannot be done in the state that things are in.",
    410: "It was there, and is forgotten.",
    411: "The body needs a Content-Length.",
    413: "Too large; `limit` says how large it may be.",
    414: "The address is too long.",
    415: "The media type of the body is not one that is understood.",
    416: "The range begins behind the end; `Content-Range` says how much there is.",
    422: "It cannot be computed, or a value is wrong; `errors` says which.",
    429: "More than the tenant may; `Retry-After` says when to come back.",
    431: "The headers are too large, or too many.",
    500: "A fault of ours, or of the model.",
    501: "What does it is not installed where the service runs.",
    503: "It passes by itself; try again after `Retry-After`.",
    504: "It takes longer than may be waited; the job goes on, `job` is its address.",
}


def refusals(operation: str) -> tuple[int, ...] | None:
    """The statuses of an operation's errors, in order; None for one that nobody has listed."""
    listed = STATUSES.get(operation)
    return None if listed is None else tuple(sorted({*listed, *EVERYWHERE}))
