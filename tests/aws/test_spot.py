from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path

import pytest

from kdsearch.aws.spot import ENDPOINT
from kdsearch.aws.spot import MetadataService
from kdsearch.aws.spot import NoMetadataService
from tests.aws.metadata import MetadataServer

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MetadataServer]:
    with MetadataServer(tmp_path / "notice") as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@pytest.mark.parametrize("action", ["terminate", "stop", "hibernate"])
def test_the_notice_is_seen_when_it_is_given(server: MetadataServer, action: str) -> None:
    service = MetadataService(server.endpoint)
    assert service.notice() is None
    then = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=2)
    server.notice.write_text(json.dumps({"action": action, "time": f"{then:%Y-%m-%dT%H:%M:%SZ}"}))
    notice = service.notice()
    assert notice is not None and (notice.action, notice.time) == (action, then)
    assert 110 < notice.seconds_left <= 120


def test_the_endpoint_comes_from_the_environment(server: MetadataServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, f"{server.endpoint}/")
    assert MetadataService().notice() is None


def test_nobody_answers() -> None:
    with pytest.raises(NoMetadataService, match="127.0.0.1:9"):
        MetadataService(NOWHERE).notice()


def test_elsewhere_the_watcher_ends_at_once() -> None:
    words = [sys.executable, "-m", "kdsearch.aws.spot"]
    done = subprocess.run(words, env={ENDPOINT: NOWHERE}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith("no spot notice will be seen"), done.stderr
