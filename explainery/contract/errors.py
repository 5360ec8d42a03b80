"""Everything that can go wrong, as one tree: a class per cause, with a stable `code` and whether trying again helps.

No HTTP here: which status a cause becomes is known by `service/problems.py` alone. A detail says what to do about it and
never repeats an input value, because details reach logs and clients.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ExplaineryError(Exception):
    """Base of the tree. `code` is stable and part of the wire; `detail` is for people."""

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class SettingsInvalid(ExplaineryError):
    """One or more settings cannot be used; the detail lists all of them."""

    code = "settings_invalid"


# --- the request, refused at the door ---------------------------------------------------------------------------------


class RequestRefused(ExplaineryError):
    """A request that cannot become a job. `errors` points at each fault: `{"loc": "inputs.0.shape", "msg": "..."}`."""

    code = "invalid_request"

    def __init__(self, detail: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.errors = errors or []


class MalformedBody(RequestRefused):
    """The body is not the JSON it claims to be."""

    code = "malformed_body"


class UnsupportedMediaType(RequestRefused):
    """The body's media type is not one that is understood."""

    code = "unsupported_media_type"


class NotAcceptable(RequestRefused):
    """None of the media types the client accepts can be produced."""

    code = "not_acceptable"


class PayloadTooLarge(RequestRefused):
    """The body, or the rows in it, exceed a limit. `limit` is that limit, in `unit`."""

    code = "payload_too_large"

    def __init__(self, detail: str, limit: int, unit: str = "bytes") -> None:
        super().__init__(detail)
        self.limit = limit
        self.unit = unit


class InvalidIdempotencyKey(RequestRefused):
    """The Idempotency-Key is not one that can be kept."""

    code = "invalid_idempotency_key"


class IdempotencyKeyReused(RequestRefused):
    """The Idempotency-Key was used before, for another request."""

    code = "idempotency_key_reused"


class UnknownModel(RequestRefused):
    """No live or remembered worker offers a model of that name."""

    code = "unknown_model"


class UnknownModelVersion(RequestRefused):
    """The model exists, that version does not."""

    code = "unknown_model_version"


class UnknownMethod(RequestRefused):
    """No worker offers a method of that name."""

    code = "unknown_method"


class UnknownCheck(RequestRefused):
    """No worker offers a quality check of that name."""

    code = "unknown_check"


class CheckUnavailable(RequestRefused):
    """The check needs something this model or method does not have; the detail says what."""

    code = "check_unavailable"


class InvalidParameter(RequestRefused):
    """A parameter is unknown, of the wrong type or out of range."""

    code = "invalid_parameter"


class InvalidInput(RequestRefused):
    """An input has the wrong name, datatype, rank or shape."""

    code = "invalid_input"


class InputNotFinite(RequestRefused):
    """An input holds NaN or infinity."""

    code = "input_not_finite"


class InvalidTarget(RequestRefused):
    """The target is out of range, an unknown label, or missing where one is needed."""

    code = "invalid_target"


class InvalidBaseline(RequestRefused):
    """The baseline does not fit the model."""

    code = "invalid_baseline"


class MethodUnavailable(RequestRefused):
    """The method asks something this model cannot answer; the detail says what, and names methods that work."""

    code = "method_unavailable"


class OverBudget(RequestRefused):
    """A job needs more evaluations than its budget or the operator allows, or more time than it has; with its estimate."""

    code = "over_budget"

    def __init__(self, detail: str, estimate: dict[str, Any], loc: str = "budget") -> None:
        super().__init__(detail, [{"loc": loc, "msg": detail}])
        self.estimate = estimate


class TooManyFeatures(RequestRefused):
    """The method is exponential in the number of players and there are too many of them."""

    code = "too_many_features"


class UnknownLayer(RequestRefused):
    """The model has no layer of that name, or none of the kind that the method needs; the detail lists near names."""

    code = "unknown_layer"


class AmbiguousLayer(RequestRefused):
    """The layer is called several times in one pass: the detail lists the names of its calls."""

    code = "ambiguous_layer"


class NoSpatialMap(RequestRefused):
    """The layer's output has no spatial map, so there is no picture of it to draw."""

    code = "no_spatial_map"


class NoAttention(RequestRefused):
    """The layer, or the whole model, computes no attention weights."""

    code = "no_attention"


class ConceptSetTooSmall(RequestRefused):
    """A set of examples is too small to learn a direction from it."""

    code = "concept_set_too_small"


class ModelNotUsable(RequestRefused):
    """The model is known but its card or file is broken; the detail says where."""

    code = "model_not_usable"


class ModelQuarantined(RequestRefused):
    """Workers kept dying of the model, so nothing is computed with it until an operator lifts the quarantine."""

    code = "model_quarantined"


class ModelRefused(RequestRefused):
    """A model file that cannot be added: not what it says it is, or not of a kind that is taken."""

    code = "model_refused"


class NotRefinable(RequestRefused):
    """The job's method does not sample, or nothing more is asked of it."""

    code = "not_refinable"


class UnknownFigure(RequestRefused):
    """There is no kind of figure of that name, or no form of it; the detail lists what there is."""

    code = "unknown_figure"


class FigureUnfit(RequestRefused):
    """The result has nothing that this kind of figure shows; the detail lists the kinds that fit."""

    code = "figure_unfit"


# --- the service's own state ------------------------------------------------------------------------------------------


class QueueFull(ExplaineryError):
    """As much waits as may wait. `retry_after_s`: when there may be room, from how fast the queue empties."""

    code = "queue_full"
    retryable = True

    def __init__(self, detail: str, retry_after_s: int = 2) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class QuotaExceeded(ExplaineryError):
    """A tenant has used up what it may use. `policy`: the quota's name; `retry_after_s`: when it may be asked again."""

    code = "quota_exceeded"
    retryable = True

    def __init__(self, detail: str, policy: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.policy = policy
        self.retry_after_s = retry_after_s


class Unauthenticated(ExplaineryError):
    """Nobody is named, or the key or token that names somebody is not good (any more)."""

    code = "unauthenticated"

    def __init__(self, detail: str, *, given: bool) -> None:
        super().__init__(detail)
        self.given = given


class Forbidden(ExplaineryError):
    """The caller is known, and may not do this."""

    code = "forbidden"


class IdentityProviderUnavailable(ExplaineryError):
    """The keys that tokens are checked with cannot be fetched, so no token can be checked."""

    code = "identity_provider_unavailable"
    retryable = True


class KeyNotFound(ExplaineryError):
    """There is no API key of that id."""

    code = "key_not_found"


class FiguresUnavailable(ExplaineryError):
    """What draws figures is not installed where the service runs."""

    code = "figures_unavailable"


class DrawingBusy(ExplaineryError):
    """As many figures are being drawn as may be at once."""

    code = "drawing_busy"
    retryable = True


class TooManyStreams(ExplaineryError):
    """As many event streams are open as may be."""

    code = "too_many_streams"
    retryable = True


class InvalidWebhook(RequestRefused):
    """A webhook that cannot be: its address is none that may be called, or its event types are none."""

    code = "invalid_webhook"


class WebhookNotFound(ExplaineryError):
    """There is no such webhook, or it is another tenant's."""

    code = "webhook_not_found"


class TooManyWebhooks(ExplaineryError):
    """The tenant has as many webhooks as it may have, or a webhook as many deliveries that wait."""

    code = "too_many_webhooks"


class FileNotFound(ExplaineryError):
    """There is no such file, or no longer, or it is another tenant's."""

    code = "file_not_found"


class RangeNotSatisfiable(ExplaineryError):
    """A range of a file begins behind its end. `size`: how many bytes it has."""

    code = "range_not_satisfiable"

    def __init__(self, detail: str, size: int) -> None:
        super().__init__(detail)
        self.size = size


class FileInUse(ExplaineryError):
    """A batch that has not ended reads the file."""

    code = "file_in_use"


class InvalidFile(RequestRefused):
    """What was uploaded is no file that a batch can read."""

    code = "invalid_file"


class BatchNotFound(ExplaineryError):
    """There is no such batch, or no longer, or it is another tenant's."""

    code = "batch_not_found"


class BatchEnded(ExplaineryError):
    """The batch has ended already."""

    code = "batch_ended"


class StoreUnavailable(ExplaineryError):
    """Redis does not answer, or refuses writes."""

    code = "store_unavailable"
    retryable = True


class CatalogueUnavailable(ExplaineryError):
    """No worker has ever published what it offers, so nothing can be checked or admitted."""

    code = "catalogue_unavailable"
    retryable = True


class NoWorker(ExplaineryError):
    """No worker is alive: jobs are taken, and wait until there is one."""

    code = "no_worker"
    retryable = True


class LayersUnknown(ExplaineryError):
    """No worker has said yet which layers the model has."""

    code = "layers_unknown"
    retryable = True


# --- jobs -------------------------------------------------------------------------------------------------------------


class JobNotFound(ExplaineryError):
    """There has never been a job of that id."""

    code = "job_not_found"


class JobGone(ExplaineryError):
    """The job existed; its record has been deleted or has expired."""

    code = "job_gone"


class ComparisonNotFound(JobNotFound):
    """There has never been a comparison of that id."""

    code = "comparison_not_found"


class ComparisonGone(JobGone):
    """The comparison existed; it, or one of its jobs, has been deleted or has expired."""

    code = "comparison_gone"


class JobNotFinished(ExplaineryError):
    """The result was asked for before there is one. `state` is the job's state."""

    code = "job_not_finished"

    def __init__(self, detail: str, state: str) -> None:
        super().__init__(detail)
        self.state = state


class BackgroundNotFound(ExplaineryError):
    """The tenant has no background set of that id."""

    code = "background_not_found"


class NoEstimate(ExplaineryError):
    """A job has no running estimate: it has not begun, has ended, or its method gives none. `state` is the job's state."""

    code = "no_estimate"

    def __init__(self, detail: str, state: str) -> None:
        super().__init__(detail)
        self.state = state


class AnswersGone(ExplaineryError):
    """What the job's rows were answered is no longer kept, so it cannot be refined."""

    code = "answers_gone"


class JobEnded(ExplaineryError):
    """The job had already ended, so there is nothing to cancel. `state` is the job's state."""

    code = "job_ended"

    def __init__(self, detail: str, state: str) -> None:
        super().__init__(detail)
        self.state = state


class SyncLimitReached(ExplaineryError):
    """The job has not ended in the time that a synchronous protocol waits. It goes on; `job`: its address."""

    code = "sync_limit_reached"
    retryable = True

    def __init__(self, detail: str, job: str) -> None:
        super().__init__(detail)
        self.job = job


class JobNotSucceeded(ExplaineryError):
    """A synchronous protocol asked for an answer, and the job failed, was canceled or expired.

    `job`: its address; `state`: the job's state; `job_error`: why, as the job says it.
    """

    code = "job_not_succeeded"

    def __init__(self, detail: str, job: str, state: str, job_error: dict[str, object] | None) -> None:
        super().__init__(detail)
        self.job = job
        self.state = state
        self.job_error = job_error
        self.retryable = bool(job_error and job_error["retryable"])  # type: ignore[misc]  # the job's own


# --- the computation --------------------------------------------------------------------------------------------------


class ComputeError(ExplaineryError):
    """A job failed while it was being worked on."""

    code = "compute_failed"


class ModelChanged(ComputeError):
    """The model's files are no longer those the job was admitted against."""

    code = "model_changed"


class ModelUnloadable(ComputeError):
    """The model's file cannot be loaded."""

    code = "model_unloadable"


class ModelFailed(ComputeError):
    """The model raised while it was being called."""

    code = "model_failed"


class ModelOutputNotFinite(ComputeError):
    """The model answered NaN or infinity."""

    code = "model_output_not_finite"


class OperationWithoutRule(ComputeError):
    """The model computes something that the method has no rule for; the detail names the operation and its module."""

    code = "operation_without_rule"


class InputUndecodable(ComputeError):
    """An encoded input (an image, say) could not be decoded."""

    code = "input_undecodable"


class ResourceExhausted(ComputeError):
    """Not even the smallest chunk fits into memory; it may when other jobs have ended, or on another worker."""

    code = "resource_exhausted"
    retryable = True


class RemoteForbidden(ModelUnloadable):
    """The operator's list does not allow the address that the model is served at."""

    code = "remote_forbidden"


class RemoteUnavailable(ComputeError):
    """The server of a remote model cannot be reached, takes too long, is overloaded or broken.

    `retry_after_s`: how long it asked to be left alone.
    """

    code = "remote_unavailable"
    retryable = True

    def __init__(self, detail: str, retry_after_s: float = 0.0) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class RemoteRefused(ModelFailed):
    """The server of a remote model refuses what it is asked."""

    code = "remote_refused"


class RemoteAnswerInvalid(ModelFailed):
    """The server of a remote model answered with something that is not, or not all of, what it was asked for."""

    code = "remote_answer_invalid"


class DeadlineExceeded(ComputeError):
    """The job's deadline passed before it could finish."""

    code = "deadline_exceeded"


class CancelAfterPassed(ComputeError):
    """The client wanted the job canceled after a time, and that is over."""

    code = "cancel_after_passed"


class TimeLimitExceeded(ComputeError):
    """One attempt ran longer than a job may run."""

    code = "time_limit_exceeded"


class WorkerLost(ComputeError):
    """Workers died or went silent while working on the job, as often as is allowed; the job is in quarantine."""

    code = "worker_lost"


# --- model repositories -----------------------------------------------------------------------------------------------


class CardInvalid(ExplaineryError):
    """A model card cannot be used; `errors` says where and why."""

    code = "card_invalid"

    def __init__(self, detail: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.errors = errors or []


class VersionExists(ExplaineryError):
    """A model version of that number is there already; versions are never overwritten."""

    code = "version_exists"


class UploadsOff(ExplaineryError):
    """Models are not taken over the API: the operator has not turned that on, or the request comes from another site's page."""

    code = "uploads_off"
