"""Schemas of what the synchronous protocols take and give: KServe V1, Open Inference V2, TorchServe."""

from __future__ import annotations

from service.openapi.words import FREE, NUMBER, NUMBER_OR_NULL, TEXT, TEXT_OR_NULL, TRUTH, WHOLE, Schema, array, ref, structure

ROWS = array({})
ATTRIBUTION = structure(
    {
        "baselineOutputValue": NUMBER,
        "instanceOutputValue": NUMBER,
        "featureAttributions": FREE,
        "outputIndex": array(WHOLE),
        "outputDisplayName": TEXT_OR_NULL,
        "approximationError": NUMBER_OR_NULL,
        "outputName": TEXT,
        "featureNames": FREE,
    }
)
"""As Vertex AI has it."""
EXPLANATION = structure({"attributions": array(ATTRIBUTION), "quality": ref("Quality"), "reasons": array(FREE)})
PREDICTIONS = {"predictions": ROWS, "deployedModelId": TEXT}
V1: dict[str, Schema] = {
    "V1Request": structure(
        {
            "instances": ROWS,
            "inputs": {"type": ["array", "object"]},
            "parameters": {"type": "object", "description": "Fields of JobRequest, and the method's own parameters."},
            "explanation_spec_override": {"type": "object", "description": "As Vertex AI has it."},
        }
    ),
    "V1Explanations": structure({**PREDICTIONS, "explanations": array(EXPLANATION)}),
    "V1Predictions": structure(PREDICTIONS),
}
TENSORS = array(structure({"name": TEXT, "datatype": TEXT, "shape": array(WHOLE), "data": ROWS, "parameters": FREE}))
BOTH = {"inputs": TENSORS, "outputs": TENSORS}
V2: dict[str, Schema] = {
    "V2Server": structure({"name": TEXT, "version": TEXT, "extensions": array(TEXT)}),
    "V2Health": structure({"live": TRUTH, "ready": TRUTH}),
    "V2Ready": structure({"name": TEXT, "ready": TRUTH}),
    "V2Model": structure({"name": TEXT, "versions": array(TEXT), "platform": TEXT, **BOTH}),
    "V2Request": structure({"id": TEXT, "parameters": FREE, **BOTH}),
    "V2Answer": structure({"model_name": TEXT, "model_version": TEXT, "id": TEXT, "parameters": FREE, "outputs": TENSORS}),
}
TORCHSERVE: dict[str, Schema] = {
    "TorchServeRow": {"description": 'A row, as the model takes it; or {"data": row, "target": index}.'},
    "TorchServeAttributions": {"description": "Attributions shaped like the row."},
}
PROTOCOLS = V1 | V2 | TORCHSERVE
