"""A model in a request: its files, read whole and bounded, put into the repository."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Request
from werkzeug.exceptions import LengthRequired

from explainery.adding.assemble import Assembled, assemble
from explainery.adding.place import Placed, put
from explainery.contract.errors import ModelRefused, PayloadTooLarge, RequestRefused, UnsupportedMediaType, UploadsOff
from explainery.settings import Settings
from service.faults import fault

CODE_FORMATS = ("pt2", "torchscript")


def add_model(request: Request, settings: Settings) -> tuple[Placed, Assembled]:
    """Add the model that a multipart body brings.

    Raises UploadsOff, PayloadTooLarge, UnsupportedMediaType, VersionExists, and RequestRefused for what cannot be used.
    """
    _check_allowed(request, settings)
    _check_body(request, settings)
    name, version = request.form.get("name", ""), _version(request.form.get("version"))
    if not name:
        raise fault(RequestRefused, "name", "is missing: the model's name")
    files = {file.filename or "": file.read() for file in request.files.getlist("file")}
    if not files:
        raise fault(RequestRefused, "file", "is missing: the model's file, and beside it a card.toml or a sample.npz")
    made = assemble(name, files, factory=request.form.get("factory"), source="POST /v1/models")
    _check_complete(made, settings)
    return put(settings.models_url, name, version, made.files), made


def _check_allowed(request: Request, settings: Settings) -> None:
    if not settings.model_uploads:
        raise UploadsOff("Models are not taken over the API; an operator turns that on with EXPLAINERY_MODEL_UPLOADS=1.")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise UploadsOff("Models are not taken from pages of other sites.")  # a form can be sent there by any page


def _check_body(request: Request, settings: Settings) -> None:
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send multipart/form-data: a field name, and each file as a part called file.")
    if request.content_length is None:
        raise LengthRequired  # a body without a length would be cut off at the limit in silence
    limit = settings.max_upload_bytes
    if request.content_length > limit:
        raise PayloadTooLarge(f"The body is larger than {limit} bytes; see EXPLAINERY_MAX_UPLOAD_BYTES.", limit)
    request.max_content_length = limit


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or str(int(text[:18])) != text:
        raise fault(RequestRefused, "version", "must be a whole number")
    return int(text)


def _check_complete(made: Assembled, settings: Settings) -> None:
    """Over the API a card cannot be mended afterwards, so it must be whole; and only formats of files are taken."""
    if made.card is None:
        faults = [{"loc": "card.toml", "msg": each} for each in made.left]
        raise ModelRefused(
            "The file alone does not make a card; send a card.toml with it. What is missing: see errors.", faults
        )
    if made.card.format in CODE_FORMATS and not settings.allow_code_formats:
        raise ModelRefused(f"Files of format {made.card.format} can run code when they are opened, and are not taken.")
