"""The wheel holds what it needs at run time, wherever it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.services
def test_an_installed_wheel_works_from_any_folder(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, REPOSITORY], check=True, timeout=280)
    [wheel] = tmp_path.glob("kdsearch-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    spaces = {f"kdsearch/search_spaces/{file.name}" for file in (REPOSITORY / "search_spaces").glob("*.yaml")}
    conf = {f"kdsearch/conf/{file.relative_to(REPOSITORY / 'kdsearch/conf')}" for file in _yaml_files()}
    assert spaces | conf | {"kdsearch/py.typed"} <= names
    assert not [name for name in names if name.startswith("tests/")]

    installed = tmp_path / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", installed, wheel], check=True, timeout=120)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", "import kdsearch; print(kdsearch.__file__)"]
    assert str(installed) in subprocess.check_output(command, cwd=elsewhere, env=environment, text=True, timeout=60)
    command = [sys.executable, "-m", "kdsearch", "sweep", "--cfg", "job", "search_space=temperature"]
    printed = subprocess.check_output(command, cwd=elsewhere, env=environment, text=True, timeout=60)
    assert "temperature:" in printed


def _yaml_files() -> list[Path]:
    return sorted((REPOSITORY / "kdsearch/conf").rglob("*.yaml"))
