"""An instance metadata service, version 2, that says what stands in a file.

python -m tests.aws.metadata PORT FILE
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path

TOKEN = "metadata-token"


class MetadataServer(ThreadingHTTPServer):
    """On 127.0.0.1. `notice` is the file; while there is none, no notice has been given."""

    def __init__(self, notice: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.notice = notice

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: MetadataServer

    def do_PUT(self) -> None:
        is_asked_well = 1 <= int(self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", 0)) <= 21600
        if self.path == "/latest/api/token" and is_asked_well:
            self._answer(200, TOKEN)
        else:
            self._answer(400)

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self._answer(401)
        elif self.path == "/latest/meta-data/spot/instance-action" and self.server.notice.exists():
            self._answer(200, self.server.notice.read_text())
        else:
            self._answer(404)

    def _answer(self, status: int, text: str = "") -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None: ...


if __name__ == "__main__":
    MetadataServer(Path(sys.argv[2]), int(sys.argv[1])).serve_forever()
