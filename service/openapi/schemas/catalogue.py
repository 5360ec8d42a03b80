"""Schemas of what there is: methods, checks, models, layers; and whether the service is well."""

from __future__ import annotations

from service.openapi.words import FILE, TEXT, TRUTH, WHOLE, Schema, array, ref, structure

CATALOGUE: dict[str, Schema] = {
    "MethodList": structure({"methods": array(ref("MethodSpec"))}),
    "CheckList": structure({"checks": array(ref("CheckSpec"))}),
    "Model": structure({"name": TEXT, "versions": array(ref("ModelEntry")), "ready": TRUTH}),
    "ModelList": structure({"models": array(ref("Model"))}),
    "NewModel": structure({"name": TEXT, "version": TEXT, "factory": TEXT, "file": array(FILE)}, "name", "file"),
    "AddedModel": structure({"name": TEXT, "version": TEXT, "left": array(TEXT)}),
    "Layers": structure({**dict.fromkeys(("name", "version", "digest"), TEXT), "layers": array(ref("LayerSpec"))}),
    "Health": structure({"status": TEXT, "workers": WHOLE}),
}
