"""python3 tools/mutation [name...]: removes one guard or check at a time (mutations.toml) in a copy
of the tree and shows that the engine's tests notice. Ends with 1 if one survives."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = ROOT / "build" / "mutation"
TESTS = {"LAZULI_TEST_GRAPHS": "3000"}


def copy_tree():
    """The tracked and new files of the checkout, with their times, so that little is built anew."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT,
                            stdout=subprocess.PIPE, text=True, check=True).stdout
    tree = PLACE / "tree"
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, tree / name
        if not source.is_file():
            continue
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return tree


def build(tree):
    """Builds the engine's tests; False if the mutant does not compile."""
    place = PLACE / "build"
    if not (place / "build.ninja").exists():
        subprocess.run(
            ["cmake", "-S", tree, "-B", place, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
             "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG", "-DLAZULI_BENCH=OFF",
             f"-DLAZULI_VENDOR_DIR={ROOT / '.cache' / 'vendor'}"],
            check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(["ninja", "-C", place, "engine_test"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout[-2000:])
    return done.returncode == 0


def passes():
    """Whether the tests pass, on the CPU and on the fake device."""
    program = PLACE / "build" / "bin" / "engine_test"
    for extra in ({}, {"LAZULI_FAKE_DEVICE": "1", "LAZULI_GPU": "1"}):
        try:
            done = subprocess.run([program, "--gtest_fail_fast"], timeout=120, check=False,
                                  env=os.environ | TESTS | extra, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return False
        if done.returncode != 0:
            return False
    return True


def changed(text, old, new, path):
    if text.count(old) != 1:
        raise SystemExit(f"mutation: {path} holds {text.count(old)} times: {old}")
    return text.replace(old, new)


def survives(mutation, tree):
    edits = [(mutation["file"], mutation["old"], mutation["new"])]
    if "also" in mutation:
        edits.append(tuple(mutation["also"]))
    before = {}
    for file, old, new in edits:
        path = tree / file
        before.setdefault(path, path.read_text())
        path.write_text(changed(path.read_text(), old, new, file))
    try:
        return build(tree) and passes()
    finally:
        for path, text in before.items():
            path.write_text(text)


def main(names):
    table = tomllib.loads((Path(__file__).parent / "mutations.toml").read_text())["mutation"]
    chosen = [m for m in table if not names or any(name in m["name"] for name in names)]
    tree = copy_tree()
    if not (build(tree) and passes()):
        raise SystemExit("mutation: the tests fail without any mutation")
    survivors = []
    for mutation in chosen:
        alive = survives(mutation, tree)
        survivors += [mutation["name"]] if alive else []
        print(f"{'SURVIVES' if alive else 'found   '}  {mutation['name']}", flush=True)
    build(tree)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} mutations found")
    return 1 if survivors else 0


sys.exit(main(sys.argv[1:]))
