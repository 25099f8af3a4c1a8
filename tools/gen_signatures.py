"""Writes what src/ops/signatures/*.pyi says: C++ headers, Python bindings, stubs, C and Rust,
docs/ops.md, and the state of each name of the oracle."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from signatures.docs import document, states  # noqa: E402
from signatures.header import header  # noqa: E402
from signatures.places import BINDINGS, HEADERS, ROOT, ROWS  # noqa: E402
from signatures.python import bindings, families_header  # noqa: E402
from signatures.rows import read_families  # noqa: E402


def outputs(families):
    """Path -> text of every file that is written from the rows."""
    files = {}
    for family in families:
        if any(row.declarations for row in family.rows) and not family.header:
            folder = HEADERS.parent if family.namespace else HEADERS
            files[folder / f"{family.name}.h"] = header(family)
        if family.bound:
            files[BINDINGS / f"{family.name}.cpp"] = bindings(family)
    files[BINDINGS / "families.h"] = families_header(families)
    files[ROOT / "docs" / "ops.md"] = document(families)
    names = ROWS / "oracle_names.txt"
    files[names] = states(names.read_text(), families)
    return files


def main():
    for path, text in outputs(read_families()).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


main()
