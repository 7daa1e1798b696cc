"""The proof that breaking.py finds what it must: ways to break an OpenAPI document, and changes that break nothing."""

import copy

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def operations(root: dict):
    return [one for item in root["paths"].values() for method, one in item.items() if method in METHODS]


def first(root: dict, part: str, fits):
    """The first parameter, answer or request body that fits."""
    for operation in operations(root):
        found = operation.get(part, [])
        if part == "requestBody":
            found = [found] if found else []
        for one in found.values() if isinstance(found, dict) else found:
            if fits(one):
                return one
    raise LookupError(f"no {part} left to break")


def model(root: dict, request: bool, fits=lambda schema, name: True) -> tuple[dict, str]:
    """A schema that is the body of a request (or an answer), with a required field that fits."""
    body = first(root, "requestBody" if request else "responses", lambda one: any(fields(root, one, fits)))
    return fields(root, body, fits)[0]


def fields(root: dict, body: dict, fits) -> list:
    schemas = [root["components"]["schemas"][media["schema"]["$ref"].rpartition("/")[2]]
               for media in body.get("content", {}).values() if "$ref" in media.get("schema", {})]
    return [(schema, name) for schema in schemas for name in schema.get("required", []) if fits(schema["properties"][name], name)]


def field(root: dict, request: bool, key: str = "type") -> dict:
    schema, name = model(root, request, lambda one, _: key in one)
    return schema["properties"][name]


def enum_of(root: dict, part: str = "parameters") -> dict:
    return first(root, part, lambda one: "enum" in one["schema"])["schema"]


def drop_field(schema: dict, name: str):
    del schema["properties"][name]
    schema["required"].remove(name)


def add_field(schema: dict, required: bool):
    schema["properties"]["added_field"] = {"type": "string"}
    schema["required"] += ["added_field"] * required


def role(root: dict) -> list:
    return root["components"]["schemas"]["Role"]["enum"]


def parameter(required: bool) -> dict:
    return {"in": "query", "name": "added", "required": required, "schema": {"type": "string"}}


def public(root: dict) -> dict:
    return next(one for one in operations(root) if one.get("security") == [])


def optional(one: dict) -> bool:
    return not one.get("required", False)


# Each with words of the line that must name it.
BREAKS = {
    "path": (lambda root: root["paths"].popitem(), "path"),
    "operation": (lambda root: next(item for item in root["paths"].values() if "post" in item).pop("post"), "operation post removed"),
    "operationId": (lambda root: operations(root)[0].update(operationId="other"), "operationId changed"),
    "answer's status": (lambda root: operations(root)[0]["responses"].popitem(), "removed"),
    "answer's media type": (lambda root: first(root, "responses", lambda one: "content" in one)["content"].popitem(), "media type"),
    "answer's header": (lambda root: first(root, "responses", lambda one: "headers" in one)["headers"].popitem(), "header"),
    "answer's field": (lambda root: drop_field(*model(root, False)), "removed"),
    "answer's field optional": (lambda root: model(root, False)[0]["required"].pop(), "optional now"),
    "answer's field null": (lambda root: field(root, False).update(nullable=True), "may now be null"),
    "answer's type": (lambda root: field(root, False).update(type="boolean"), "type changed"),
    "request's field": (lambda root: drop_field(*model(root, True)), "removed"),
    "request's new required field": (lambda root: add_field(model(root, True)[0], True), "added and required"),
    "request's type": (lambda root: field(root, True).update(type="boolean"), "type changed"),
    "request's length": (lambda root: field(root, True, "maxLength").update(maxLength=1), "maxLength changed"),
    "request's pattern": (lambda root: field(root, True).update(pattern="^a$"), "pattern changed"),
    "request's enum": (lambda root: role(root).remove("member"), "enum value 'member' removed"),
    "request's body required": (lambda root: first(root, "requestBody", optional).update(required=True), "required now"),
    "parameter": (lambda root: next(one for one in operations(root) if "parameters" in one)["parameters"].pop(), "removed"),
    "parameter required": (lambda root: first(root, "parameters", optional).update(required=True), "required now"),
    "new required parameter": (lambda root: operations(root)[0].setdefault("parameters", []).append(parameter(True)), "added"),
    "parameter's type": (lambda root: first(root, "parameters", optional)["schema"].update(type="object"), "type changed"),
    "parameter's enum": (lambda root: enum_of(root)["enum"].pop(), "enum value"),
    "security": (lambda root: public(root).update(security=[{"bearer": []}]), "stricter"),
    "unknown keyword": (lambda root: field(root, False).update({"not": {}}), "not changed"),
}
HARMLESS = {
    "nothing": lambda root: None,
    "sentence": lambda root: field(root, True).update(description="Other words."),
    "path added": lambda root: root["paths"].update({"/added": {"get": {"responses": {}}}}),
    "request's field null": lambda root: field(root, True).update(nullable=True),
    "request's field optional": lambda root: model(root, True)[0]["required"].pop(),
    "request's new field": lambda root: add_field(model(root, True)[0], False),
    "answer's new field": lambda root: add_field(model(root, False)[0], True),
    "enum's new value": lambda root: role(root).append("guest"),
    "new parameter": lambda root: operations(root)[0].setdefault("parameters", []).append(parameter(False)),
}


def overlooked(root: dict, breaking) -> list[str]:
    """What `breaking(old, new)` overlooks of the breaks of `root`, or finds where there is none."""
    faults = []
    for name, (change, words) in BREAKS.items():
        change(broken := copy.deepcopy(root))
        if not any(words in line for line in breaking(root, broken)):
            faults.append(f"a break is overlooked: {name}")
    for name, change in HARMLESS.items():
        change(other := copy.deepcopy(root))
        faults += [f"a harmless change is refused: {name}: {line}" for line in breaking(root, other)]
    return faults
