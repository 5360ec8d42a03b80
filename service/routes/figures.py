"""Figures of a result: drawn on demand, as SVG, PNG, a page or JSON."""

from __future__ import annotations

from typing import Annotated, Any

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field

from explainery.contract.errors import CatalogueUnavailable, JobNotFinished, RequestRefused, UnknownFigure
from explainery.contract.model_card import ModelCard
from explainery.contract.tensors import given_rows, result_document
from service.answers import accepted
from service.figures import encoded
from service.openapi.answers import figure_answers
from service.parts import Parts, parts
from service.problems import result_missing
from service.routes.explanations import known_id
from service.validation import validated

blueprint = APIBlueprint("figures", __name__, url_prefix="/v1/explanations", tag="explanations")

FORMS = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "json": "application/json",
    "html": "text/html; charset=utf-8",
}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What was drawn may run and load nothing."""


class FigureQuery(BaseModel):
    """Of what to draw a figure."""

    model_config = ConfigDict(extra="forbid")

    row: Annotated[int, Field(ge=0)] = 0
    input: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    layer: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    head: Annotated[int, Field(ge=0)] | None = None


@blueprint.get("/<job_id>/figures/<kind>.<form>")
@blueprint.doc(operation_id="get_figure", responses=figure_answers(FORMS))
def get_figure(job_id: str, kind: str, form: str) -> Response:
    """Get a picture of one row of the result of a job that succeeded, "auto" being the kind that says most."""
    if form not in FORMS:
        raise UnknownFigure(f"There is no such form of a figure; ask for one of: {', '.join(f'.{name}' for name in FORMS)}")
    accepted(FORMS[form].partition(";")[0])
    context, query = parts(), _query()
    try:
        stored = context.jobs.result(known_id(job_id))
    except JobNotFinished as error:
        return result_missing(error, context.jobs.get(job_id))

    def draw() -> bytes:
        return encoded(_figure(context, job_id, stored, kind, query), form)

    content = context.drawings.drawn((job_id, kind, form, *query.model_dump().values()), draw)
    headers = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": POLICY}
    answer = Response(content, headers=headers, content_type=FORMS[form])
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def _query() -> FigureQuery:
    given: dict[str, Any] = dict(request.args)
    for name in ("row", "head"):
        if name in given:
            if not (given[name].isascii() and given[name].isdigit() and len(given[name]) < 10):
                message = "must be a whole number, 0 or more"
                raise RequestRefused(f"{name} {message}", [{"loc": name, "msg": message}])
            given[name] = int(given[name])
    return validated(FigureQuery, given)


def _figure(context: Parts, job_id: str, stored: bytes, kind: str, query: FigureQuery) -> Any:
    from explainery.figures.gallery import draw
    from explainery.figures.subject import read_subject

    document = result_document(stored)
    inputs = context.jobs.inputs(job_id)
    given = {} if inputs is None else given_rows(inputs, query.row)
    card, contributes = _offered(context, document)
    subject = read_subject(document, query.row, card, given, query.head, contributes=contributes)
    return draw(kind, subject.chosen(query.input, query.layer))


def _offered(context: Parts, document: dict[str, Any]) -> tuple[ModelCard | None, bool]:
    """The card of the very model that answered, and whether its method's numbers contribute; as long as workers offer them."""
    try:
        shelf = context.shelf()
    except CatalogueUnavailable:
        return None, True
    model, method = document["model"], shelf.methods.get(document["method"])
    entries = shelf.models.get(model["name"], [])
    card = next((entry.card for entry in entries if entry.digest == model["digest"]), None)
    return card, method is None or method.contributes
