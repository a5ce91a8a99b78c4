"""A server on this machine that speaks as much of W&B's protocol as a run needs, keeps what it got, and fails as told.

GraphQL, the file stream (history, summary, the run's end) and files sent by PUT. What `Api().runs` asks is answered
from what was kept, so that a client can be judged by what arrived.
"""

import base64
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "k" * 40
ENTITY, PROJECT = "me", "videos"


@dataclass
class ServerRun:
    """A run as the server has it."""

    id: str
    fields: dict = field(default_factory=dict)  # what UpsertBucket said last: groupName, tags, config, ...
    files: dict = field(default_factory=dict)  # file stream: name -> {line number -> line}
    state: str = "running"
    attempts: int = 0  # times that it was opened

    @property
    def config(self) -> dict:
        content = json.loads(self.fields.get("config") or "{}")
        return {key: value["value"] for key, value in content.items()}

    @property
    def history(self) -> list[dict]:
        lines = self.files.get("wandb-history.jsonl", {})
        return [json.loads(lines[number]) for number in sorted(lines)]

    @property
    def summary(self) -> dict:
        lines = self.files.get("wandb-summary.json", {})
        return json.loads(lines[max(lines)]) if lines else {}

    def metrics(self) -> dict:
        """Numbers and texts of the summary, without W&B's own."""
        plain = {key: value for key, value in self.summary.items() if not isinstance(value, dict)}
        return {key: value for key, value in plain.items() if not key.startswith("_")}


class Quiet(ThreadingHTTPServer):
    """Clients break connections, as wandb's does when a run has ended."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class WandbServer:
    """`fails(request)` -> None, 500, "time-out" or "broken", for each request in turn."""

    def __init__(self):
        self.runs: dict[str, ServerRun] = {}
        self.blobs: dict[str, bytes] = {}  # upload path -> content
        self.artifacts: dict[str, dict] = {}  # id -> {input, manifest, files, state}
        self.asked: Counter = Counter()  # operation -> requests answered
        self.failed: Counter = Counter()  # how -> requests
        self.projects = {(ENTITY, PROJECT)}
        self.fails = lambda operation: None
        self.wrong: list[str] = []  # what was asked and is not understood here
        self.lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                server.serve(self, "POST")

            def do_PUT(self):
                server.serve(self, "PUT")

            def do_GET(self):
                server.serve(self, "GET")

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def serve(self, request, method):
        content = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        operation = method + " " + re.sub(r"/(blob)/.*|/files/.*", r"/\1", request.path)
        if request.path.endswith("/graphql"):
            asked = json.loads(content)
            operation = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])[1]
        failure = self.fails(operation)
        if failure:
            self.failed[failure] += 1
        if failure == "broken":
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.close_connection = True
            return request.connection.close()
        if failure == "time-out":
            time.sleep(1.5)
            request.close_connection = True
            return None
        if failure:
            return self.answer(request, failure, {"errors": [{"message": "made to fail"}]})
        with self.lock:
            self.asked[operation] += 1
            if request.path.endswith("/graphql"):
                said = request.headers.get("Authorization", "")
                if base64.b64decode(said.removeprefix("Basic ")).decode() != f"api:{KEY}":
                    return self.answer(request, 401, {"errors": [{"message": "user is not logged in"}]})
                try:
                    data = getattr(self, operation)(asked.get("variables") or {})
                except Exception as error:
                    self.wrong.append(f"{operation}: {error!r}: {asked}")
                    return self.answer(request, 400, {"errors": [{"message": self.wrong[-1]}]})
                return self.answer(request, 200, {"data": data})
            if request.path.endswith("/file_stream"):
                return self.answer(request, 200, self.stream(request.path, json.loads(content)))
            if method == "PUT":
                self.blobs[request.path.removeprefix("/blob/")] = content
                return self.answer(request, 200, {})
        return self.answer(request, 404, {})

    def files_of(self, collection) -> dict[str, bytes]:
        """Name -> content of what the newest committed artifact of that name says it holds."""
        found = [a for a in self.artifacts.values() if a["input"]["artifactCollectionName"] == collection]
        (*_, newest) = [a for a in found if a["state"] == "COMMITTED"]
        manifest = json.loads(self.blobs[f"{newest['id']}/wandb_manifest.json"])
        return {name: self.blobs[f"{newest['id']}/{name}"] for name in manifest["contents"]}

    @staticmethod
    def answer(request, code, content):
        body = json.dumps(content).encode()
        request.send_response(code)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def stream(self, path, said):
        """The file stream: lines that replace what stands from their offset on; `complete` ends the run."""
        run = self.runs[path.split("/")[-2]]
        for name, chunk in said.get("files", {}).items():
            lines = run.files.setdefault(name, {})
            for number, line in enumerate(chunk["content"], chunk["offset"]):
                lines[number] = line
        if said.get("complete"):
            run.state = "failed" if said.get("exitcode") else "finished"
        return {"exitcode": None, "limits": {}}

    # GraphQL, a method per operation

    def Viewer(self, _):
        return {"viewer": {"id": "u", "entity": ENTITY, "username": ENTITY, "teams": {"edges": []}, "flags": "{}"}}

    def Runs(self, given):
        if (given["entity"], given["project"]) not in self.projects:
            return {"project": None}
        runs = [run for run in self.runs.values() if run.fields["groupName"] == json.loads(given["filters"])["group"]]
        edges = [{"cursor": run.id, "node": self.node(run)} for run in runs]
        page = {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}}
        return {"project": {"internalId": "1", "runCount": len(runs), "readOnly": False, "runs": page}}

    def node(self, run):
        node = {"id": run.id, "name": run.id, "projectId": "1", "state": run.state, "config": run.fields["config"]}
        node |= {"summaryMetrics": json.dumps(run.summary), "group": run.fields["groupName"]}
        return node | {"user": {"name": ENTITY}}

    def RunResumeStatus(self, given):
        run = self.runs.get(given["name"])
        if run is None:
            return {"model": None}
        counts = {f"{name}LineCount": 0 for name in ("log", "events")} | {"historyLineCount": len(run.history)}
        tails = {"historyTail": json.dumps([json.dumps(line) for line in run.history[-1:]]), "eventsTail": "[]"}
        bucket = self.node(run) | counts | tails | {"tags": run.fields["tags"], "wandbConfig": "{}"}
        return {"model": {"id": "p", "name": PROJECT, "entity": {"id": "e", "name": ENTITY}, "bucket": bucket}}

    def UpsertBucket(self, given):
        inserted = given["name"] not in self.runs
        run = self.runs.setdefault(given["name"], ServerRun(given["name"]))
        run.fields |= {key: value for key, value in given.items() if value is not None}
        if given.get("groupName"):
            run.attempts, run.state = run.attempts + 1, "running"
        bucket = {"id": run.id, "name": run.id, "displayName": run.fields.get("displayName"), "description": None}
        project = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": given["entity"] or ENTITY}}
        bucket |= {"config": run.fields["config"], "sweepName": None, "historyLineCount": len(run.history)}
        return {"upsertBucket": {"bucket": bucket | {"project": project}, "inserted": inserted}}

    def CreateRunFiles(self, given):
        files = [{"name": one, "uploadUrl": f"{self.url}/blob/{given['run']}/{one}"} for one in given["files"]]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}

    def MarkRunFilesUploaded(self, _):
        return {"markRunFilesUploaded": {"success": True}}

    GetDefaultEntity = Viewer

    def ArtifactType(self, _):
        return {"project": {"artifact": None}}

    def ServerFeaturesQuery(self, _):
        return {"serverInfo": {"features": []}}

    def CreateProject(self, given):
        self.projects.add((given["input"]["entityName"], given["input"]["name"]))
        return {"result": {"project": None, "model": None, "inserted": True}}

    def CreateArtifact(self, given):
        """One that is committed under the same name with the same digest is that one."""
        wanted = given["input"]
        keys = ("artifactCollectionName", "digest")
        same = [a for a in self.artifacts.values() if all(a["input"].get(key) == wanted.get(key) for key in keys)]
        known = next((a for a in same if a["state"] == "COMMITTED"), None)
        if known is None:
            number = f"a{len(self.artifacts)}"
            known = self.artifacts[number] = {"id": number, "input": wanted, "state": "PENDING"}
        sequence = {"id": "s", "name": wanted["artifactCollectionName"], "latestArtifact": None}
        made = {"id": known["id"], "state": known["state"], "artifactSequence": sequence}
        return {"createArtifact": {"artifact": made}}

    def ArtifactByID(self, given):
        known = self.artifacts[given["id"]]
        project = {"id": "p", "internalId": "1", "name": PROJECT, "entity": {"name": ENTITY}}
        sequence = {"__typename": "ArtifactSequence", "name": known["input"]["artifactCollectionName"]}
        said = {"id": known["id"], "artifactSequence": sequence | {"project": project}, "versionIndex": 0}
        said |= {"artifactType": {"name": known["input"]["artifactTypeName"]}, "description": None, "metadata": "{}"}
        said |= {"ttlDurationSeconds": -1, "ttlIsInherited": True, "tags": [], "historyStep": None, "aliases": []}
        said |= {"state": known["state"], "size": 1, "digest": known["input"]["digest"], "commitHash": None}
        return {"artifact": said | {"fileCount": 1, "createdAt": "2026-11-30T00:00:00Z", "updatedAt": None}}

    def CreateArtifactFiles(self, given):
        nodes = []
        for spec in given["input"]["artifactFiles"]:
            number, name = spec["artifactID"], spec["name"]
            place = f"{number}/{name}"
            node = {"storagePath": place, "uploadUrl": f"{self.url}/blob/{place}", "uploadHeaders": []}
            nodes.append({"node": node | {"uploadMultipartUrls": None, "artifact": {"id": number}}})
        return {"createArtifactFiles": {"files": {"edges": nodes}}}

    def CreateArtifactManifest(self, given):
        number = given["artifactID"]
        file = {"id": "f", "uploadUrl": f"{self.url}/blob/{number}/{given['name']}", "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": number, "file": file}}}

    def UpdateArtifactManifest(self, given):
        number = given["artifactManifestID"]
        file = {"id": "f", "uploadUrl": f"{self.url}/blob/{number}/wandb_manifest.json", "uploadHeaders": []}
        return {"updateArtifactManifest": {"artifactManifest": {"id": number, "file": file}}}

    def CommitArtifact(self, given):
        self.artifacts[given["artifactID"]]["state"] = "COMMITTED"
        return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": "d"}}}
