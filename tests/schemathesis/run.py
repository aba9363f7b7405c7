#!/usr/bin/env python3
"""Schemathesis against one node: what the OpenAPI document does not tell must not happen.

    tests/schemathesis/run.py                      against the document that the node serves
    tests/schemathesis/run.py --document FILE      against another one (JSON or YAML)
    tests/schemathesis/run.py --quorate PATH --cases N --seed N

Starts a node of its own on loopback with data of its own, signs in as its administrator, asks, and stops the node. Needs
Python 3.9 and, once, the package index: Schemathesis goes into a virtual environment below target/.

A document written by others may leave out what Common REST answers to any request that is malformed, in conflict or not
permitted. For such a document those statuses are added to every operation before it is used, and the report says so; a
server error is never among them.
"""

import argparse
import base64
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENVIRONMENT = ROOT / "target" / "schemathesis"
RELEASE = "schemathesis==4.32.5"

# What Common REST answers by itself, before and after a resource is asked (crest.md section 11).
FRAMEWORK = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "501"]
# What it can answer besides, where a document knows successes only under one code.
UPSERT = {"put": ["200", "201"], "post": ["200", "201", "204"]}


def python():
    """The interpreter of the virtual environment, made when it is not there."""
    interpreter = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "bin" / "schemathesis").exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([str(interpreter), "-m", "pip", "install", "--quiet", RELEASE], check=True)
    return interpreter


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """A node that lives as long as the block it is used in."""

    def __init__(self, binary):
        self.binary = binary
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="quorate-schemathesis-"))
        self.password = secrets.token_urlsafe(24)
        self.address = f"127.0.0.1:{free_port()}"
        self.base = f"http://{self.address}/am"

    def __enter__(self):
        variables = {name: value for name, value in os.environ.items() if not name.startswith("QUORATE_")}
        variables["QUORATE_ADMIN_PASSWORD"] = self.password
        variables["QUORATE_MASTER_KEY"] = base64.b64encode(secrets.token_bytes(32)).decode()
        command = [str(self.binary), "serve", "--data-dir", str(self.directory / "data"), "--http", self.address]
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(command, env=variables, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("the node does not get ready:\n" + (self.directory / "log").read_text())
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
        shutil.rmtree(self.directory)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.base}/json/health/ready", timeout=5) as answer:
                return json.load(answer).get("ready") is True
        except OSError:
            return False

    def ask(self, method, path, headers=(), body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, dict(headers), method=method)
        request.add_header("Accept-API-Version", "protocol=2.1")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def sign_in(self):
        headers = {"X-OpenAM-Username": "amAdmin", "X-OpenAM-Password": self.password}
        return self.ask("POST", "/json/realms/root/authenticate", headers, {})["tokenId"]

    def errors(self):
        """Lines of the log that tell of a mistake of ours."""
        lines = (self.directory / "log").read_text(errors="replace").splitlines()
        return [line for line in lines if re.search(r" ERROR (?!openraft::raft::api::management)|panicked", line)]


def loosened(value):
    """A schema with `anyOf` for `oneOf`: alternatives that overlap cannot be told apart by whoever makes examples."""
    if isinstance(value, dict):
        return {"anyOf" if name == "oneOf" else name: loosened(member) for name, member in value.items()}
    return [loosened(member) for member in value] if isinstance(value, list) else value


def completed(document):
    """Another party's document, with what Common REST answers to anything added to what it tells."""
    document = loosened(document)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method not in ("get", "put", "post", "delete", "patch"):
                continue
            responses = operation.setdefault("responses", {})
            for status in FRAMEWORK + UPSERT.get(method, []):
                responses.setdefault(status, {"description": "Common REST"})
    return document

# 501 is the answer of Common REST to methods and actions that a resource does not have (crest.md section 2).
CONFIGURATION = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 501]
"""



def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--document", type=pathlib.Path)
    arguments.add_argument("--quorate", type=pathlib.Path, default=ROOT / "target" / "debug" / "quorate")
    arguments.add_argument("--cases", type=int, default=25, help="cases for each operation at most")
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    interpreter = python()
    with Node(given.quorate) as node:
        session = node.sign_in()
        realm = {"name": "alpha", "parentPath": "/", "active": True, "aliases": []}
        node.ask("POST", "/json/global-config/realms?_action=create", {"iPlanetDirectoryPro": session}, realm)
        where = node.directory / "document.json"
        if given.document:
            load = "import json,sys,yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout, default=str)"
            loaded = subprocess.run([interpreter, "-c", load, given.document], check=True, capture_output=True).stdout
            document = completed(json.loads(loaded))
            print(f"{given.document.name}: statuses {', '.join(FRAMEWORK)} are added to each of its operations")
        else:
            document = node.ask("GET", "/json?_api", {"iPlanetDirectoryPro": session})
        # Paths of ours are below /json; those of others start with it.
        url = node.base if given.document else f"{node.base}/json"
        document["servers"] = [{"url": url}]
        where.write_text(json.dumps(document))
        (node.directory / "schemathesis.toml").write_text(CONFIGURATION)
        checks = "not_a_server_error,status_code_conformance"
        if not given.document:
            checks += ",content_type_conformance,response_schema_conformance"
        command = [
            interpreter, "-m", "schemathesis.cli", "run", str(where), "--url", url, "--checks", checks,
            "--phases", "examples,coverage,fuzzing", "--max-examples", str(given.cases), "--seed", str(given.seed),
            "--generation-deterministic", "--continue-on-failure", "--suppress-health-check", "all",
            "--request-timeout", "10", "--warnings", "off",
        ]
        signing_in = {"NODE_BASE": node.base, "NODE_PASSWORD": node.password}
        signing_in["SCHEMATHESIS_HOOKS"] = str(HERE / "administrator.py")
        done = subprocess.run(command, cwd=node.directory, env=os.environ | signing_in)
        problems = node.errors()
        for line in problems[:20]:
            print("log:", line)
    sys.exit(done.returncode or bool(problems))


if __name__ == "__main__":
    main()
