"""`tritonclient.http`, as it comes: JSON and bytes, with and without a version, metadata, readiness, errors."""

from __future__ import annotations

import importlib.metadata
import itertools
import sys
from urllib.parse import urlsplit

import numpy as np
import tritonclient.http as triton
from native import ASKED, ROWS, attributions, native
from tritonclient.utils import InferenceServerException


def main(url: str) -> None:
    client = triton.InferenceServerClient(urlsplit(url).netloc, network_timeout=60)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    wanted = native(url)
    for model, version in itertools.product(("table", "table.explain"), ("", "1")):
        assert client.is_model_ready(model, version)
        assert client.get_model_metadata(model, version)["inputs"][0]["shape"] == [-1, 4]
        for sent, back in itertools.product((False, True), (None, False, True)):
            tensor = triton.InferInput("input", [2, 4], "FP32")
            tensor.set_data_from_numpy(np.array(ROWS, np.float32), binary_data=sent)
            names = ("attributions", "instance_output", "baseline_output", "completeness_gap")
            outputs = None if back is None else [triton.InferRequestedOutput(name, binary_data=back) for name in names]
            answer = client.infer(model, [tensor], version, outputs=outputs, request_id="t-1", parameters=ASKED)
            assert answer.get_response()["id"] == "t-1"
            np.testing.assert_array_equal(answer.as_numpy("attributions"), np.array(attributions(wanted), np.float32))
            for figure in ("instance_output", "baseline_output"):
                np.testing.assert_array_equal(answer.as_numpy(figure), [row[figure] for row in wanted])
            gaps = [row["quality"]["completeness_gap"] for row in wanted]
            np.testing.assert_array_equal(answer.as_numpy("completeness_gap"), gaps)
    tensor = triton.InferInput("input", [2, 4], "FP32")
    tensor.set_data_from_numpy(np.array(ROWS, np.float32))
    plain = client.infer("table", [tensor]).as_numpy("score")
    np.testing.assert_allclose(plain, [[row["instance_output"]] for row in wanted], rtol=1e-5)
    try:
        client.infer("nowhere", [tensor])
    except InferenceServerException as error:
        assert error.status() == "404"
        assert "no model of that name" in error.message()
    else:
        raise AssertionError("an unknown model answered")


if __name__ == "__main__":
    main(sys.argv[1])
    print(f"tritonclient {importlib.metadata.version('tritonclient')}: infer in JSON and in bytes, with and without a version")
