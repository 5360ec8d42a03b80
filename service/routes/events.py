"""Event streams: of one job, or of all of a tenant's."""

from __future__ import annotations

from collections.abc import Callable
from socket import socket

from apiflask import APIBlueprint
from flask import Response, request

from explainery.contract.errors import StoreUnavailable
from explainery.contract.job import Job
from explainery.store.events import Place
from explainery.store.hub import Listener
from service.answers import accepted
from service.caller import shown_now
from service.openapi.answers import stream_answers
from service.parts import Parts, parts
from service.routes.explanations import known_id
from service.streaming import MEDIA_TYPE, Stream, has_left, impatient, start_of
from service.tenant import tenant_now

blueprint = APIBlueprint("events", __name__, url_prefix="/v1", tag="events")

RESUMES = "Last-Event-ID"


@blueprint.get("/explanations/<job_id>/events")
@blueprint.doc(operation_id="stream_explanation_events", responses=stream_answers())
def job_events(job_id: str) -> Response:
    """Stream a job's changes as server-sent events, from how it stands now until it has ended.

    With `Last-Event-ID` the stream goes on behind that event; 204 when the job has ended and nothing came after it.
    """
    accepted(MEDIA_TYPE)
    context = parts()
    job = context.jobs.get(known_id(job_id))
    last = request.headers.get(RESUMES)
    listener = context.hub.listen(job.tenant, job.id, _gone())
    try:
        place = start_of(context.events, job.tenant, last)
        job = context.jobs.get(job_id)  # once more: from here on nothing is missed
        if last is not None and job.status.ended and not _tells(context, job, place):
            context.hub.leave(listener)
            return Response(status=204)
        return _streaming(context, listener, place, fresh=last is None)
    except BaseException:
        context.hub.leave(listener)
        raise


@blueprint.get("/events")
@blueprint.doc(operation_id="stream_events", responses=stream_answers())
def tenant_events() -> Response:
    """Stream the changes of all of a tenant's jobs as server-sent events, from now on or behind `Last-Event-ID`."""
    accepted(MEDIA_TYPE)
    context = parts()
    tenant = tenant_now()
    last = request.headers.get(RESUMES)
    listener = context.hub.listen(tenant, gone=_gone())
    try:
        return _streaming(context, listener, start_of(context.events, tenant, last), fresh=last is None)
    except BaseException:
        context.hub.leave(listener)
        raise


def _gone() -> Callable[[], bool]:
    """Says whether the client has left, or what it was let in with opens nothing any more."""
    connection: socket | None = request.environ.get("gunicorn.socket")
    passes, shown = parts().passes, shown_now()

    def gone() -> bool:
        try:
            return has_left(connection) or not passes.good(shown)
        except StoreUnavailable:  # then there is nothing to tell it either
            return False

    return gone


def _tells(context: Parts, job: Job, place: Place) -> bool:
    """Whether there is anything about a job behind a place: a stream that had nothing to tell of its end would never end."""
    while True:
        stretch = context.events.after(job.tenant, place)
        if stretch.lost or any(event.job == job.id for event in stretch.events):
            return True
        if not stretch.more:
            return False
        place = stretch.end


def _streaming(context: Parts, listener: Listener, place: Place, *, fresh: bool) -> Response:
    heartbeat_s, root = context.settings.events_heartbeat_s, request.script_root
    stream = Stream(context.events, context.jobs, listener, place, fresh, heartbeat_s, root)
    impatient(request.environ.get("gunicorn.socket"))
    # a proxy must neither keep nor collect it, and the connection is of no use to anybody afterwards
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Connection": "close"}
    answer = Response(stream.texts(), headers=headers, content_type=MEDIA_TYPE)
    answer.call_on_close(lambda: context.hub.leave(listener))
    return answer
