"""What no file in `cluster/` may hold: an open door, a credential, a root user, an image without a version."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cluster.files import CLUSTER

FORBIDDEN = {
    "listens to, or lets in, everybody": re.compile(
        r"\b0\.0\.0\.0\b|::/0|host[= ]+['\"]?(?:\*|::)|LoadBalancer|NodePort"
    ),
    "a key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN|\bhf_\w{20,}|\bgh[pousr]_\w{20,}"),
    "a password in a URL": re.compile(r"://[^\s:/@'\"]+:(?!\$)[^\s/@]+@"),
    "a password written out": re.compile(
        r"(?:password|passwd|secret|token|api_?key)\w*['\"]?[ \t]*[:=][ \t]*['\"]?"
        r"(?![$'\"]|token\b|required\b|\s)[\w+/-]{6,}",
        re.IGNORECASE,
    ),
    "a long random word": re.compile(r"\b(?=\w*\d)(?=\w*[a-z])[0-9a-f]{32,}\b"),
    "root": re.compile(r"runAsUser: 0\b|privileged: true|^USER (?:root|0)\b", re.MULTILINE),
    "an image without a version": re.compile(
        r"^\s*(?:- )?(?:image:|FROM)(?: &\w+)? (?!\*)[^\s:]+(?::latest)?\s*$", re.MULTILINE
    ),
}


@pytest.mark.parametrize(
    "file", sorted(file for file in CLUSTER.rglob("*") if file.is_file()), ids=lambda file: file.name
)
def test_holds_nothing_forbidden(file: Path) -> None:
    assert findings(file.read_text()) == []


@pytest.mark.parametrize(
    "planted",
    [
        "ray start --head --dashboard-host=0.0.0.0",
        "mlflow server --host '*'",
        '"CidrIpv6": "::/0"',
        "  type: LoadBalancer",
        "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
        "ledger: postgresql://kdsearch:hunter22@db/kdsearch",
        "  postgres-password: correct-horse",
        'MLFLOW_TRACKING_PASSWORD="correct-horse"',
        "RAY_AUTH_TOKEN=abcdefgh",
        "3d3402093f893b424b93fc39014ab30bcbc7020ea4306db3",
        "USER root",
        "  runAsUser: 0",
        "          image: postgres",
        "FROM python:latest",
    ],
)
def test_what_is_planted_is_found(planted: str) -> None:
    assert findings(f"first line\n{planted}\nlast line\n") != []


def test_the_image_runs_as_an_ordinary_user() -> None:
    users = re.findall(r"^USER (\S+)", (CLUSTER / "Dockerfile").read_text(), re.MULTILINE)
    assert users and users[-1].split(":")[0] not in ("root", "0")


def test_the_image_is_made_of_files_that_exist_and_of_pinned_packages() -> None:
    text = (CLUSTER / "Dockerfile").read_text()
    for sources in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        assert all((CLUSTER.parent / source).exists() for source in sources.split())
    installs = re.findall(r"pip install.*", text)
    assert installs and all("--constraint constraints.txt" in install for install in installs)


def findings(text: str) -> list[str]:
    return [f"{name}: {match[0].strip()}" for name, pattern in FORBIDDEN.items() for match in pattern.finditer(text)]
