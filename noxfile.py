# SPDX-License-Identifier: BSD-3-Clause
"""What a contributor runs, and what continuous integration runs.

``nox -l`` lists the sessions, ``nox -s NAME`` runs one. CMake and Ninja are
installed into the session where the machine has none.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["lint", "tests"]
# A machine with one Python is enough to work on this project.
nox.options.error_on_missing_interpreters = False

ROOT = Path(__file__).parent
C_LIBRARY = ROOT / "vendor" / "miniasync"
DIST = ROOT / "dist"
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
CMAKE_MINIMUM = (3, 20)
# Where the interpreter looks at signals depends on the Python only, and to try all
# these places takes as long as all other tests: left out by sessions that are about
# something else.
ONCE_A_PYTHON = "--ignore=tests/test_interrupts.py"

PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")


def add_pyenv_to_path() -> None:
    """Let nox find what pyenv installed: its shims run only what is selected."""
    if shutil.which("pyenv") is None:
        return
    root = subprocess.run(
        ["pyenv", "root"], capture_output=True, text=True, check=True
    ).stdout.strip()
    found = [
        str(directory)
        for version in PYTHONS
        for directory in sorted(Path(root, "versions").glob(f"{version}.*/bin"))
    ]
    os.environ["PATH"] = os.pathsep.join([*found, os.environ["PATH"]])


add_pyenv_to_path()


def dependencies(group: str) -> tuple[str, ...]:
    """The requirements in a dependency group of pyproject.toml."""
    return nox.project.dependency_groups(PROJECT, group)


def install_build_tools(session: nox.Session) -> None:
    """Install CMake and Ninja into the session where the machine lacks them."""
    missing = []
    cmake = shutil.which("cmake")
    if cmake is not None:
        shown = subprocess.run(
            [cmake, "--version"], capture_output=True, text=True, check=False
        ).stdout
        version = re.search(r"(\d+)\.(\d+)", shown)
        if version is None or tuple(map(int, version.groups())) < CMAKE_MINIMUM:
            cmake = None
    if cmake is None:
        missing.append("cmake")
    if shutil.which("ninja") is None:
        missing.append("ninja")
    if missing:
        session.install(*missing)


def cmake_build(session: nox.Session, source: Path, build: Path, *options: str) -> None:
    """Configure and build a CMake project with Ninja."""
    session.run(
        *("cmake", "-S", str(source), "-B", str(build), "-G", "Ninja"),
        *options,
        external=True,
    )
    session.run("cmake", "--build", str(build), external=True)


def run_ctest(session: nox.Session, build: Path, exclude: str = "^$") -> None:
    """Run all tests of a build but those excluded."""
    session.run(
        *("ctest", "--test-dir", str(build), "--output-on-failure"),
        *("--no-tests=error", "--exclude-regex", exclude),
        external=True,
    )


def run_c_tests(session: nox.Session, *options: str, exclude: str = "^$") -> None:
    """Build the C library with its tests and run all but those excluded."""
    install_build_tools(session)
    build = Path(session.create_tmp(), "c").resolve()
    cmake_build(session, C_LIBRARY, build, *options)
    run_ctest(session, build, exclude)


def run_docstring_examples(session: nox.Session) -> None:
    """Run the examples in the docstrings of the installed package."""
    session.run("pytest", "--doctest-modules", "--pyargs", "miniasync")


def build_distribution(session: nox.Session, kind: str) -> Path:
    """Build the ``wheel`` or ``sdist`` into ``dist/`` and return its path."""
    pattern = {"wheel": "miniasync-*.whl", "sdist": "miniasync-*.tar.gz"}[kind]
    for old in DIST.glob(pattern):
        old.unlink()
    session.install("build")
    session.run("python", "-m", "build", f"--{kind}", "--outdir", str(DIST))
    [built] = DIST.glob(pattern)
    return built


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types of the Python and C sources."""
    session.install(*dependencies("lint"), *PROJECT["project"]["dependencies"])
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("pyright")
    sources = [
        str(path.relative_to(ROOT))
        for folder in (C_LIBRARY, ROOT / "src")
        for path in sorted(folder.rglob("*"))
        # cffi reads the cdef; it is not quite C.
        if path.suffix in {".c", ".cc", ".h", ".inc"} and "cdef" not in path.name
    ]
    session.run("clang-format", "--dry-run", "-Werror", *sources, log=False)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests, C and Python, with the Python that runs nox."""
    run_c_tests(session)
    session.install(".", *dependencies("tests"))
    session.run("pytest", *session.posargs)
    run_docstring_examples(session)


@nox.session
def c_tests(session: nox.Session) -> None:
    """Run the C tests, as built for Linux and as built for other systems."""
    run_c_tests(session, "-DMINIASYNC_WERROR=ON", "-DMINIASYNC_PORTABLE=ON")
    run_c_tests(session, "-DMINIASYNC_WERROR=ON", "-DMINIASYNC_PORTABLE=OFF")
    stress = Path(session.create_tmp(), "c", "tests", "test_stress")
    session.run(str(stress), "1000000", external=True)


@nox.session
def c_clang(session: nox.Session) -> None:
    """Run the C tests as clang builds them, the headers in C++ included."""
    if shutil.which("clang++") is None:
        session.skip("clang is not installed")
    compilers = ("-DCMAKE_C_COMPILER=clang", "-DCMAKE_CXX_COMPILER=clang++")
    run_c_tests(session, *compilers, "-DMINIASYNC_WERROR=ON", "-DMINIASYNC_PORTABLE=ON")
    run_c_tests(
        session, *compilers, "-DMINIASYNC_WERROR=ON", "-DMINIASYNC_PORTABLE=OFF"
    )


@nox.session
def c_aarch64(session: nox.Session) -> None:
    """Build for 64-bit ARM and run the C tests in an emulator."""
    for program in ("aarch64-linux-gnu-g++", "qemu-aarch64"):
        if shutil.which(program) is None:
            session.skip(f"{program} is not installed")
    toolchain = C_LIBRARY / "cmake" / "aarch64-linux-gnu.cmake"
    run_c_tests(
        session,
        f"-DCMAKE_TOOLCHAIN_FILE={toolchain}",
        "-DMINIASYNC_WERROR=ON",
        "-DMINIASYNC_TEST_TIMEOUT=600",
        "-DCMAKE_C_FLAGS=-DT_SLOW",
    )


@nox.session
def c_asan(session: nox.Session) -> None:
    """Run the C tests under the address and undefined behaviour sanitizers."""
    run_c_tests(session, "-DMINIASYNC_SANITIZE=address,undefined")


@nox.session
def c_tsan(session: nox.Session) -> None:
    """Run the C tests under the thread sanitizer."""
    run_c_tests(session, "-DMINIASYNC_SANITIZE=thread")


def run_c_tests_under_valgrind(
    session: nox.Session, tool: str, *options: str, exclude: str
) -> None:
    """Run the C tests under a tool of valgrind, with no suppressions of ours."""
    if shutil.which("valgrind") is None:
        session.skip("valgrind is not installed")
    launcher = [
        *("valgrind", "--quiet", "--error-exitcode=99", *tool.split()),
        # Or a thread that polls hardly lets the others run.
        "--fair-sched=yes",
        # Tests execute themselves; true(1) is how some children end.
        *("--trace-children=yes", "--trace-children-skip=*/true"),
        # For handlers of faults that let the access go on.
        "--vex-iropt-register-updates=allregs-at-mem-access",
    ]
    run_c_tests(
        session,
        f"-DMINIASYNC_TEST_LAUNCHER={';'.join(launcher)}",
        "-DMINIASYNC_TEST_TIMEOUT=1200",
        "-DMINIASYNC_BUILD_BENCH=OFF",
        "-DCMAKE_C_FLAGS=-g -DT_SLOW=2",
        *options,
        exclude=rf"^miniasync\.(consumer\.|man\.format|man\.content|{exclude})",
    )


@nox.session
def c_valgrind(session: nox.Session) -> None:
    """Run the C tests under valgrind's memcheck."""
    run_c_tests_under_valgrind(
        session,
        "--leak-check=full --child-silent-after-fork=yes",
        # They compare with the machine's processor; valgrind makes up its own. Or
        # touch a page that is not there, on purpose.
        exclude="engine_choice|flush|help_spin",
    )


@nox.session
def c_helgrind(session: nox.Session) -> None:
    """Run the C tests under valgrind's helgrind, which is told of atomics."""
    # The C library hands stacks of ended threads on in ways helgrind cannot see.
    session.env["GLIBC_TUNABLES"] = "glibc.pthread.stack_cache_size=0"
    run_c_tests_under_valgrind(
        session,
        "--tool=helgrind",
        "-DMINIASYNC_HELGRIND=ON",
        # One thread only.
        exclude="engine|flush",
    )


@nox.session
def c_stress(session: nox.Session) -> None:
    """Run the stress test: ``nox -s c_stress -- OPERATIONS [SEED]``.

    A billion takes about three hours.
    """
    install_build_tools(session)
    build = Path(session.create_tmp(), "c").resolve()
    cmake_build(session, C_LIBRARY, build, "-DMINIASYNC_BUILD_BENCH=OFF")
    began = time.monotonic()
    arguments = session.posargs or ["1000000"]
    session.run(str(build / "tests" / "test_stress"), *arguments, external=True)
    seconds = time.monotonic() - began
    session.log(f"{float(arguments[0]) / seconds:,.0f} operations a second")


@nox.session
def c_coverage(session: nox.Session) -> None:
    """Print how much of the C library its tests cover, lines and branches.

    Fails below 95 % of the branches. CONTRIBUTING.md says what is not covered.
    """
    session.install("gcovr")
    install_build_tools(session)
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    # Atomic: workers count at the same time. Of the sources only: counting in
    # the tests, too, would take as long again.
    # gcc's own fork() would forget what the handlers of the fork counted.
    flags = (
        "--coverage -fprofile-update=atomic -fprofile-filter-files=/miniasync/src/"
        " -fno-builtin-fork -DT_SLOW"
    )
    included = C_LIBRARY / "tests" / "coverage.h"
    # Consumers of an installed library are linked without libgcov. The copy
    # engine is the same on all systems.
    exclude = {
        "OFF": r"^miniasync\.(consumer|man)\.",
        "ON": r"^miniasync\.(consumer\.|man\.|engine)",
    }
    builds = []
    for portable in ("OFF", "ON"):
        build = folder / f"portable-{portable.lower()}"
        builds.append(str(build))
        cmake_build(
            *(session, C_LIBRARY, build),
            "-DCMAKE_C_COMPILER=gcc",
            "-DCMAKE_BUILD_TYPE=None",
            f"-DCMAKE_C_FLAGS={flags} -include {included}",
            # What a shared library counts is lost in the children of tests.
            "-DBUILD_SHARED_LIBS=OFF",
            "-DMINIASYNC_BUILD_BENCH=OFF",
            f"-DMINIASYNC_PORTABLE={portable}",
            "-DMINIASYNC_TEST_TIMEOUT=600",
        )
        run_ctest(session, build, exclude[portable])
    sources = re.escape(f"{C_LIBRARY / 'src'}{os.sep}")
    for metric in ("line", "branch"):
        session.run(
            *("gcovr", "--root", str(C_LIBRARY), "--filter", sources),
            # A fork copies the counts while other threads are counting.
            "--gcov-ignore-parse-errors=negative_hits.warn_once_per_file",
            *("--txt-metric", metric, f"--fail-under-{metric}", "95", *builds),
        )


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel and check that it keeps to the stable ABI."""
    built = build_distribution(session, "wheel")
    session.install("abi3audit")
    session.run("abi3audit", "--strict", "--verbose", str(built))


@nox.session(python=PYTHONS, requires=["wheel"])
def wheel_tests(session: nox.Session) -> None:
    """Test the one wheel on a Python."""
    [built] = DIST.glob("miniasync-*.whl")
    # Once with what the extras need; without it, those tests are skipped.
    extras = "[plot,pretty]" if session.python == PYTHONS[0] else ""
    session.install(f"{built}{extras}", *dependencies("tests"))
    if session.python == PYTHONS[-1]:
        # -P: as with plain pytest, the checkout itself is not on the path.
        session.run(
            *("python", "-X", "dev", "-W", "error", "-P", "-m", "pytest"),
            *session.posargs,
        )
    else:
        session.run("pytest", *session.posargs)
        run_docstring_examples(session)


@nox.session(python="3.11", requires=["wheel"])
def tensors(session: nox.Session) -> None:
    """Test the wheel on memory of PyTorch and PyArrow; elsewhere that is skipped."""
    [built] = DIST.glob("miniasync-*.whl")
    session.install(str(built), *dependencies("tensors"))
    session.run("pytest", "tests/test_dlpack.py", *session.posargs)


@nox.session
@nox.parametrize("interface", ["1.1", "1.0"])
def system(session: nox.Session, interface: str) -> None:
    """Test the extension on an installed library, also one with upstream's functions.

    The latter is our own with the newer version node taken out, and is found
    through pkg-config alone.
    """
    install_build_tools(session)
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    source = folder / "source"
    prefix = folder / "prefix"
    shutil.copytree(C_LIBRARY, source)
    if interface == "1.0":
        exports = source / "src" / "libminiasync.map"
        head, _, _ = exports.read_text().partition("\nLIBMINIASYNC_1.1")
        exports.write_text(head)
    cmake_build(
        *(session, source, folder / "c"),
        "-DMINIASYNC_BUILD_TESTS=OFF",
        "-DMINIASYNC_BUILD_BENCH=OFF",
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        "-DCMAKE_INSTALL_LIBDIR=lib",
    )
    session.run("cmake", "--install", str(folder / "c"), external=True)
    if interface == "1.0":
        shutil.rmtree(prefix / "lib" / "libminiasync")
        found_by = {"PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    else:
        found_by = {"CMAKE_PREFIX_PATH": str(prefix)}
    session.install(
        f"-Cbuild-dir={folder / 'extension'}",
        "-Ccmake.define.MINIASYNC_PROVIDER=system",
        ".",
        *dependencies("tests"),
        env=found_by,
    )
    session.run(
        *("pytest", ONCE_A_PYTHON),
        *session.posargs,
        env={"MINIASYNC_TEST_PROVIDER": f"system {interface}"},
    )


@nox.session
def sdist(session: nox.Session) -> None:
    """Build the sdist and test what is built from it, away from git."""
    built = build_distribution(session, "sdist")
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(built, folder)
        [unpacked] = Path(folder).iterdir()
        leftovers = {".ci", ".nox", ".venv", "build", "dist"}
        leftovers &= {path.name for path in unpacked.iterdir()}
        if leftovers:
            session.error(f"the sdist contains {sorted(leftovers)}")
        session.chdir(unpacked)
        session.install(".", *dependencies("tests"))
        session.run("pytest", ONCE_A_PYTHON, *session.posargs)


@nox.session
def editable(session: nox.Session) -> None:
    """Try an editable install."""
    session.install("-e", ".", *dependencies("tests"))
    session.run("miniasync", "info")
    session.run("pytest", "tests/test_packaging.py")


@nox.session(python=[PYTHONS[0], PYTHONS[-1]])
def readme(session: nox.Session) -> None:
    """Run the commands of README.md in a fresh clone, with an empty home directory.

    What is cloned is the last commit.
    """
    commands = [
        line
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("python3 -m venv .venv && ")
    ]
    if len(commands) != 2:
        session.error(
            f"README.md has {len(commands)} commands that make a .venv, not 2"
        )
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    home = folder / "home"
    home.mkdir(parents=True)
    session.run(
        "git", "clone", "--quiet", str(ROOT), str(folder / "clone"), external=True
    )
    session.chdir(folder / "clone")
    for command in commands:
        session.run("sh", "-c", command, external=True, env={"HOME": str(home)})


@nox.session(python=PYTHONS)
def py_asan(session: nox.Session) -> None:
    """Run the Python tests with the extension under address sanitizer."""
    runtimes = []
    for name in ("libasan.so", "libubsan.so"):
        path = subprocess.run(
            [os.environ.get("CC", "cc"), f"-print-file-name={name}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        if not os.path.isabs(path):
            session.skip(f"the C compiler has no {name}")
        runtimes.append(path)
    session.install(
        f"-Cbuild-dir={Path(session.create_tmp(), 'extension').resolve()}",
        "-Ccmake.define.MINIASYNC_SANITIZE=address,undefined",
        ".",
        *dependencies("tests"),
    )
    session.run(
        "pytest",
        *session.posargs,
        env={
            "LD_PRELOAD": " ".join(runtimes),
            # The interpreter itself leaves memory behind; SIGBUS is ours to handle.
            "ASAN_OPTIONS": "detect_leaks=0:handle_sigbus=0",
        },
    )


@nox.session(python=PYTHONS[-1])
def py_tsan(session: nox.Session) -> None:
    """Run the Python tests with the extension under thread sanitizer.

    Not those that fork, whose threads it loses track of: they are skipped, and
    tests/test_machine.py does not fork. Nor those of packaging, which run compilers
    that do not start with it.
    """
    path = subprocess.run(
        [os.environ.get("CC", "cc"), "-print-file-name=libtsan.so"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    if not os.path.isabs(path):
        session.skip("the C compiler has no libtsan.so")
    session.install(
        f"-Cbuild-dir={Path(session.create_tmp(), 'extension').resolve()}",
        "-Ccmake.define.MINIASYNC_SANITIZE=thread",
        ".",
        *dependencies("tests"),
    )
    session.run(
        *("pytest", "--ignore=tests/test_packaging.py"),
        *session.posargs,
        env={
            "LD_PRELOAD": path,
            "MINIASYNC_TEST_NO_FORKS": "1",
            # What the interpreter and the C library do among themselves is theirs;
            # their locks count all the same. A test leaves a daemon thread behind.
            "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:report_thread_leaks=0",
        },
    )


@nox.session
def py_long(session: nox.Session) -> None:
    """Run the Python tests that find more the longer they run."""
    session.install(".", *dependencies("tests"))
    session.run(
        *("pytest", "-o", "faulthandler_timeout=0"),
        *("tests/test_machine.py", "tests/test_leaks.py"),
        *session.posargs,
        env={"MINIASYNC_TEST_LONG": "1"},
    )


@nox.session(python=False)
def long(session: nox.Session) -> None:
    """Queue what takes too long for every change."""
    for name in ("c_valgrind", "c_helgrind", "c_aarch64"):
        session.notify(name)
    for version in PYTHONS:
        session.notify(f"py_asan-{version}")
    session.notify("py_tsan")
    session.notify("py_long")
    session.notify("c_stress", posargs=["1000000000"])
