"""Totals of test runs, read from the XML files that GoogleTest, CTest and pytest write."""

import xml.etree.ElementTree as xml
from dataclasses import dataclass, field


@dataclass
class Totals:
    """How many passed; which failed; which were skipped, and why."""

    passed: int = 0
    failed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def line(self):
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def reason(element):
    text = element.get("message") or element.text or "no reason given"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # GoogleTest puts file:line first and the reason after it.
    return lines[-1].removeprefix("Skipped:").strip() if lines else "no reason given"


def of_cases(path, suite):
    """The totals of one file with <testcase> elements."""
    totals = Totals()
    for case in xml.parse(path).iter("testcase"):
        name = f"{suite}: {case.get('classname')}.{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            totals.failed.append(name)
        elif skip is not None:
            totals.skipped.append(f"{name}: {reason(skip)}")
        elif case.get("status") in ("notrun", "disabled"):
            totals.skipped.append(f"{name}: disabled in its source")
        else:
            totals.passed += 1
    return totals


def of_ctest(path, case_folder):
    """The totals of a CTest run: the cases of each program, or the program itself as one case."""
    totals = Totals()
    for program in xml.parse(path).iter("testcase"):
        name = program.get("name")
        cases = case_folder / f"{name}.xml"
        part = of_cases(cases, name) if cases.exists() else Totals()
        broken = program.get("status") != "run"
        if broken and not part.failed:
            part.failed.append(f"{name}: the program ended before its tests did")
        elif not broken and not cases.exists():
            part.passed = 1
        totals.add(part)
    return totals
