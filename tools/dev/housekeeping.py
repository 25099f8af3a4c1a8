"""./dev tidy: what keeps the house in order, checked by machine."""

import argparse
import json
import sys

import environments
import gen
from console import ROOT, say, step

sys.path.insert(0, str(ROOT / "tools"))
from tidy import dead, formatting, layers, sizes, words  # noqa: E402
from tidy.source import Finding, Tree  # noqa: E402

RATCHET = ROOT / "tools" / "tidy" / "ratchet.json"


def read_ratchet():
    if not RATCHET.exists():
        return {"sizes": {}, "unformatted": []}
    return json.loads(RATCHET.read_text())


def tightened(ratchet, tree):
    """The ratchet without what is in order by now, and with what has shrunk."""
    over = sizes.measure(tree)
    unformatted = formatting.unformatted(tree)
    return {
        "sizes": {key: min(allowed, over[key][0])
                  for key, allowed in sorted(ratchet["sizes"].items()) if key in over},
        "unformatted": [path for path in sorted(ratchet["unformatted"]) if path in unformatted],
    }


def written(ratchet):
    return json.dumps(ratchet, indent=2) + "\n"


def findings(tree, ratchet):
    yield from formatting.check(tree, set(ratchet["unformatted"]))
    yield from layers.check(tree)
    yield from sizes.check(tree, ratchet["sizes"])
    yield from dead.check(tree)
    yield from words.check(tree)
    if tightened(ratchet, tree) != ratchet:
        yield Finding(str(RATCHET.relative_to(ROOT)), 1, "files have shrunk below their entries",
                      "./dev tidy --fix, and commit the smaller ratchet")
    for path in gen.generate():
        yield Finding(path, 1, "was out of date with its generator",
                      "it is written anew now: commit it")


def main(arguments):
    parser = argparse.ArgumentParser(prog="./dev tidy")
    parser.add_argument("--fix", action="store_true", help="format, and tighten the ratchet")
    parser.add_argument("--accept", action="store_true",
                        help="enter what is over its limit today into the ratchet")
    options = parser.parse_args(arguments)
    environments.ensure("venv", "tools", "tools that build, test and tidy")
    tree = Tree(ROOT)
    ratchet = read_ratchet()
    if options.fix:
        formatting.fix(tree)
        tree = Tree(ROOT)
    if options.accept:
        ratchet = {"sizes": {key: row[0] for key, row in sizes.measure(tree).items()},
                   "unformatted": sorted(formatting.unformatted(tree))}
    if options.fix or options.accept:
        RATCHET.write_text(written(tightened(ratchet, tree)))
        ratchet = read_ratchet()
    step("tidy: format, layers, sizes, dead files, words, generated files")
    found = sorted(set(findings(tree, ratchet)))
    for finding in found:
        say(str(finding))
    waiting = len(ratchet["sizes"]) + len(ratchet["unformatted"])
    say(f"{len(tree.paths)} files, {len(found)} findings, {waiting} entries left on the ratchet")
    return 1 if found else 0
