"""C++ declarations as text: their parameters, their stream, their lines."""

import re
from dataclasses import dataclass


@dataclass
class CppParameter:
    type: str
    name: str
    default: str | None


@dataclass
class Declaration:
    text: str
    returns: str
    name: str
    parameters: list
    generic: bool  # a template or an inline helper: nothing that other languages call

    @property
    def names(self):
        return [parameter.name for parameter in self.parameters]


def split_list(text):
    """The parts of a list at its commas outside brackets."""
    parts, depth, current = [], 0, ""
    for letter in text:
        depth += (letter in "(<[{") - (letter in ")>]}")
        if letter == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += letter
    return [part.strip() for part in [*parts, current] if part.strip()]


def read_parameter(text):
    declared, _, default = text.partition(" = ")
    kind, name = re.fullmatch(r"(.*[\s&*])(\w+)", declared).groups()
    return CppParameter(kind.strip(), name, default or None)


def read_declaration(text):
    generic = text.startswith(("inline ", "template"))
    plain = re.sub(r"^template <[^>]*>\s*|^inline ", "", " ".join(text.split()))
    match = re.match(r"(.*?)\b(\w+)\((.*?)\)(?: \{.*\})?$", plain)
    return Declaration(text, match[1].strip(), match[2],
                       [] if generic else [read_parameter(p) for p in split_list(match[3])],
                       generic)


def with_stream(text):
    """The declaration with the stream that every operation takes last."""
    if "\n" in text or "StreamOrDevice" in text:
        return text if text.endswith(("}", ";")) else f"{text};"
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and depth == 0:
            break
    comma = "" if text[at - 1] == "(" else ", "
    return f"{text[:at]}{comma}StreamOrDevice s = {{}}){text[at + 1:] or ';'}"


def wrap(text, width=100):
    """Breaks behind a comma, aligned to the opening bracket."""
    if "\n" in text:
        return text
    lines, indent = [], text.index("(") + 1
    while len(text) > width:
        at = text.rindex(", ", 0, width) + 1
        lines.append(text[:at])
        text = " " * indent + text[at + 1:]
    return "\n".join([*lines, text])
