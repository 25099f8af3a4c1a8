"""Dead files: sources that no target builds, headers and tables that nothing includes, tools that
nothing calls."""

import re
from pathlib import Path, PurePosixPath

from tidy.layers import MAY_INCLUDE, resolve
from tidy.source import Finding

BUILT = tuple(folder + "/" for folder in MAY_INCLUDE if folder.startswith("src/"))
ENTRY_SCRIPTS = ("tools/dev/__main__.py", "tools/tidy/__init__.py")


def built(path):
    """True if a CMakeLists.txt takes the source by its place or name."""
    if path.startswith(("models/", "apps/lazuli/", "bindings/", "examples/", "tests/",
                        "tools/compile_kernels/")):
        return True
    if path.startswith("bench/"):
        return path.endswith("_bench.cpp")
    return path.startswith(BUILT)


def check_sources(tree):
    included = included_files(tree)
    for path in tree.cpp:
        suffix = Path(path).suffix
        if suffix in (".cpp", ".cu") and not built(path) and path not in included:
            yield Finding(path, 1, "no target builds this source", "move it to a folder that "
                          "src/CMakeLists.txt or bench/CMakeLists.txt lists, or delete it")
    for path in tree.paths:
        header = Path(path).suffix in (".h", ".def")
        if header and path not in included and not path.startswith("include/"):
            yield Finding(path, 1, "nothing includes this file", "include it or delete it")


def included_files(tree):
    """Every file of the checkout that a quoted or bracketed include names."""
    paths = set(tree.paths)
    found = set()
    for path in tree.paths:
        if Path(path).suffix not in (".h", ".cpp", ".cu", ".def"):
            continue
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', tree.text(path),
                                 re.MULTILINE):
            name = match.group(1)
            target = resolve(paths, path, name)
            for folder in ("tests/", "bench/", "bindings/python/"):
                target = target or (folder + name if folder + name in paths else None)
            if target:
                found.add(target)
    return found


def check_scripts(tree):
    """Every Python file of tools/ is imported or named somewhere else."""
    everything = {path: tree.text(path) for path in tree.texts}
    for path in tree.paths:
        if not path.startswith("tools/") or Path(path).suffix != ".py" or path in ENTRY_SCRIPTS:
            continue
        pure = PurePosixPath(path)
        if re.fullmatch(r"gen\w*\.py", pure.name) and str(pure.parent) == "tools":
            continue  # ./dev gen finds these by their name
        word = re.compile(rf"\b{re.escape(pure.stem)}\b")
        if not any(word.search(text) for other, text in everything.items() if other != path):
            yield Finding(path, 1, "nothing imports or names this script", "use it or delete it")


def check(tree):
    yield from check_sources(tree)
    yield from check_scripts(tree)
