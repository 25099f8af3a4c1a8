"""./dev gen: writes the generated files anew. Each generator is a script tools/gen*.py that writes
the files it is responsible for, and prints nothing when they are up to date."""

import argparse
import subprocess
import sys

from console import ROOT, VENV, Failure, run, say


def contents():
    """The bytes of every file that is tracked, or new and not ignored."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT,
                            stdout=subprocess.PIPE, text=True, check=True)
    paths = sorted({ROOT / name for name in listed.stdout.split("\0") if name})
    return {path: path.read_bytes() for path in paths if path.is_file()}


def generate():
    """Runs the generators and returns the paths of the files that changed."""
    before = contents()
    python = VENV / "bin" / "python"
    for script in sorted((ROOT / "tools").glob("gen*.py")):
        run([python if python.exists() else sys.executable, script])
    after = contents()
    changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    return sorted(str(path.relative_to(ROOT)) for path in changed)


def main(arguments):
    parser = argparse.ArgumentParser(prog="./dev gen")
    parser.add_argument("--check", action="store_true",
                        help="fail if a generated file was out of date")
    options = parser.parse_args(arguments)
    changed = generate()
    for path in changed:
        say(f"{path}: written anew")
    if options.check and changed:
        raise Failure("generated files were out of date; they are written now: commit them")
