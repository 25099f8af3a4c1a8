"""./dev test: builds, runs the C++ and Python tests, ends with totals, skips and reasons."""

import argparse
import json
import os
import shutil
import subprocess
import time

import build
import setup
from console import ROOT, VENV, Failure, elapsed, jobs, say, step
from results import Totals, of_cases, of_ctest

# Python suites: the folder, and what it needs of the preset's folder.
PYTHON_SUITES = {"tools": ("tests/tools", None), "program": ("tests/program", "bin/lazuli"),
                 "python": ("tests/python", "python")}


def on_gpu():
    """The environment in which the GPU is the default device. Each random graph is compiled there,
    so that there are fewer unless the user says how many."""
    return {"LAZULI_TEST_GRAPHS": "1000", **os.environ, "LAZULI_GPU": "1"}


def need_gpu(place):
    """Says which GPU is used; without one, why there is none."""
    listed = subprocess.run([place / "bin" / "lazuli", "devices", "--json"], env=on_gpu(),
                            stdout=subprocess.PIPE, text=True, check=True)
    facts = json.loads(listed.stdout)
    names = [row["name"] for row in facts["devices"] if row["device"].startswith("gpu")]
    if not names:
        raise Failure(f"there is no GPU to test on. {facts['missing']}")
    step(f"tests on {names[0]}")


def run_ctest(place, names, device):
    """The totals of those C++ test programs whose names contain one of `names`."""
    results = place / "test-results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir()
    step("C++ tests")
    report = results / "ctest-report.xml"
    chosen = ["-R", "|".join(names)] if names else []
    count, environment = jobs(), dict(os.environ)
    if device == "gpu":
        # One program after the other: each takes most of the GPU's memory for itself.
        count, environment = "1", on_gpu()
        chosen += ["-L", "cpp", "-LE", "variant"]
    subprocess.run(["ctest", "--test-dir", place, "-j", count, "--output-on-failure",
                    "--output-junit", report, *chosen], cwd=ROOT, env=environment, check=False)
    return of_ctest(report, results) if report.exists() else Totals()


def run_pytest(place, suite, device, package=None):
    """The totals of one Python suite; the folder `package` holds lazuli, else the build does."""
    folder, needed = PYTHON_SUITES[suite]
    if not (ROOT / folder).is_dir():
        return Totals()
    if needed and not (place / needed).exists():
        return Totals(skipped=[f"{suite}: the preset does not build {needed}"])
    step(f"Python tests in {folder}")
    report = place / "test-results" / f"pytest-{suite}.xml"
    environment = on_gpu() if device == "gpu" else dict(os.environ)
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    environment["LAZULI_PROGRAM"] = str(place / "bin" / "lazuli")
    if needed == "python":
        environment["PYTHONPATH"] = str(package or place / "python")
    done = subprocess.run(
        [VENV / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "--timeout", "600", "--junitxml", report, folder],
        cwd=ROOT, env=environment, check=False)
    if report.exists():
        totals = of_cases(report, suite)
        if done.returncode not in (0, 5) and not totals.failed:
            totals.failed.append(f"{suite}: pytest ended with {done.returncode}")
        return totals
    return Totals(failed=[f"{suite}: pytest ended with {done.returncode} and left no report"])


def run_all(preset="release", names=(), device="cpu"):
    setup.ensure()
    # GPU kernels compiled ahead are tested also where there is no GPU that would ask for them.
    ahead = ["-DLAZULI_CUDA_ARCHITECTURES=90a"]
    if device == "gpu" or build.names_architectures(preset):
        ahead = []
    place = build.build(preset, settings=ahead)
    suites = dict(PYTHON_SUITES)
    if device == "gpu":
        need_gpu(place)
        del suites["tools"]
    cpp_names = [name for name in names if name not in PYTHON_SUITES]
    totals = Totals()
    if not names or cpp_names:
        totals.add(run_ctest(place, cpp_names, device))
    for suite in suites:
        if not names or suite in names:
            totals.add(run_pytest(place, suite, device))
    return totals


def show(totals):
    """The closing lines: skips with reasons, failures, totals."""
    for title, lines in (("skipped", totals.skipped), ("failed", totals.failed)):
        if lines:
            say(f"\n{title}:")
            for line in lines:
                say(f"    {line}")
    say(f"\n{totals.line()}")


def main(arguments):
    parser = argparse.ArgumentParser(prog="./dev test")
    parser.add_argument("names", nargs="*", metavar="name",
                        help="folders of tests/, or tools, python; all unless named")
    parser.add_argument("--preset", default="release")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu",
                        help="gpu: the programs that compute, on this machine's GPU")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    totals = run_all(options.preset, options.names, options.device)
    if not totals.passed and not totals.failed:
        raise Failure(f"no test is named {' or '.join(options.names)}: names are the folders of "
                      f"tests/, and {', '.join(PYTHON_SUITES)}")
    say(f"\ntested in {elapsed(started)}")
    show(totals)
    return 1 if totals.failed else 0
