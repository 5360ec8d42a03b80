"""`kserve.InferenceRESTClient`, as it comes: V1 explain and predict, V2 infer in JSON and in bytes, liveness and readiness."""

from __future__ import annotations

import asyncio
import importlib.metadata
import sys

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from native import ASKED, ROWS, attributions, native


async def v1(url: str) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v1", timeout=60))
    assert await client.is_server_live(url)
    assert await client.is_model_ready(url, "table")
    body = {"instances": ROWS, "parameters": ASKED}
    answer = await client.explain(url, "table", body, headers={"Authorization": "Bearer secret"})
    wanted = native(url)
    for given, row in zip(answer["explanations"], wanted):
        (attribution,) = given["attributions"]
        assert attribution["featureAttributions"]["input"] == row["attributions"][0]["data"]
        assert attribution["instanceOutputValue"] == row["instance_output"]
        assert attribution["baselineOutputValue"] == row["baseline_output"]
    predicted = await client.infer(url, {"instances": ROWS}, model_name="table")
    np.testing.assert_allclose(predicted["predictions"], [[row["instance_output"]] for row in wanted], rtol=1e-5)
    try:
        await client.explain(url, "nowhere", body)
    except httpx.HTTPStatusError as error:
        assert error.response.status_code == 404
        assert "no model of that name" in error.response.json()["error"]
    else:
        raise AssertionError("an unknown model was explained")


async def v2(url: str) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, "table.explain")
    wanted = native(url)
    for name in ("table", "table.explain"):
        for binary in (False, True):
            tensor = InferInput("input", [2, 4], "FP32")
            tensor.set_data_from_numpy(np.array(ROWS, np.float32), binary_data=binary)
            request = InferRequest(name, [tensor], request_id="a-1", parameters={**ASKED, "binary_data_output": binary})
            answer = await client.infer(url, request, model_name=name)
            assert (answer.id, answer.model_name) == ("a-1", name)
            found = {output.name: output.as_numpy() for output in answer.outputs}
            np.testing.assert_array_equal(found["attributions"], np.array(attributions(wanted), np.float32))
            for figure in ("instance_output", "baseline_output"):
                np.testing.assert_array_equal(found[figure], [row[figure] for row in wanted])
            gaps = [row["quality"]["completeness_gap"] for row in wanted]
            np.testing.assert_array_equal(found["completeness_gap"], gaps)


if __name__ == "__main__":
    asyncio.run(v1(sys.argv[1]))
    asyncio.run(v2(sys.argv[1]))
    print(f"kserve {importlib.metadata.version('kserve')}: V1 explain and predict, V2 infer in JSON and in bytes")
