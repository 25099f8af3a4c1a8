"""Writes what src/ops/signatures/*.pyi says: C++ headers, Python bindings, stubs, C and Rust,
docs/ops.md, and the state of each name of the oracle."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from signatures.c import outputs as c_outputs  # noqa: E402
from signatures.docs import document, states  # noqa: E402
from signatures.header import header  # noqa: E402
from signatures.places import BINDINGS, C, HEADERS, ROOT, ROWS, RUST, STUBS  # noqa: E402
from signatures.python import (  # noqa: E402
    bindings, documentation_header, families_header)
from signatures.rows import read_families  # noqa: E402
from signatures.rust import outputs as rust_outputs  # noqa: E402
from signatures.stub import stubs  # noqa: E402


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
    files[BINDINGS / "documentation.h"] = documentation_header(families)
    files |= {STUBS / name: text for name, text in stubs(families).items()}
    files[ROOT / "docs" / "ops.md"] = document(families)
    files |= {C / name: text for name, text in c_outputs(families).items()}
    files |= {RUST / name: text for name, text in rust_outputs(families).items()}
    names = ROWS / "oracle_names.txt"
    files[names] = states(names.read_text(), families)
    return files


def main():
    for path, text in outputs(read_families()).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


main()
