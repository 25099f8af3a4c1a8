"""Who may include whom. ARCHITECTURE.md tells why; this table is the rule."""

import re

from tidy.source import Finding

# For each folder, the folders it may include from. Public headers have a table of their own below.
MAY_INCLUDE = {
    "src/base": {"src/base"},
    "src/ops/table": {"src/ops/table", "src/base"},
    "src/core": {"src/core", "src/ops/table", "src/base"},
    "src/ops": {"src/ops", "src/ops/table", "src/core", "src/base"},
    "src/transforms": {"src/transforms", "src/ops", "src/ops/table", "src/core", "src/base"},
    "src/compiler": {"src/compiler", "src/ops/table", "src/core", "src/base"},
    "src/runtime": {"src/runtime", "src/compiler", "src/ops/table", "src/core", "src/base"},
    "src/backends/reference": {"src/backends/reference", "src/compiler", "src/ops/table",
                               "src/core", "src/base"},
    "src/backends/cpu": {"src/backends/cpu", "src/compiler", "src/ops/table", "src/core",
                         "src/base"},
    "src/backends/fake": {"src/backends/fake", "src/compiler", "src/ops/table", "src/core",
                          "src/base"},
    "src/backends/cuda": {"src/backends/cuda", "src/compiler", "src/ops/table", "src/core",
                          "src/base"},
    "src/io": {"src/io", "src/base"},
    "src/nn": {"src/nn"},
    "models": {"models"},
    "apps": {"apps", "models"},
    "bindings": {"bindings", "src/ops/table"},  # the rows, to bind them all
    "examples": {"examples", "models"},
}
# Single files that may see more than their folder.
EXCEPTIONS = {
    "src/runtime/registry.cpp": {"src/backends/reference", "src/backends/cpu", "src/backends/cuda",
                                 "src/backends/fake",
                                 "src/backends"},
}
# The layer whose declarations a public header holds: that layer and the ones above may include it.
PUBLIC_LAYER = {
    "lazuli/version.h": "src/base", "lazuli/error.h": "src/base", "lazuli/half.h": "src/base",
    "lazuli/small_vector.h": "src/base", "lazuli/interrupt.h": "src/base",
    "lazuli/printable.h": "src/base",
    "lazuli/dtype.h": "src/core", "lazuli/shape.h": "src/core", "lazuli/device.h": "src/core",
    "lazuli/stream.h": "src/core", "lazuli/array.h": "src/core", "lazuli/memory.h": "src/core",
    "lazuli/packed_format.h": "src/core", "lazuli/print.h": "src/core",
}
# Any other public header belongs to the ops or above them.
OPS_AND_ABOVE = {"src/ops", "src/transforms", "src/io", "src/nn", "src/runtime"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


def layer_of(path):
    """The longest folder of the table that holds the path, or None."""
    holders = [folder for folder in MAY_INCLUDE if path.startswith(folder + "/")]
    return max(holders, key=len, default=None)


def resolve(tree_paths, path, included):
    """The file of the checkout that an include means, or None for a header from elsewhere."""
    beside = path.rsplit("/", 1)[0] + "/" + included
    for candidate in (f"include/{included}", f"src/{included}", f"models/{included}",
                      f"apps/lazuli/{included}", f"bindings/python/src/{included}",
                      f"bindings/c/include/{included}", beside):
        if candidate in tree_paths:
            return candidate
    return None


def includes(tree, path):
    """Pairs of line and included name of each quoted include outside comments."""
    code = tree.code(path).splitlines()
    for number, line in enumerate(tree.text(path).splitlines(), 1):
        match = INCLUDE.match(line)
        if match and code[number - 1].lstrip().startswith("#"):
            yield number, match.group(1)


def may_see_public(layer, header):
    if not layer.startswith("src/"):
        return True
    home = PUBLIC_LAYER.get(header)
    if home is None:
        return layer in OPS_AND_ABOVE
    return home == layer or home in MAY_INCLUDE[layer] or layer in ("src/io", "src/nn")


def check(tree):
    paths = set(tree.paths)
    for path in tree.cpp:
        layer = layer_of(path)
        if layer is None:
            continue
        allowed = MAY_INCLUDE[layer] | EXCEPTIONS.get(path, set())
        for line, included in includes(tree, path):
            target = resolve(paths, path, included)
            if target is None:
                continue
            if target.startswith("include/"):
                if not may_see_public(layer, included):
                    yield Finding(path, line, f"{layer} includes the public header {included} of a "
                                  "layer above it", "move what is needed down, or give the header "
                                  "its row in PUBLIC_LAYER of tools/tidy/layers.py")
                continue
            home = layer_of(target) or target.rsplit("/", 1)[0]
            if home not in allowed:
                yield Finding(path, line, f"{layer} may not include {included} of {home}",
                              f"{layer} sees {', '.join(sorted(allowed))} and the public headers: "
                              "move the declaration down, or the code up")
