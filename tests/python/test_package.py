"""The package's metadata, without building it: `pip install .` says what is installed."""

import re
import tomllib
from pathlib import Path

import lazuli
import lazuli.core as mx
from scikit_build_core import build

ROOT = Path(__file__).parents[2]


def test_one_version_everywhere(tmp_path, monkeypatch):
    line = (ROOT / "include" / "lazuli" / "version.h").read_text()
    version = re.search(r'LAZULI_VERSION_STRING "(.*)"', line).group(1)
    assert lazuli.__version__ == mx.__version__ == version
    monkeypatch.chdir(ROOT)
    folder = build.prepare_metadata_for_build_wheel(str(tmp_path))
    metadata = (tmp_path / folder / "METADATA").read_text()
    assert f"\nVersion: {version}\n" in metadata and "\nName: lazuli\n" in metadata
    pinned = re.findall(r"Requires-Dist: (\S+)==\S+; extra == ['\"]cuda['\"]", metadata)
    assert pinned == ["nvidia-cuda-nvrtc", "nvidia-cublas", "nvidia-cudnn-cu13"]


def test_the_wheel_takes_the_folder_of_the_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["scikit-build"]
    for folder in settings["wheel"]["packages"]:
        assert (ROOT / folder / "__init__.py").exists()
    assert settings["build"]["targets"] == ["lazuli_python"]
    assert "COMPONENT python" in (ROOT / "bindings" / "python" / "CMakeLists.txt").read_text()
