"""AWS as moto plays it, and an environment from which `ray up` cannot reach anything else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.services.servers import HOST
from tests.services.servers import Server

REGION = "us-east-1"
STUB = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >> "$SSH_LOG"
"""


class MotoServer(Server):
    """EC2, IAM, S3 and STS in memory."""

    name = "moto"

    def client(self, service: str) -> Any:
        import boto3

        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.port)]

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/moto-api/", timeout=2):
                return True
        except OSError:
            return False


class Terminal:
    """Runs commands that see moto for AWS, and instead of ssh and rsync a script that notes what they were called with.

    Without them Ray would connect to the addresses that moto made up, which belong to somebody.
    """

    def __init__(self, moto: MotoServer, folder: Path) -> None:
        self.folder = folder
        self._stubs, self._log = folder / "stubs", folder / "ssh.log"
        self._stubs.mkdir()
        for name in ("ssh", "rsync", "scp"):
            (self._stubs / name).write_text(STUB)
            (self._stubs / name).chmod(0o755)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RAY_"))},
            "PATH": f"{self._stubs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "SSH_LOG": str(self._log),
            "AWS_ENDPOINT_URL": moto.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for name in ("ssh", "rsync"):
            assert shutil.which(name, path=self._environment["PATH"]) == str(self._stubs / name)

    @property
    def environment(self) -> Mapping[str, str]:
        return self._environment

    @property
    def calls(self) -> str:
        """What ssh and rsync were asked to do."""
        return self._log.read_text()

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
