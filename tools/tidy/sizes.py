"""Sizes: lines of files and functions, columns, files in a folder. What is over may only shrink."""

import ast
import functools
import re
from collections import Counter
from pathlib import Path, PurePosixPath

from tidy.source import CPP_SUFFIXES, Finding

FILE_LINES = 500
FILE_LINES_NEVER = 800
FUNCTION_LINES = 70
KERNEL_LINES = 120
COLUMNS = 100
TABLE_COLUMNS = 140  # one row of a table is one line
FOLDER_FILES = 25
CHECKED = CPP_SUFFIXES | {".py", ".def", ".md", ".rs", ".cmake"}
MEND = {
    "file": "split the file by subject",
    "function": "keep the control flow and move plain work into helpers",
    "columns": "break the lines",
    "folder": "give a group of the files a folder of its own",
}
SCOPE = re.compile(r"\b(namespace|class|struct|union|extern)\b[^()=]*$")
NAME = re.compile(r"([~\w:]+|operator\s*[^\s(]+)\s*\($")


def function_limit(path):
    return KERNEL_LINES if path.startswith("src/backends/") else FUNCTION_LINES


def without_preprocessor(code):
    """Blanks preprocessor lines and their continuations."""
    return re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*",
                  lambda match: re.sub(r"[^\n]", " ", match.group()), code, flags=re.MULTILINE)


def function_name(header):
    """The name in front of the parameter list of a definition, or None if it is no function."""
    depth = 0
    for position, letter in enumerate(header):
        if letter == "(" and depth == 0:
            match = NAME.search(header[:position + 1])
            if match and match.group(1) not in ("alignas", "decltype", "requires", "noexcept",
                                                "__attribute__"):
                return match.group(1)
        depth += (letter in "(<[") - (letter in ")>]" and depth > 0)
    return None


def cpp_functions(code):
    """Triples of name, first line and line count of the functions defined in C++ code."""
    code = without_preprocessor(code)
    stack, header_start, line = [], 0, 1
    found = []
    for position, letter in enumerate(code):
        if letter == "\n":
            line += 1
        elif letter == "{":
            header = code[header_start:position]
            in_scope = all(kind == "scope" for kind, *_ in stack)
            if in_scope and SCOPE.search(header) and not header.rstrip().endswith(")"):
                stack.append(("scope",))
            else:
                name = function_name(header) if in_scope else None
                first = line - header.strip().count("\n")
                stack.append(("function", name, first) if name else ("other",))
            header_start = position + 1
        elif letter == "}":
            if stack:
                kind, *rest = stack.pop()
                if kind == "function":
                    found.append((rest[0], rest[1], line - rest[1] + 1))
            header_start = position + 1
        elif letter == ";" and all(kind == "scope" for kind, *_ in stack):
            header_start = position + 1
    return found


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def functions(tree, path):
    suffix = Path(path).suffix
    if suffix in CPP_SUFFIXES:
        return cpp_functions(tree.code(path))
    return python_functions(tree.text(path)) if suffix == ".py" else ()


@functools.lru_cache(maxsize=None)
def measure(tree):
    """Everything over its limit: a dictionary from key to (size, limit, path, line)."""
    over = {}
    folders = Counter()
    for path in tree.paths:
        if Path(path).suffix in CHECKED:
            folders[str(PurePosixPath(path).parent)] += 1
        if Path(path).suffix not in CHECKED or tree.generated(path):
            continue
        lines = tree.text(path).splitlines()
        if len(lines) > FILE_LINES:
            over[f"file {path}"] = (len(lines), FILE_LINES, path, 1)
        columns = TABLE_COLUMNS if path.endswith(".def") else COLUMNS
        long_lines = [number for number, line in enumerate(lines, 1) if len(line) > columns]
        if long_lines and Path(path).suffix != ".md":
            over[f"columns {path}"] = (len(long_lines), 0, path, long_lines[0])
        limit = function_limit(path)
        for name, first, size in functions(tree, path):
            key = f"function {path} {name}"
            if size > limit and size > over.get(key, (0,))[0]:
                over[key] = (size, limit, path, first)
    for folder, count in folders.items():
        if count > FOLDER_FILES:
            over[f"folder {folder}"] = (count, FOLDER_FILES, folder, 0)
    return over


def describe(key, size, limit):
    kind, rest = key.split(" ", 1)
    return {
        "file": f"{size} lines, the limit is {limit}",
        "function": f"{rest.split(' ')[-1]} has {size} lines, the limit is {limit}",
        "columns": f"lines with too many columns: {size}; the limit is {COLUMNS} columns",
        "folder": f"{size} files in one folder, the limit is {limit}",
    }[kind]


def check(tree, ratchet):
    """Compares with the ratchet, a dictionary from key to the size allowed so far."""
    for key, (size, limit, path, line) in measure(tree).items():
        kind = key.split(" ", 1)[0]
        never = kind == "file" and size > FILE_LINES_NEVER
        if size > ratchet.get(key, limit) or never:
            yield Finding(path, line, describe(key, size, limit), MEND[kind])
