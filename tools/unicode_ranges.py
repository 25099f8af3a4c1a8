"""Writes models/common/unicode/ranges.h: which characters are letters and numbers.

    unicode_ranges.py            (needs the package unicodedata2==16.0.0)

Not one of the generators of `./dev gen`: Python's own database is as old as the Python. Version 16
is the one that the package `tokenizers` splits text by, which the ids are compared with.
"""

from pathlib import Path

import unicodedata2

VERSION = "16.0.0"
TARGET = Path(__file__).resolve().parent.parent / "models/common/unicode/ranges.h"
HEAD = f"""\
// The characters of Unicode {VERSION} whose general category is a letter or a number.
// Written by tools/unicode_ranges.py.
#pragma once

namespace lazuli::models {{

struct CharacterRange {{
  char32_t first, last;
}};

// clang-format off
"""
TAIL = """\
// clang-format on

}  // namespace lazuli::models
"""


def ranges(group):
    """The first and last code points of the runs whose category begins with `group`."""
    found = []
    for code in range(0x110000):
        if unicodedata2.category(chr(code))[0] != group:
            continue
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def array(name, rows):
    """The C++ array, as many entries a line as fit."""
    lines, line = [f"inline constexpr CharacterRange {name}[] = {{"], "   "
    for first, last in rows:
        entry = f" {{{first:#x}, {last:#x}}},"
        if len(line + entry) > 100:
            lines.append(line)
            line = "   "
        line += entry
    return "\n".join([*lines, line, "};\n"])


def main():
    if unicodedata2.unidata_version != VERSION:
        raise SystemExit(f"unicodedata2 has Unicode {unicodedata2.unidata_version}, not {VERSION}")
    TARGET.write_text(HEAD + array("letter_ranges", ranges("L"))
                      + array("number_ranges", ranges("N")) + TAIL)


main()
