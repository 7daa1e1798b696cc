#!/usr/bin/env python3
"""Checks that the tests named in docs/GUARANTEES.md exist.

    .ci/promises.py

The document says what WorkScribe promises, and names the tests and benchmarks that show it: `path: function` for a function, `path`
alone for a file that is run as a whole. A test that is renamed or removed would leave a promise without what shows it, and nobody
would notice. This names each that is gone, and exits with 1 then.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "GUARANTEES.md"

# What stands in backticks and looks like a file of the project, with or without a function.
REFERENCE = re.compile(r"`([\w.-]+(?:/[\w.-]+)+\.(?:rs|py))(?:: (\w+))?`")
# What was meant as one, but is written in another way.
ALMOST = re.compile(r"`[^`\n]*/[^`\n]*\.rs\b[^`\n]*`")
PROMISE = re.compile(r"^### (\d+)\. ", re.MULTILINE)


def fault(path, function):
    """What is wrong with a reference, or None."""
    file = ROOT / path
    if not file.is_file():
        return f"{path}: there is no such file"
    # Not one that is commented out.
    defined = rf"^\s*(?:pub(?:\([a-z ]+\))? )?(?:async )?fn {function}\b"
    if function and not re.search(defined, file.read_text(encoding="utf-8"), re.MULTILINE):
        return f"{path}: {function} is gone"
    return None


def main():
    text = DOCUMENT.read_text(encoding="utf-8")
    references = dict.fromkeys(match.groups() for match in REFERENCE.finditer(text))
    faults = [found for found in (fault(*reference) for reference in references) if found]
    for almost in ALMOST.findall(text):
        if not REFERENCE.fullmatch(almost):
            faults.append(f"{almost} is neither `path` nor `path: function`")
    numbers = [int(number) for number in PROMISE.findall(text)]
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        faults.append(f"the promises are numbered {numbers}")
    if faults:
        print("docs/GUARANTEES.md names what is not there:", *faults, sep="\n  ", file=sys.stderr)
        sys.exit(1)
    functions = sum(function is not None for _, function in references)
    print(f"docs/GUARANTEES.md: {len(numbers)} promises, {functions} tests, each where it is said to be.")


if __name__ == "__main__":
    main()
