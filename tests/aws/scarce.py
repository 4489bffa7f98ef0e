"""EC2 as moto plays it, with so many spot instances and no more."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import Self
from urllib.parse import parse_qs
from urllib.parse import urlencode

from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.serving import BaseWSGIServer
from werkzeug.serving import make_server

HOST = "127.0.0.1"
REFUSAL = (
    "<?xml version='1.0'?><Response><Errors><Error><Code>{code}</Code>"
    "<Message>none left</Message></Error></Errors><RequestID>r-1</RequestID></Response>"
)


class ScarceEc2:
    """A server in this process that refuses RunInstances with `refusal` where there is no capacity."""

    def __init__(self) -> None:
        self.make_plenty()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server: BaseWSGIServer = make_server(HOST, 0, self._answer, threaded=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()

    def make_plenty(self) -> None:
        self.spot, self.on_demand = 100, 100
        self.refusal = "InsufficientInstanceCapacity"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        form = {key: values[0] for key, values in parse_qs(body.decode("latin-1")).items()}
        if form.get("Action") == "RunInstances":
            left = self.spot if form.get("InstanceMarketOptions.MarketType") == "spot" else self.on_demand
            if left < int(form["MinCount"]):
                start_response("400 Bad Request", [("Content-Type", "text/xml")])
                return [REFUSAL.format(code=self.refusal).encode()]
            # As many as there are, up to MaxCount, as EC2 does; moto launches MinCount.
            form["MinCount"] = form["MaxCount"] = str(min(left, int(form["MaxCount"])))
            body = urlencode(form).encode()
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer
