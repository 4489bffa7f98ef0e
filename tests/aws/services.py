"""AWS on this machine: moto's server, and for what moto lacks (price list, EC2's quotas) answers in AWS's format."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any
from typing import Self

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_DEFAULT_REGION": REGION}


class Moto:
    """EC2, S3 and STS."""

    def __enter__(self) -> Self:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop()

    @property
    def environment(self) -> dict[str, str]:
        _, port = self._server.get_host_and_port()
        return CREDENTIALS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


class Answers:
    """Price list and service quotas. `quotas` are vCPUs by the code of the quota; one that is missing is refused."""

    def __init__(self, quotas: Mapping[str, float], dollars: float) -> None:
        answers = self
        self._quotas, self._dollars = quotas, dollars

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = answers.answer(self.headers["X-Amz-Target"].rpartition(".")[2], body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{self._server.server_port}"
        return {"AWS_ENDPOINT_URL_PRICING": url, "AWS_ENDPOINT_URL_SERVICE_QUOTAS": url}

    def answer(self, operation: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if operation == "GetServiceQuota":
            value = self._quotas.get(body["QuotaCode"])
            if value is None:
                return 400, {"__type": "AccessDeniedException", "Message": "not authorized"}
            return 200, {"Quota": {"ServiceCode": "ec2", "QuotaCode": body["QuotaCode"], "Value": value}}
        wanted = {each["Field"]: each["Value"] for each in body["Filters"]}
        assert wanted["regionCode"] == REGION and wanted["operatingSystem"] == "Linux"
        dimension = {"unit": "Hrs", "pricePerUnit": {"USD": f"{self._dollars:.10f}"}}
        product = {
            "product": {"attributes": {"instanceType": wanted["instanceType"]}},
            "terms": {
                "OnDemand": {"SKU.JRTCKXETXF": {"priceDimensions": {"SKU.JRTCKXETXF.6YS6EN2CT7": dimension}}},
                "Reserved": {"SKU.X": {"priceDimensions": {"SKU.X.Y": {**dimension, "pricePerUnit": {"USD": "9"}}}}},
            },
        }
        return 200, {"FormatVersion": "aws_v1", "PriceList": [json.dumps(product)]}
