"""The receiver of docs/webhooks.md receives, from a real service whose webhook was added as the page says."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import repos
from blocks import blocks
from serving import run_block, serving
from targets import until

from explainery import Client
from explainery.supervisor.ports import free_port

PAGE = (Path(__file__).parents[1] / "docs" / "webhooks.md").read_text(encoding="utf-8")


@pytest.mark.timeout(240)
def test_the_receiver_of_the_page_receives(tmp_path: Path):
    port = free_port()
    add, receive = [block.code.replace("9000", str(port)) for block in blocks(PAGE) if block.runs]
    repos.add_stub(tmp_path / "models", "linear", 3, weights=[1.0, 2.0, 3.0])
    with serving(tmp_path / "home", tmp_path / "models", EXPLAINERY_WEBHOOK_ALLOWED=f"127.0.0.1:{port}") as url:
        run_block("bash", add, url, tmp_path)
        command = [sys.executable, "-c", receive]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as receiver:
            heard: list[str] = []
            listening = threading.Thread(target=lambda: heard.extend(receiver.stdout or ()))
            listening.start()
            try:
                with Client(url) as client:
                    (webhook,) = client.webhooks()
                    client.ping_webhook(webhook["id"])  # tried again until the receiver has started
                    job = client.submit("linear", [[1.0, 2.0, 3.0]], "exact_shapley", wait_s=60)
                    until(lambda: len(client.webhook_deliveries(webhook["id"])) == 2)
                    until(lambda: {each["status"] for each in client.webhook_deliveries(webhook["id"])} == {"delivered"})
            finally:
                receiver.terminate()
                listening.join()
    assert sorted(line.strip() for line in heard) == [f"explanation.succeeded {job.id}", f"webhook.ping {webhook['id']}"]
