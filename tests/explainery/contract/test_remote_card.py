"""The [remote] table: what it must say, and what must never be in it."""

from __future__ import annotations

from typing import Any

import pytest
import repos

from explainery.contract.errors import CardInvalid
from explainery.contract.model_card import ModelCard, parse_card
from explainery.contract.remote_card import RemoteSpec

FOUR = repos.tensor_input("input", [4])


def card(inputs: str = FOUR, file_format: str = "remote", more: str = "", **remote: Any) -> ModelCard:
    table = {"url": "https://models.test", "model": "m", **remote}
    lines = "\n".join(f"{key} = {repos.toml(value)}" for key, value in table.items())
    return parse_card(f'title = "m"\nformat = "{file_format}"\n{more}{inputs}{repos.output(1)}[remote]\n{lines}\n')


def spec(**remote: Any) -> RemoteSpec:
    found = card(**remote).remote
    assert found is not None
    return found


def test_the_addresses_of_a_model():
    assert spec().path == "v2/models/m"
    assert spec(version="3").path == "v2/models/m/versions/3"
    assert spec(protocol="v1", model="a/b?").path == "v1/models/a%2Fb%3F"
    assert spec(url="https://Models.Test:8443/at/").address("v2/models/m") == "https://Models.Test:8443/at/v2/models/m"
    assert (spec(url="https://Models.Test.").host, spec().port, spec(url="http://models.test").port) == ("models.test", 443, 80)
    assert (spec(url="http://[::1]:8000").host, spec(url="http://[::1]:8000").port) == ("::1", 8000)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no scheme": ({"url": "models.test"}, "url must be"),
    "another scheme": ({"url": "file:///etc/passwd"}, "url must be"),
    "no host": ({"url": "http://"}, "url must be"),
    "port 0": ({"url": "http://models.test:0"}, "url must be"),
    "a port too large": ({"url": "http://models.test:70000"}, "url must be"),
    "a user": ({"url": "http://me:hunter2@models.test"}, "user or password"),
    "a query": ({"url": "http://models.test/?key=hunter2"}, "query"),
    "a fragment": ({"url": "http://models.test/#hunter2"}, "query"),
    "a line break": ({"url": "http://models.test/\nhunter2"}, "plain ASCII"),
    "not ASCII": ({"url": "http://mödels.test"}, "plain ASCII"),
    "binary by v1": ({"protocol": "v1", "binary": True}, "v2"),
    "another protocol": ({"protocol": "grpc"}, "remote.protocol"),
    "no model": ({"model": ""}, "remote.model"),
    "no batch": ({"batch": 0}, "remote.batch"),
    "no time": ({"timeout_s": 0}, "remote.timeout_s"),
    "an unknown key": ({"hedaers": {}}, "remote.hedaers"),
    "a secret itself": ({"headers": {"Authorization": "Bearer hunter2"}}, "never the value itself"),
    "any variable": ({"headers": {"Authorization": "EXPLAINERY_REDIS_URL"}}, "EXPLAINERY_SECRET_"),
    "a variable that goes on": ({"headers": {"X": "EXPLAINERY_SECRET_A\nB"}}, "EXPLAINERY_SECRET_"),
    "a header of the protocol": ({"headers": {"content-length": "EXPLAINERY_SECRET_A"}}, "sets itself"),
    "no header's name": ({"headers": {"X Y": "EXPLAINERY_SECRET_A"}}, "sets itself"),
    "FP16 in JSON": ({"inputs": repos.tensor_input("input", [4], "FP16")}, "binary = true"),
    "a file": ({"more": 'file = "m.onnx"\n'}, "has no file"),
    "another format": ({"file_format": "stub"}, "no other format"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_a_card_may_not_say(fault: str):
    """The message says where, and repeats nothing that may be a secret."""
    remote, advice = WRONG[fault]
    with pytest.raises(CardInvalid) as error:
        card(**remote)
    assert advice in error.value.detail
    assert "hunter2" not in error.value.detail + str(error.value.errors)


def test_a_remote_card_needs_the_table():
    with pytest.raises(CardInvalid, match="needs a table"):
        parse_card(f'title = "m"\nformat = "remote"\n{repos.tensor_input("input", [4])}{repos.output(1)}')


def test_fp16_travels_as_bytes():
    assert spec(inputs=repos.tensor_input("input", [4], "FP16"), binary=True).binary
