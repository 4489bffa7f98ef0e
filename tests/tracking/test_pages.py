from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from kdsearch.tracking.pages import ASKED
from kdsearch.tracking.pages import GIVEN
from kdsearch.tracking.pages import SEARCH
from kdsearch.tracking.pages import GenerousPages
from kdsearch.tracking.pages import Message
from kdsearch.tracking.pages import Receive
from kdsearch.tracking.pages import Scope
from kdsearch.tracking.pages import Send


def received(path: str, parts: list[bytes], method: str = "POST") -> tuple[bytes, Mapping[bytes, bytes]]:
    """What arrives behind the application of a request whose body comes in `parts`."""
    got: list[Any] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        got.extend([body, dict(scope["headers"])])

    async def send(message: Message) -> None:
        raise AssertionError

    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False

    async def receive() -> Message:
        return messages.pop(0)

    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(b"".join(parts))).encode())]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(GenerousPages(inner)(scope, receive, send))
    return got[0], got[1]


def test_a_pages_question_is_answered_generously() -> None:
    question = json.dumps({"experiment_ids": ["1"], "filter": "x", "max_results": ASKED}).encode()
    body, headers = received(SEARCH, [question[:7], question[7:]])
    assert json.loads(body) == {"experiment_ids": ["1"], "filter": "x", "max_results": GIVEN}
    assert headers == {b"content-type": b"application/json", b"content-length": str(len(body)).encode()}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SEARCH, b'{"max_results": 50}'),
        (SEARCH, b'{"max_results": 2000}'),
        (SEARCH, b"not json"),
        (SEARCH, b"[1]"),
        (SEARCH, b"\xff"),
        ("/api/2.0/mlflow/runs/search", b'{"max_results": 100}'),
        ("/ajax-api/2.0/mlflow/experiments/search", b'{"max_results": 100}'),
    ],
)
def test_everything_else_stays_as_it_is(path: str, body: bytes) -> None:
    assert received(path, [body])[0] == body
