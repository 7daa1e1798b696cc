#!/usr/bin/env python3
"""Compares two OpenAPI 3.0 documents and refuses changes that break a client: `.ci/openapi/breaking.py OLD NEW`.

OLD is .ci/openapi/baseline.json, the document that clients were generated from; NEW is docs/openapi.json. A request may only become
wider, an answer only narrower. A difference that this program has no rule for counts as breaking. A value added to an enum of
answers is named but accepted, as oasdiff does it: clients must expect new values.

An intended break is made so: copy docs/openapi.json over .ci/openapi/baseline.json, and tell clients of it in CHANGELOG.md, in the
same commit. Before it compares, the program breaks NEW in each way of trials.py, and fails if it overlooks one of them.

README.md beside this file says why no package does this.
"""

import json
import sys
from pathlib import Path

import trials

# What only people read.
WORDS = {"description", "example", "examples", "summary", "title", "tags", "externalDocs", "deprecated", "bearerFormat"}
UPPER = {"maximum", "maxLength", "maxItems", "maxProperties"}
LOWER = {"minimum", "minLength", "minItems", "minProperties"}
# The other keywords of a schema that have a rule.
RULED = {"type", "nullable", "enum", "pattern", "format", "uniqueItems", "default"} | {"properties", "required", "additionalProperties"}
ABSENT = object()


class Comparison:
    def __init__(self, old: dict, new: dict):
        self.old, self.new = old, new
        self.breaking: list[str] = []
        self.accepted: list[str] = []
        # By identity, with what was compared, so that no other object takes its identity.
        self.seen: dict[tuple, tuple] = {}
        self.document()

    def note(self, breaks: bool, where: str, what: str):
        found = self.breaking if breaks else self.accepted
        if (line := f"{where}: {what}") not in found:
            found.append(line)

    def resolved(self, root: dict, node: dict) -> dict:
        while "$ref" in node:
            target = root
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def flat(self, root: dict, schema: dict) -> dict:
        """The schema without `$ref` and `allOf`."""
        schema = self.resolved(root, schema)
        parts = [self.flat(root, part) for part in schema.get("allOf", [])]
        parts.append({key: value for key, value in schema.items() if key != "allOf"})
        whole: dict = {}
        for part in parts:
            for key, value in part.items():
                if key == "properties":
                    value = {**whole.get(key, {}), **value}
                elif key == "required":
                    value = sorted({*whole.get(key, []), *value})
                elif key == "enum" and key in whole:
                    value = [one for one in value if one in whole[key]]
                whole[key] = value
        return whole

    def rest(self, old: dict, new: dict, where: str, known: set[str]):
        """What no rule knows must be as it was."""
        for key in sorted({*old, *new} - known - WORDS):
            if not key.startswith("x-") and old.get(key, ABSENT) != new.get(key, ABSENT):
                self.note(True, where, f"{key} changed")

    def keys(self, old: dict, new: dict, where: str, what: str) -> list[str]:
        """The keys of both. One that is gone breaks, one that is new does not."""
        for key in sorted({*old, *new}):
            if key not in new:
                self.note(True, where, f"{what} {key} removed")
            elif key not in old:
                self.note(False, where, f"{what} {key} added")
        return [key for key in old if key in new]

    def document(self):
        old, new = self.old, self.new
        self.rest(old, new, "document", {"openapi", "info", "paths", "components", "security", "servers"})
        self.keys(*({one["url"]: one for one in root.get("servers", [])} for root in (old, new)), "document", "server")
        parts, other = (root.get("components", {}) for root in (old, new))
        # Generated clients take the names of schemas.
        self.keys(parts.get("schemas", {}), other.get("schemas", {}), "components", "schema")
        schemes = [one.get("securitySchemes", {}) for one in (parts, other)]
        for name in self.keys(*schemes, "components", "security scheme"):
            self.rest(schemes[0][name], schemes[1][name], f"security scheme {name}", set())
        for path in self.keys(old["paths"], new["paths"], "document", "path"):
            items = old["paths"][path], new["paths"][path]
            self.rest(*items, path, trials.METHODS | {"parameters"})
            operations = [{key: value for key, value in item.items() if key in trials.METHODS} for item in items]
            for method in self.keys(*operations, path, "operation"):
                self.operation(*items, method, f"{method.upper()} {path}")

    def operation(self, old_item: dict, new_item: dict, method: str, where: str):
        old, new = old_item[method], new_item[method]
        self.rest(old, new, where, {"parameters", "requestBody", "responses", "security"})
        self.parameters(self.parameters_of(self.old, old_item, old), self.parameters_of(self.new, new_item, new), where)
        old_ways, new_ways = self.ways(self.old, old), self.ways(self.new, new)
        if not all(any(new_way <= way for new_way in new_ways) for way in old_ways):
            self.note(True, where, "security is stricter")
        old_body, new_body = (self.resolved(root, it["requestBody"]) if "requestBody" in it else None
                              for root, it in ((self.old, old), (self.new, new)))
        if old_body is None or new_body is None:
            if old_body is not new_body:
                self.note(new_body is None or new_body.get("required", False), where,
                          "request body removed" if new_body is None else "request body added")
        else:
            self.required(old_body, new_body, f"{where} request body", True)
            self.rest(old_body, new_body, f"{where} request body", {"required", "content"})
            self.content(old_body, new_body, f"{where} request", True)
        for status in self.keys(old["responses"], new["responses"], where, "answer"):
            place = f"{where} answer {status}"
            answers = self.resolved(self.old, old["responses"][status]), self.resolved(self.new, new["responses"][status])
            self.rest(*answers, place, {"content", "headers"})
            self.content(*answers, place, False)
            headers = [{key.lower(): value for key, value in answer.get("headers", {}).items()} for answer in answers]
            for name in self.keys(*headers, place, "header"):
                header = self.resolved(self.old, headers[0][name]), self.resolved(self.new, headers[1][name])
                self.required(*header, f"{place} header {name}", False)
                self.rest(*header, f"{place} header {name}", {"required", "schema"})
                self.schema(header[0].get("schema", {}), header[1].get("schema", {}), f"{place} header {name}", False)

    def ways(self, root: dict, operation: dict) -> list[frozenset]:
        ways = operation.get("security", root.get("security", [])) or [{}]
        return [frozenset((name, scope) for name, scopes in way.items() for scope in [None, *scopes]) for way in ways]

    def parameters_of(self, root: dict, item: dict, operation: dict) -> dict:
        every = [self.resolved(root, one) for one in item.get("parameters", []) + operation.get("parameters", [])]
        return {f"{one['in']} {one['name'].lower() if one['in'] == 'header' else one['name']}": one for one in every}

    def parameters(self, old: dict, new: dict, where: str):
        for name in sorted({*old, *new}):
            place = f"{where} parameter {name}"
            if name not in new:
                self.note(True, place, "removed")
            elif name not in old:
                self.note(new[name].get("required", False), place, "added")
            else:
                self.required(old[name], new[name], place, True)
                self.rest(old[name], new[name], place, {"required", "schema", "name"})
                self.schema(old[name].get("schema", {}), new[name].get("schema", {}), place, True)

    def required(self, old: dict, new: dict, where: str, request: bool):
        before, after = old.get("required", False), new.get("required", False)
        if before != after:
            self.note(after == request, where, "required now" if after else "optional now")

    def content(self, old: dict, new: dict, where: str, request: bool):
        for kind in self.keys(old.get("content", {}), new.get("content", {}), where, "media type"):
            media = old["content"][kind], new["content"][kind]
            self.rest(*media, f"{where} {kind}", {"schema"})
            self.schema(media[0].get("schema", {}), media[1].get("schema", {}), where, request)

    def schema(self, old_raw: dict, new_raw: dict, where: str, request: bool):
        """Compares two schemas. `request` says who writes the value: the client, or else the server."""
        side = "request" if request else "answer"
        if old_raw.keys() == {"$ref"}:
            where = f"{old_raw['$ref'].rpartition('/')[2]} ({side})"
        if not old_raw and not new_raw:
            return
        if (pair := (id(old_raw), id(new_raw), request)) in self.seen:
            return
        self.seen[pair] = old_raw, new_raw
        old, new = self.flat(self.old, old_raw), self.flat(self.new, new_raw)

        def narrower(what: str):
            self.note(request, where, what)

        def wider(what: str):
            self.note(not request, where, what)

        if old.get("type") != new.get("type"):
            kinds = old.get("type"), new.get("type")
            text = "type changed from {} to {}".format(*kinds)
            if kinds == ("integer", "number") or kinds[1] is None:
                wider(text)
            elif kinds == ("number", "integer") or kinds[0] is None:
                narrower(text)
            else:
                self.note(True, where, text)
        if (null := new.get("nullable", False)) != old.get("nullable", False):
            (wider if null else narrower)(f"may {'now' if null else 'no longer'} be null")
        if "enum" in old and "enum" in new:
            for value in [one for one in old["enum"] if one not in new["enum"]]:
                narrower(f"enum value {value!r} removed")
            for value in [one for one in new["enum"] if one not in old["enum"]]:
                self.note(False, where, f"enum value {value!r} added")
        for key in ["enum", "pattern", "format", "uniqueItems", *sorted(UPPER | LOWER)]:
            before, after = old.get(key), new.get(key)
            if before == after or key == "enum" and None not in (before, after):
                continue
            text = f"{key} changed from {before} to {after}"
            if before is None or after is None:
                (narrower if before is None else wider)(text)
            elif key in UPPER | LOWER:
                (wider if (after > before) == (key in UPPER) else narrower)(text)
            else:
                self.note(True, where, text)
        if old.get("default") != new.get("default"):
            self.note(request, where, f"default changed from {old.get('default')} to {new.get('default')}")

        fields, others = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", [])), set(new.get("required", []))
        for name in sorted({*fields, *others}):
            place = f"{where}.{name}"
            if name not in others:
                self.note(True, place, "removed")
            elif name not in fields:
                self.note(request and name in needs, place, "added and required" if name in needs else "added")
            else:
                self.required({"required": name in needed}, {"required": name in needs}, place, request)
                self.schema(fields[name], others[name], place, request)
        if "items" in old and "items" in new:
            self.schema(old["items"], new["items"], f"{where}[]", request)
        more, mores = ({} if one is True else one for one in (it.get("additionalProperties", True) for it in (old, new)))
        if False in (more, mores):
            if more != mores:
                (narrower if mores is False else wider)("additionalProperties changed")
        else:
            self.schema(more, mores, f"{where}.*", request)
        # `items` has its rule only where both have it.
        self.rest(old, new, where, RULED | UPPER | LOWER | ({"items"} if "items" in old and "items" in new else set()))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    old, new = (json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:])
    if faults := trials.overlooked(new, lambda old, new: Comparison(old, new).breaking):
        sys.exit("\n".join([".ci/openapi/breaking.py does not do what it should:", *faults]))
    found = Comparison(old, new)
    for line in found.accepted:
        print(f"compatible: {line}")
    if found.breaking:
        print(f"{sys.argv[2]} breaks clients that were made for {sys.argv[1]}:", *found.breaking, sep="\n  ", file=sys.stderr)
        sys.exit(
            "If that is intended, copy docs/openapi.json over .ci/openapi/baseline.json and say it in CHANGELOG.md, in the same commit."
        )
    print(f"{sys.argv[2]} has no breaking change, and all {len(trials.BREAKS)} trial breaks of it were found.")


if __name__ == "__main__":
    main()
