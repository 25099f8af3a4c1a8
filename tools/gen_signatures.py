"""Writes what src/ops/signatures/*.pyi says: C++ headers, Python bindings, docs/ops.md, and the
state of each name of the oracle."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from signatures.docs import document, states  # noqa: E402
from signatures.header import header  # noqa: E402
from signatures.python import bindings, families_header  # noqa: E402
from signatures.rows import FOLDER, ROOT, read_families  # noqa: E402


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    families = read_families()
    generated = ROOT / "bindings" / "python" / "src" / "generated"
    for family in families:
        write(ROOT / "include" / "lazuli" / "ops" / f"{family.name}.h", header(family))
        write(generated / f"{family.name}.cpp", bindings(family))
    write(generated / "families.h", families_header(families))
    write(ROOT / "docs" / "ops.md", document(families))
    names = FOLDER / "oracle_names.txt"
    write(names, states(names.read_text(), families))


main()
