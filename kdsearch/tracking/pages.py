"""MLflow's pages get as many runs at once as a sweep has.

MLflow's runs page asks for a hundred runs, draws its charts from those it has got, and has no setting for more. With a
thousand trials that shows the best hundred, all of the largest sample count. So a page's first question is answered
more generously. Nothing else is changed, and only for pages: programs ask at another address.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SEARCH = "/ajax-api/2.0/mlflow/runs/search"
ASKED = 100
"""What the page asks for."""
GIVEN = 2000


class GenerousPages:
    """The application `inner`, but a page that asks for ASKED runs gets up to GIVEN."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(SEARCH):
            await self._inner(scope, receive, send)
            return
        body = _generous(await _whole(receive))
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        scope["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
        is_sent = False

        async def receive_changed() -> Message:
            nonlocal is_sent
            if is_sent:
                return await receive()
            is_sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._inner(scope, receive_changed, send)


async def _whole(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _generous(body: bytes) -> bytes:
    try:
        question = json.loads(body)
        if question.get("max_results") == ASKED:
            return json.dumps({**question, "max_results": GIVEN}).encode()
    except (ValueError, AttributeError):
        pass  # MLflow says what is wrong with it
    return body
