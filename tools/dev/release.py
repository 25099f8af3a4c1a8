"""./dev release: the wheel for every x86-64 machine and every GPU, packed and tried."""

import re
import shutil
import time
import zipfile

import build
import test
from console import ROOT, VENV, Failure, elapsed, run, say, step

PRESET = "all"
PACKED = ROOT / "build" / "wheels"


def architectures():
    """The GPU architectures that a release has kernels for."""
    text = (ROOT / "cmake" / "LazuliKernels.cmake").read_text()
    return re.search(r"set\(all_architectures ([^)]*)\)", text).group(1).split()


def pack(place):
    """The wheel of build/all: the library that is tested there, not another one."""
    step("pack: the Python package as a wheel")
    shutil.rmtree(PACKED, ignore_errors=True)
    kept = [f"cmake.define.{name}=ON" for name in ("LAZULI_TESTS", "LAZULI_BENCH")]
    settings = [part for setting in (f"build-dir={place}", *kept) for part in ("-C", setting)]
    run([VENV / "bin" / "pip", "wheel", ROOT, "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", PACKED, *settings], env=build.environment())
    return next(PACKED.glob("*.whl"))


def missing_architectures(module):
    """Of which the compiled module holds no kernels; `module` is its bytes."""
    return [name for name in architectures() if f"sm_{name}\n".encode() not in module]


def check_contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if re.fullmatch(r"lazuli/core\..*so", name)]
        if len(names) != 1:
            raise Failure(f"{wheel.name} has {len(names)} modules lazuli.core instead of one")
        module = archive.read(names[0])
    missing = missing_architectures(module)
    if missing:
        raise Failure(f"{wheel.name} has no kernels for sm_{', sm_'.join(missing)}: NVIDIA's "
                      "compiler was not there. ./dev setup --cuda fetches it.")
    say(f"    {wheel.name}: {wheel.stat().st_size >> 20} MiB, installed {len(module) >> 20} MiB, "
        f"kernels for sm_{', sm_'.join(architectures())}")


def main(arguments):
    if arguments:
        raise Failure("release takes no arguments")
    started = time.monotonic()
    place = build.build(PRESET)
    wheel = pack(place)
    check_contents(wheel)
    installed = place / "installed"
    shutil.rmtree(installed, ignore_errors=True)
    run([VENV / "bin" / "pip", "install", "--quiet", "--no-deps", "--target", installed, wheel])
    totals = test.run_pytest(place, "python", "cpu", installed)
    say(f"\nreleased {wheel.relative_to(ROOT)} in {elapsed(started)}")
    test.show(totals)
    return 1 if totals.failed else 0
