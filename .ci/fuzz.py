#!/usr/bin/env python3
"""Asks the server whatever its OpenAPI documents allow, and much that they do not, and looks at every answer.

    ./test --with .ci/fuzz.py PROGRAM DOCUMENT [SEED]

Schemathesis makes the requests, of DOCUMENT and then of the operators'. An answer must not be a 5xx, must be one that the
document tells of, in status, type and form, and a request that the document does not allow must be refused. The things that paths name are there, so that requests
get past the door. One seed makes the same requests every time: 1, unless another is given, which finds other things.
Schemathesis is on the PATH.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

# In no example of the document: failed logins would keep them out.
OWNER, MEMBER = "owner@fuzz.example", "member@fuzz.example"
PASSWORD = "correct horse battery"
ADMIN_TOKEN = "an-operators-token-for-fuzzing-q7Zx2Lw9"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
]
# What takes away or renames what the others need comes after them. Wrong passwords keep their owner out, so that is last.
RENAMING = ["updateProject", "updateOrganization"]
LAST = ["deleteOrganization", "changePassword"]


def each(option, operations):
    return [word for operation in operations for word in (option, operation)]


ROUNDS = [
    ["--exclude-method", "DELETE", *each("--exclude-operation-id", RENAMING + LAST)],
    each("--include-operation-id", RENAMING),
    ["--include-method", "DELETE", *each("--exclude-operation-id", LAST)],
    each("--include-operation-id", LAST),
]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Client:
    """Makes what is fuzzed."""

    def __init__(self, base):
        self.base, self.token = base, None

    def ask(self, method, path, body=None):
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def post(self, path, body):
        return self.ask("POST", path, body)

    def login(self, email):
        credentials = {"email": email, "password": PASSWORD}
        self.token = self.post("/auth/login", credentials)["access_token"]


def wait_until_ready(base, server):
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{base}/readyz", timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None:
                sys.exit("The server ended.")
            time.sleep(0.1)
    sys.exit("The server did not get ready.")


def furnish(client, folder):
    """An organization with one of everything. Answers what stands for the parameters of paths."""
    for email in (OWNER, MEMBER):
        client.post("/auth/register", {"email": email, "password": PASSWORD, "display_name": "A user"})
    client.login(OWNER)
    client.post("/organizations", {"name": "Analytical Engines", "slug": "engines"})
    org = "/organizations/engines"
    webhook = client.post(f"{org}/webhooks", {"url": "https://example.com/", "events": ["*"]})
    project = client.post(f"{org}/projects", {"name": "Website", "key": "WEB"})
    at = f"{org}/projects/WEB"
    label = client.post(f"{at}/labels", {"name": "late", "color": "#ff0000"})
    status = client.post(f"{at}/statuses", {"name": "Waiting", "category": "todo"})
    tasks = [client.post(f"{at}/tasks", {"title": f"Task {number}"}) for number in range(5)]
    words = [{"type": "paragraph", "content": [{"type": "text", "text": "Yes"}]}]
    comment = client.post(f"/tasks/{tasks[0]['id']}/comments", {"body_json": {"type": "doc", "content": words}})
    client.post(f"{org}/invite", {"email": MEMBER, "role": "member"})
    token = mailed_token(folder)
    client.login(MEMBER)
    member = client.ask("GET", "/auth/me")["id"]
    client.post(f"/auth/invitations/{token}/accept", {})
    owner = client.ask("GET", f"{org}/members")["members"][0]["user_id"]
    client.ask("PATCH", f"/tasks/{tasks[1]['id']}", {"assignee_id": owner})
    client.login(OWNER)
    invitation = client.post(f"{org}/invite", {"email": "third@fuzz.example", "role": "member"})
    deliveries = client.ask("GET", f"{org}/webhooks/{webhook['id']}/deliveries")["deliveries"]
    notification = client.ask("GET", "/notifications")["notifications"][0]
    return {
        "slug": "engines",
        "project_id": project["key"],
        "label_id": label["id"],
        "status_id": status["id"],
        "task_id": tasks[0]["id"],
        "task_key": "WEB-2",
        "comment_id": comment["id"],
        "user_id": member,
        "invitation_id": invitation["id"],
        "webhook_id": webhook["id"],
        "delivery_id": deliveries[0]["id"],
        "notification_id": notification["id"],
    }


def mailed_token(folder):
    """The token of an invitation's link, once its mail has arrived."""
    for _ in range(300):
        for mail in folder.glob("**/*"):
            if mail.is_file():
                text = mail.read_text(errors="replace").replace("=\n", "").replace("=\r\n", "")
                if found := re.search(r"/invitations/([A-Za-z0-9_-]+)/accept", text):
                    return found[1]
        time.sleep(0.1)
    sys.exit("The invitation did not arrive.")


@contextmanager
def database(kind, folder):
    if kind == "sqlite":
        yield f"sqlite://{folder}/fuzz.db"
        return
    server = os.environ["WORKSCRIBE_TEST_POSTGRES_URL"]
    name = f"ws_fuzz_{os.getpid()}"

    def psql(statement):
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", server, "-c", statement], check=True)

    psql(f"CREATE DATABASE {name}")
    try:
        base, _, parameters = server.partition("?")
        yield f"{base.rsplit('/', 1)[0]}/{name}{'?' + parameters if parameters else ''}"
    finally:
        psql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def served(program, url, folder):
    """Runs the server, and answers where its API and the operators' are."""
    ports = [free_port(), free_port()]
    settings = {
        "WORKSCRIBE_DATABASE_URL": url,
        "WORKSCRIBE_LISTEN": f"127.0.0.1:{ports[0]}",
        "WORKSCRIBE_ADMIN_BIND": f"127.0.0.1:{ports[1]}",
        "WORKSCRIBE_ADMIN_TOKEN": ADMIN_TOKEN,
        "WORKSCRIBE_MAIL": f"file:{folder}/mail",
        "WORKSCRIBE_JWT_SECRET": "a secret for fuzzing, which opens nothing else",
        "WORKSCRIBE_RATE_LIMITS": "off",
        "WORKSCRIBE_BCRYPT_COST": "4",
        "RUST_LOG": "error",
    }
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            [program, "serve"], env={**os.environ, **settings}, stdout=log, stderr=log, cwd=folder
        )
        try:
            base, admin = (f"http://127.0.0.1:{port}" for port in ports)
            wait_until_ready(base, server)
            yield base, admin
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)


class Fuzzer:
    """Runs Schemathesis in a folder, and ends the program when it finds something."""

    def __init__(self, kind, folder, seed, examples):
        self.kind, self.folder = kind, folder
        self.options = ["--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"]
        self.options += ["-n", str(examples), "--seed", seed, "--continue-on-failure", "--no-shrink"]
        # A slow machine is no fault of the API.
        self.options += ["--warnings", "off", "--suppress-health-check", "all", "--request-timeout", "60"]

    def run(self, document, base, token, parameters, filters=()):
        lines = [f'headers = {{ Authorization = "Bearer {token}" }}', "", "[parameters]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in parameters.items()]
        (self.folder / "schemathesis.toml").write_text("\n".join(lines) + "\n")
        command = ["schemathesis", "run", str(document), "--url", base, *self.options, *filters]
        if subprocess.run(command, cwd=self.folder).returncode != 0:
            print((self.folder / "server.log").read_text(errors="replace")[-5000:], file=sys.stderr)
            sys.exit(f"On {self.kind}, the API did not answer as its document says.")


def fuzz(kind, program, document, seed, examples):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fuzzer = Fuzzer(kind, folder, seed, examples)
        with database(kind, folder) as url, served(program, url, folder) as (base, admin):
            client = Client(f"{base}/api/v1")
            parameters = furnish(client, folder / "mail")
            for filters in ROUNDS:
                client.login(OWNER)
                fuzzer.run(document, base, client.token, parameters, filters)
            operator = Client(f"{admin}/admin")
            operator.token = ADMIN_TOKEN
            written = folder / "admin.json"
            written.write_text(json.dumps(operator.ask("GET", "/openapi.json")))
            job = operator.ask("GET", "/jobs?limit=1")["jobs"][0]["id"]
            fuzzer.run(written, admin, ADMIN_TOKEN, {"job_id": job, "name": "default"})


def main():
    program, document = (str(Path(argument).resolve()) for argument in sys.argv[1:3])
    seed = sys.argv[3] if len(sys.argv) > 3 else "1"
    fuzz("postgres", program, document, seed, 100)
    fuzz("sqlite", program, document, seed, 25)


if __name__ == "__main__":
    main()
