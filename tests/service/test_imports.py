"""The API starts where no compute library can be imported."""

from __future__ import annotations

import subprocess
import sys

BLOCKED = ("torch", "onnx", "onnxruntime", "scipy", "PIL", "tokenizers", "sklearn", "workers")
PROGRAM = f"""
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ImportError(name + " must not be imported by the service")

sys.meta_path.insert(0, Refuse())
try:
    import torch
except ImportError:
    print("blocked")
import service.app
from explainery.settings import Settings
print(service.app.create_app(Settings(redis_url="redis://127.0.0.1:1")).test_client().get("/healthz").status_code)
"""


def test_the_service_needs_no_compute_library() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["blocked", "200"], done.stderr
