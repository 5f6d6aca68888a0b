"""Calls a running server with generated requests, made from its own OpenAPI document.

    python3 fuzz.py PROGRAM WORK_FOLDER

PROGRAM is the built server, WORK_FOLDER holds the environment with the tools and is made if it is not there. Nothing may
be answered with 5xx, with a status, media type or body that the document does not name, and the log must hold afterwards.
The same seed gives the same requests.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEED = "20260327"
EXAMPLES = "12"
# Calls that must have been answered with success, or the run shows nothing.
REACHED = 50
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def tools(folder):
    """The environment with the pinned tools; made once."""
    wanted = (HERE / "requirements.txt").read_text()
    mark = folder / "requirements.txt"
    if not mark.exists() or mark.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        python = folder / "bin" / "python"
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "requirements.txt"]
        subprocess.run(command, check=True)
        mark.write_text(wanted)
    return folder / "bin" / "schemathesis"


class Client:
    """Calls with JSON, and insists on success."""

    def __init__(self, url):
        self.url = url

    def call(self, method, path, token=None, body=None):
        request = urllib.request.Request(self.url + path, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        data = None
        if body is not None:
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=20) as answer:
            return json.load(answer)

    def tenant(self, name):
        made = self.call("POST", "/api/v1/applications", body={"name": name, "appHandle": name.lower()})["data"]
        pair = {"client_id": made["clientId"], "client_secret": made["clientSecret"]}
        token = self.call("POST", "/api/v1/auth/token", body=pair)["data"]["token"]
        user = {"externalId": "user-1", "displayName": f"{name} User"}
        subject = self.call("POST", "/api/v1/subjects", token, user)["data"]["id"]
        return {"id": made["id"], "token": token, "subject": subject}


def world(client, operator):
    """Two tenants, tags, payments in several states, a merchant, and what calls need to find them."""
    wallet, shop = client.tenant("WalletApp"), client.tenant("ShopApp")
    client.call("POST", "/api/v1/tags", wallet["token"], {"tag": "alice", "subjectId": wallet["subject"]})
    client.call("POST", "/api/v1/tags", shop["token"], {"tag": "bob", "subjectId": shop["subject"]})
    references = []
    for amount in (10, 20.5, 0.0001):
        body = {"senderTag": "alice@walletapp", "receiverTag": "bob@shopapp", "amount": amount, "narration": "Lunch"}
        made = client.call("POST", "/api/v1/transactions", wallet["token"], body)["data"]
        references.append(made["reference"])
    client.call("POST", f"/api/v1/transactions/{references[0]}/accept", shop["token"])
    settlement = client.call("POST", "/api/v1/settlement/run?date=2026-03-27", shop["token"])["data"]
    merchant = client.call("POST", "/operator/v1/idaas/merchants", operator, {"name": "Kiosk", "tag": "bob@shopapp"})
    return {"wallet": wallet, "shop": shop, "references": references, "settlement": settlement["id"], "merchant": merchant}


def config(folder, made):
    """Values for variable parts, so that calls reach what is there."""
    known = {
        r"^/api/v1/applications/\{id\}$": {"id": made["wallet"]["id"]},
        r"^/api/v1/subjects/\{id\}": {"id": made["wallet"]["subject"]},
        r"^/api/v1/settlement/\{id\}$": {"id": made["settlement"]},
        r"^/api/v1/subjects/external": {"externalId": "user-1"},
        r"^/api/v1/tags/": {"tag": "alice@walletapp"},
        r"^/api/v1/transactions/\{reference\}": {"reference": made["references"][1]},
        r"^/audit/v1/explain": {"reference": made["references"][0]},
        r"^/audit/v1/as-of": {"moment": "5"},
        r"^/audit/v1/proofs/events": {"position": 3},
    }
    parts = []
    for pattern, values in known.items():
        parts.append(f"[[operations]]\ninclude-path-regex = '{pattern}'\n")
        parts.append("[operations.parameters]\n")
        parts.extend(f'"path.{name}" = {json.dumps(value)}\n' for name, value in values.items())
    path = folder / "known.toml"
    path.write_text("".join(parts))
    return path


def runs(folder, made, operator):
    """What is called, by whom: name, headers, which paths, configuration."""
    application = [f"Authorization: Bearer {made['wallet']['token']}"]
    keys = made["merchant"]
    merchant = [f"x-client-id: {keys['client_id']}", f"x-api-key: {keys['api_key']}", f"x-location: {keys['location']}"]
    known = config(folder, made)
    # An application that switches itself off is refused from there on: that comes last.
    payments = ["--include-path-regex", "^/api/v1/(?!.*deactivate)"]
    others = ["--exclude-path-regex", "^/api/v1|^/v2"]
    return [
        ("strangers", [], [], None),
        ("applications", application, payments, None),
        ("applications, on what is there", application, payments, known),
        ("merchants", merchant, ["--include-path-regex", "^/v2"], None),
        ("operators", [f"Authorization: Bearer {operator}"], others, None),
        ("operators, on what is there", [f"Authorization: Bearer {operator}"], others, known),
        ("applications that leave", application, ["--include-path-regex", "deactivate"], None),
    ]


def fuzz(tool, url, folder, name, headers, paths, known):
    command = [tool] + (["--config-file", known] if known else []) + ["run", f"{url}/openapi.json", "--seed", SEED]
    command += ["--phases", "examples,coverage,fuzzing", "--checks", CHECKS, "--max-examples", EXAMPLES]
    command += ["--generation-database", "none", "--continue-on-failure", "--warnings", "off", "--no-color", *paths]
    for header in headers:
        command += ["-H", header]
    print(f"--- as {name}", flush=True)
    return subprocess.run(command, cwd=folder, timeout=600, check=False).returncode == 0


def main():
    program, work = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    tool = tools(work)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data"
        clean = {key: value for key, value in os.environ.items() if not key.startswith("FLEXLEDGER_")}
        settings = {"FLEXLEDGER_LIMITS__ENABLED": "false", "FLEXLEDGER_LOG__FILTER": "error"}
        command = [program, "--listen", "127.0.0.1:0", "--json", "--data", data, "serve"]
        server = subprocess.Popen(command, env=clean | settings, stdout=subprocess.PIPE, text=True)
        try:
            said = json.loads(server.stdout.readline())
            operator = Path(said["operator_token"]).read_text().strip()
            client = Client(said["url"])
            wait_until_ready(client)
            made = world(client, operator)
            failed = [run[0] for run in runs(folder, made, operator) if not fuzz(tool, said["url"], folder, *run)]
            client.call("GET", "/ready")
            reached = successes(said["url"])
        finally:
            server.terminate()
            ended = server.wait(timeout=20)
        verified = subprocess.run([program, "--data", data, "verify"], env=clean, check=False).returncode
    print(f"{len(reached)} calls answered with success at least once: {', '.join(reached)}")
    if len(reached) < REACHED:
        sys.exit(f"only {len(reached)} calls were ever answered with success: nothing was learnt of the others")
    if failed or ended or verified:
        sys.exit(f"failed: {failed}; exit status of the server {ended}, of verify {verified}")
    print("No 5xx, nothing undocumented, and the log holds.")


def successes(url):
    """Routes that answered with success at least once, from the counters of the server."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    counted = re.compile(r'flexledger_http_requests_total\{method="(\w+)",route="([^"]+)",status="2')
    return sorted({f"{found[1]} {found[2]}" for found in map(counted.match, lines) if found})


def wait_until_ready(client):
    for _ in range(200):
        try:
            return client.call("GET", "/ready")
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(0.1)
    raise SystemExit("the server did not become ready")


main()
