#!/usr/bin/env python3
"""Proves that the imports between the areas of a crate have no cycle: `python3 .ci/layers.py`.

An area is a folder or a file right below `src`. An import counts for the file that defines what it names: the re-exports of a
`mod.rs` or of `lib.rs` are followed. Files of one area may import each other as they like; a cycle that runs through more than one
area is refused, and every import of it that goes from one area to another is named with its line. Tests within files do not count.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORD = r"[A-Za-z_][A-Za-z0-9_]*"


def code_of(text: str) -> str:
    """The text without comments, literals and tests, line for line."""
    text = re.sub(r"#\[cfg\(test\)\]\n(pub(\([a-z]+\))? )?mod \w+ \{.*?\n\}\n", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(\\.|[^"\\])*"', lambda m: '""' + "\n" * m[0].count("\n"), text)


def leaves(tree: str, prefix: list[str]):
    """The paths of a `use` tree, each with its name here."""
    tree = tree.strip()
    if group := re.fullmatch(r"(.*?)\{(.*)\}", tree, re.S):
        prefix = prefix + [part for part in re.split(r"\s*::\s*", group[1].strip()) if part]
        depth, start, inner = 0, 0, group[2] + ","
        for at, char in enumerate(inner):
            depth += (char == "{") - (char == "}")
            if char == "," and depth == 0:
                if inner[start:at].strip():
                    yield from leaves(inner[start:at], prefix)
                start = at + 1
        return
    path, _, alias = tree.partition(" as ")
    parts = prefix + [part for part in re.split(r"\s*::\s*", path.strip()) if part]
    if parts[-1] == "self":
        parts.pop()
    yield parts, alias.strip() or parts[-1]


class Crate:
    def __init__(self, src: Path):
        self.src = src
        self.files: dict[tuple, Path] = {}
        self.uses: dict[tuple, list] = {}
        for file in sorted(src.rglob("*.rs")):
            parts = file.relative_to(src).with_suffix("").parts
            self.files[() if parts in (("lib",), ("main",)) else parts[:-1] if parts[-1] == "mod" else parts] = file
        self.aliases: dict[tuple, dict] = defaultdict(dict)
        self.globs: dict[tuple, list] = defaultdict(list)
        for module, file in self.files.items():
            self.uses[module] = list(self.paths(module, code_of(file.read_text())))

    def paths(self, module: tuple, code: str):
        statement = re.compile(rf"^[ \t]*(pub(?:\([^)]*\))? )?use ([^;]+);", re.M)
        for found in statement.finditer(code):
            line = code.count("\n", 0, found.start(2)) + 1
            for parts, name in leaves(found[2], []):
                path = self.absolute(module, parts)
                if path is None:
                    continue
                if name == "*":
                    self.globs[module].append(path[:-1])
                else:
                    self.aliases[module][name] = path
                yield path, line
        rest = statement.sub(lambda m: "\n" * m[0].count("\n"), code)
        for found in re.finditer(rf"\b(?:crate|super)(?:::{WORD})+", rest):
            path = self.absolute(module, found[0].split("::"))
            if path is not None:
                yield path, rest.count("\n", 0, found.start()) + 1

    def absolute(self, module: tuple, parts: list[str]):
        """A path from the crate's root, or `None` for another crate's."""
        if parts[0] == "crate":
            return tuple(parts[1:])
        if parts[0] in ("super", "self"):
            base, rest = module, parts
            while rest and rest[0] in ("super", "self"):
                base, rest = (base[:-1] if rest[0] == "super" else base), rest[1:]
            return base + tuple(rest)
        return module + tuple(parts) if module + (parts[0],) in self.files else None

    def defined_in(self, path: tuple, depth: int = 0):
        """The module that defines what a path names."""
        module = ()
        for at, part in enumerate(path):
            if module + (part,) in self.files:
                module += (part,)
                continue
            target = self.aliases[module].get(part)
            if target is not None and target != path and depth < 20:
                return self.defined_in(target + path[at + 1 :], depth + 1)
            for glob in self.globs[module]:
                if depth < 20 and self.names(self.defined_in(glob, depth + 1), part):
                    return self.defined_in(glob + path[at:], depth + 1)
            break
        return module

    def names(self, module: tuple, name: str) -> bool:
        text = self.files[module].read_text()
        return name in self.aliases[module] or re.search(rf"\b(struct|enum|trait|type|fn|const|static|mod) {name}\b", text) is not None

    def area(self, module: tuple) -> str:
        return module[0] if module else "lib.rs"

    def edges(self):
        """From file to file, with the lines."""
        found = defaultdict(set)
        for module, uses in self.uses.items():
            for path, line in uses:
                target = self.defined_in(path)
                # What re-exports alone stands above everything.
                if target != module and module != ():
                    found[module, target].add(line)
        return found


def components(nodes, edges):
    """Strongly connected components (Tarjan 1972), without recursion."""
    after = defaultdict(list)
    for source, target in edges:
        after[source].append(target)
    index, low, stack, on_stack, out = {}, {}, [], set(), []
    for root in nodes:
        if root in index:
            continue
        work = [(root, iter(after[root]))]
        index[root] = low[root] = len(index)
        stack.append(root), on_stack.add(root)
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in index:
                    index[successor] = low[successor] = len(index)
                    stack.append(successor), on_stack.add(successor)
                    work.append((successor, iter(after[successor])))
                    break
                if successor in on_stack:
                    low[node] = min(low[node], index[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    out.append(component)
    return out


def main() -> int:
    failed = False
    for src in sorted(ROOT.glob("*/src")):
        crate = Crate(src)
        edges = crate.edges()
        for component in components(list(crate.files), edges):
            areas = {crate.area(module) for module in component}
            if len(areas) < 2:
                continue
            failed = True
            members = set(component)
            print(f"{src.relative_to(ROOT)}: {len(component)} files of {len(areas)} areas import each other in a circle. Break one of:")
            for (source, target), lines in sorted(edges.items()):
                if {source, target} <= members and crate.area(source) != crate.area(target):
                    for line in sorted(lines):
                        file = crate.files[source].relative_to(ROOT)
                        print(f"  {file}:{line}: imports {'::'.join(target) or 'the root'}")
    if not failed:
        print("No imports between areas run in a circle.")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
