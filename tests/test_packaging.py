# SPDX-License-Identifier: BSD-3-Clause
"""What was installed: its files, symbols, versions; and what a build advises."""

import importlib.metadata
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import miniasync
from miniasync import ffi, lib

ROOT = Path(__file__).parent.parent
EXTENSION = Path(importlib.import_module("miniasync._miniasync").__file__ or "")


def installed_files() -> list[str]:
    """The paths that the installed distribution lists, without byte code."""
    files = importlib.metadata.files("miniasync")
    assert files is not None
    return [str(file) for file in files if file.suffix != ".pyc"]


def c_string(pointer: Any) -> str:
    """The text behind a ``char *``."""
    text = ffi.string(pointer)
    assert isinstance(text, bytes)
    return text.decode()


not_in_editable = pytest.mark.skipif(
    not any(file.endswith("miniasync/__init__.py") for file in installed_files()),
    reason="an editable install lists other files",
)


def version_in(path: str, pattern: str) -> str:
    """The first group of the pattern in a file of the checkout."""
    found = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found.group(1)


class TestInstalled:
    @not_in_editable
    def test_the_package_and_its_metadata_are_all_there_is(self) -> None:
        allowed = re.compile(
            r"miniasync/(\w+\.pyi?|py\.typed|_miniasync\.abi3\.so)$"
            r"|miniasync-[^/]+\.dist-info/"
            r"|\.\./.*/bin/miniasync$"
        )
        assert [f for f in installed_files() if not allowed.match(f)] == []

    @not_in_editable
    def test_every_module_of_the_checkout_is_there(self) -> None:
        modules = {
            f"miniasync/{path.name}" for path in (ROOT / "miniasync").glob("*.py*")
        }
        assert modules <= set(installed_files())

    @not_in_editable
    @pytest.mark.parametrize("file", ["miniasync/py.typed", "miniasync/_miniasync.pyi"])
    def test_type_checkers_find_the_types(self, file: str) -> None:
        assert file in installed_files()

    @pytest.mark.parametrize("path", ["LICENSE", "vendor/miniasync/LICENSE"])
    def test_both_licences_are_there(self, path: str) -> None:
        [file] = [
            file
            for file in importlib.metadata.files("miniasync") or []
            if str(file).endswith(f".dist-info/licenses/{path}")
        ]
        text = file.read_text(encoding="utf-8")
        assert (ROOT / path).read_text(encoding="utf-8") == text

    def test_cffi_is_the_only_dependency(self) -> None:
        requires = importlib.metadata.requires("miniasync") or []
        names = [re.split(r"[^\w-]", r)[0] for r in requires if "extra ==" not in r]
        assert names == ["cffi"]

    def test_the_console_script_is_there(self) -> None:
        [script] = [
            point
            for point in importlib.metadata.entry_points(group="console_scripts")
            if point.name == "miniasync"
        ]
        assert script.value == "miniasync.__main__:main"


class TestExtension:
    def test_it_keeps_to_the_stable_abi(self) -> None:
        assert EXTENSION.name == "_miniasync.abi3.so"

    def test_it_was_made_under_its_full_name(self) -> None:
        assert "miniasync._miniasync" in repr(lib)

    @pytest.mark.skipif(shutil.which("nm") is None, reason="nm is not installed")
    def test_it_exports_its_init_function_alone(self) -> None:
        shown = subprocess.run(
            ["nm", "-D", "--defined-only", EXTENSION],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert [line.split()[-1] for line in shown.splitlines()] == [
            "PyInit__miniasync"
        ]

    @pytest.mark.skipif(
        "MINIASYNC_TEST_PROVIDER" not in os.environ,
        reason="MINIASYNC_TEST_PROVIDER does not say which provider is expected",
    )
    def test_the_provider_is_the_one_asked_for(self) -> None:
        name = c_string(lib.MINIASYNC_PROVIDER_NAME)
        interface = "1.0" if lib.MA_PROVIDER_IS_UPSTREAM else "1.1"
        assert f"{name} {interface}" == os.environ["MINIASYNC_TEST_PROVIDER"]


class TestVersions:
    def test_of_the_python_package(self) -> None:
        assert miniasync.__version__ == importlib.metadata.version("miniasync")
        assert miniasync.__version__ == version_in(
            "pyproject.toml", r'^version = "(.*)"$'
        )

    def test_of_the_c_library(self) -> None:
        version = version_in(
            "vendor/miniasync/include/libminiasync/version.h",
            r'^#define MINIASYNC_VERSION "(.*)"$',
        )
        assert c_string(lib.MINIASYNC_VERSION) == version
        assert c_string(lib.miniasync_version()) == version


@pytest.mark.skipif(
    shutil.which("cmake") is None or shutil.which("ninja") is None,
    reason="CMake or Ninja is not installed",
)
class TestConfigureAdvice:
    """A build that cannot work stops with a sentence that says what to do."""

    def configure(self, tmp_path: Path, *options: str, **environment: str) -> str:
        """Configure a build that has to fail and return what it prints."""
        done = subprocess.run(
            ["cmake", "-S", ROOT, "-B", tmp_path, "-G", "Ninja", *options],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        return " ".join(done.stdout.split())

    def test_without_a_compiler(self, tmp_path: Path) -> None:
        shown = self.configure(tmp_path, CC=str(tmp_path / "nowhere" / "cc"))
        assert "No working C compiler was found" in shown
        assert "apt install gcc" in shown

    def test_without_the_system_library(self, tmp_path: Path) -> None:
        shown = self.configure(
            tmp_path,
            "-DMINIASYNC_PROVIDER=system",
            # Blind to a library that this machine may have.
            "-DCMAKE_DISABLE_FIND_PACKAGE_libminiasync=ON",
            "-DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON",
            "-DMINIASYNC_LIBRARY:FILEPATH=",
        )
        assert "no libminiasync was found" in shown
        assert "CMAKE_PREFIX_PATH" in shown
        assert "PKG_CONFIG_PATH" in shown

    @pytest.mark.parametrize("provider", ["bundled", "system"])
    def test_with_dml_without_libdml(self, tmp_path: Path, provider: str) -> None:
        shown = self.configure(
            tmp_path,
            "-DMINIASYNC_DML=ON",
            f"-DMINIASYNC_PROVIDER={provider}",
            # Blind to a libdml that this machine may have.
            "-DCMAKE_DISABLE_FIND_PACKAGE_DML=ON",
        )
        assert "libdml 1.1 or later was not found" in shown
        assert "CMAKE_PREFIX_PATH=<prefix>" in shown
        assert "MINIASYNC_DML=AUTO and MINIASYNC_DML=OFF" in shown

    def test_with_an_unknown_provider(self, tmp_path: Path) -> None:
        shown = self.configure(tmp_path, "-DMINIASYNC_PROVIDER=upstream")
        assert "it is bundled or system" in shown
