"""A small hub on this machine: as much of the Hugging Face Hub's HTTP interface as we need.

Repositories with commits, branches and tags; uploads as huggingface_hub makes them (preupload, LFS
batch, PUT, commit); downloads with the headers that it goes by, large files from another host, as
the hub's are; tokens and private repositories; errors with their codes. A commit is made whole, in
one request, or not at all.
"""

import base64
import hashlib
import json
import threading
import urllib.parse
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml
from file_server import serving


@dataclass
class Repository:
    """Commits by their id, each a whole folder; branches and tags point to them."""

    owner: str
    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.commit({}, "initial commit")

    def commit(self, files: dict[str, bytes], message: str, branch: str = "main") -> str:
        """Add files on top of a branch; returns the commit's id."""
        content = {**self.commits.get(self.refs.get(branch, ""), {}), **files}
        oid = hashlib.sha1(repr((len(self.commits), content)).encode()).hexdigest()
        self.commits[oid], self.messages[oid], self.refs[branch] = content, message, oid
        return oid

    def resolve(self, revision: str) -> str | None:
        """Return the commit that a branch, tag or commit id means."""
        return self.refs.get(revision, revision if revision in self.commits else None)

    @property
    def head(self) -> dict[str, bytes]:
        """The files of the main branch."""
        return self.commits[self.refs["main"]]


class HubServer(ThreadingHTTPServer):
    """Serves `repositories`.

    Attributes:
        repositories: by "owner/name".
        tokens: token -> user.
        store: large files by their sha256.
        requests: method and path of each request.
        refuse: paths that begin so are answered with 500 (PUT: 403, which nobody tries again).
        stall: None, or an event that uploads and look-ups of files wait for.
        started: set as soon as something waits.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, Repository] = {}
        self.tokens = {"hf_alice": "alice", "hf_bob": "bob"}
        self.store: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.refuse: str | None = None
        self.stall: threading.Event | None = None
        self.started = threading.Event()

    @property
    def url(self) -> str:
        """Return the address, without a slash at its end."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def storage(self) -> str:
        """Return the address of large files: for a client, another host."""
        return f"http://localhost:{self.server_port}/storage"

    def handle_error(self, request, client_address) -> None:
        """Say nothing: a client that goes away is part of the tests."""


class Refusal(Exception):
    """An answer other than the one hoped for."""

    def __init__(self, status: int, code: str = "", message: str = ""):
        self.status, self.code, self.message = status, code, message


class Handler(BaseHTTPRequestHandler):
    """Answers for a `HubServer`."""

    server: HubServer

    def handle_one(self) -> None:
        """Answer a request, or say why not."""
        self.server.requests.append((self.command, self.path))
        try:
            if self.server.refuse and self.path.startswith(self.server.refuse):
                raise Refusal(403 if self.command == "PUT" else 500, message="refused by the test")
            self.answer(urllib.parse.urlsplit(self.path).path.split("/")[1:])
        except Refusal as no:
            self.send_body({"error": no.message}, no.status, **error_headers(no))

    do_GET = do_HEAD = do_POST = do_PUT = handle_one

    def answer(self, parts: list[str]) -> None:
        """Find who answers."""
        match [self.command, *parts]:
            case ["POST", "api", "repos", "create"]:
                self.create()
            case ["POST", "api", "validate-yaml"]:
                self.validate()
            case ["GET", "api", "models", owner, name]:
                self.describe(f"{owner}/{name}", "main")
            case ["GET", "api", "models", owner, name, "revision", revision]:
                self.describe(f"{owner}/{name}", revision)
            case ["POST", "api", "models", owner, name, "preupload", _]:
                self.preupload(self.writable(f"{owner}/{name}"))
            case ["POST", "api", "models", owner, name, "commit", branch]:
                self.commit(f"{owner}/{name}", urllib.parse.unquote(branch))
            case ["POST", owner, name, "info", "lfs", "objects", "batch"]:
                self.batch(f"{owner}/{name.removesuffix('.git')}")
            case ["PUT", "storage", oid]:
                self.receive(oid)
            case ["GET" | "HEAD", "storage", oid]:
                self.large_file(oid)
            case ["GET" | "HEAD", owner, name, "resolve", revision, *path]:
                self.file(f"{owner}/{name}", urllib.parse.unquote(revision), "/".join(path))
            case _:
                raise Refusal(404, message="no such page")

    # --- who may do what ---

    def user(self) -> str | None:
        """Return whose token was sent."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.server.tokens:
            raise Refusal(401, message="Invalid credentials in Authorization header")
        return self.server.tokens.get(token)

    def readable(self, name: str) -> Repository:
        """Return a repository; to those who may not see it, it does not exist."""
        user, repository = self.user(), self.server.repositories.get(name)
        if repository is None or (repository.private and repository.owner != user):
            raise Refusal(404 if user else 401, "RepoNotFound", "Repository not found")
        return repository

    def writable(self, name: str) -> Repository:
        """Return a repository that the user owns."""
        repository = self.readable(name)
        if self.user() is None:
            raise Refusal(401, message="Invalid username or password.")
        if self.user() != repository.owner:
            raise Refusal(403, message="You don't have the rights to write here")
        return repository

    def commit_of(self, name: str, revision: str) -> tuple[Repository, str]:
        """Return a repository and the id of a commit."""
        repository = self.readable(name)
        oid = repository.resolve(revision)
        if oid is None:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repository, oid

    # --- uploads ---

    def create(self) -> None:
        """Make a repository."""
        wish, user = json.loads(self.body()), self.user()
        if user is None:
            raise Refusal(401, message="Invalid username or password.")
        if wish["organization"] not in (None, user):
            raise Refusal(403, message="You don't have the rights to create a model there")
        name = f"{user}/{wish['name']}"
        answer = {"url": f"{self.server.url}/{name}", "name": name}
        if name in self.server.repositories:
            self.send_body({**answer, "error": "You already created this model repo"}, 409)
            return
        private = wish.get("private") or wish.get("visibility") == "private"
        self.server.repositories[name] = Repository(user, bool(private))
        self.send_body(answer)

    def validate(self) -> None:
        """Check the front matter of a README, as far as it can be known here."""
        content = json.loads(self.body())["content"]
        try:
            data = yaml.safe_load(content.split("---\n")[1])
            assert data["library_name"]
        except Exception as error:
            self.send_body({"errors": [{"message": str(error)}], "warnings": []}, 400)
        else:
            self.send_body({"errors": [], "warnings": []})

    def preupload(self, repository: Repository) -> None:
        """Say which files go to the large file storage."""
        files = json.loads(self.body())["files"]
        modes = [
            {
                "path": f["path"],
                "uploadMode": "lfs" if f["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for f in files
        ]
        self.send_body({"files": modes})

    def batch(self, name: str) -> None:
        """Say where large files are to be sent; those that are there need not be."""
        self.writable(name)
        objects = []
        for wish in json.loads(self.body())["objects"]:
            action = {"upload": {"href": f"{self.server.storage}/{wish['oid']}"}}
            there = wish["oid"] in self.server.store
            objects.append(wish if there else {**wish, "actions": action})
        self.send_body({"transfer": "basic", "objects": objects})

    def receive(self, oid: str) -> None:
        """Keep a large file."""
        self.wait()
        content = self.body()
        if hashlib.sha256(content).hexdigest() != oid:
            raise Refusal(400, message="that is not the file that was announced")
        self.server.store[oid] = content
        self.send_body({})

    def commit(self, name: str, branch: str) -> None:
        """Make a commit of all the lines of a request."""
        repository = self.writable(name)
        header, *lines = map(json.loads, self.body().splitlines())
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile" and value["oid"] in self.server.store:
                files[value["path"]] = self.server.store[value["oid"]]
            else:
                raise Refusal(400, message=f"cannot do {line}")
        oid = repository.commit(files, header["value"]["summary"], branch)
        self.send_body({"commitOid": oid, "commitUrl": f"{self.server.url}/{name}/commit/{oid}"})

    # --- downloads ---

    def describe(self, name: str, revision: str) -> None:
        """Send what there is to know of a commit."""
        repository, oid = self.commit_of(name, revision)
        files = [{"rfilename": path} for path in repository.commits[oid]]
        self.send_body({"id": name, "sha": oid, "private": repository.private, "siblings": files})

    def file(self, name: str, revision: str, path: str) -> None:
        """Send a file, or where it is."""
        self.wait()
        repository, oid = self.commit_of(name, revision)
        content = repository.commits[oid].get(path)
        if content is None:
            raise Refusal(404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": oid}
        if not path.endswith(".safetensors"):
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            self.send_body(content, ETag=f'"{blob}"', **headers)
            return
        sha256 = hashlib.sha256(content).hexdigest()
        self.server.store[sha256] = content
        headers |= {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(content))}
        self.send_body(b"", 302, Location=f"{self.server.storage}/{sha256}", **headers)

    def large_file(self, oid: str) -> None:
        """Send a large file; a token has no business here."""
        if self.headers.get("Authorization"):
            raise Refusal(400, message="the token was sent to another host")
        self.send_body(self.server.store[oid], ETag=f'"{oid}"')

    # --- plumbing ---

    def wait(self) -> None:
        """Keep the client waiting, if the test wants it."""
        if self.server.stall is not None:
            self.server.started.set()
            self.server.stall.wait(20)

    def body(self) -> bytes:
        """Read what was sent."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def send_body(self, body: bytes | dict, status: int = 200, **headers: str) -> None:
        """Send an answer: bytes as they are, a dictionary as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if isinstance(body, dict):
            self.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *args) -> None:
        """Keep quiet."""


def error_headers(no: Refusal) -> dict[str, str]:
    """Return the headers that tell huggingface_hub what is wrong."""
    headers = {"X-Error-Message": no.message}
    return {**headers, "X-Error-Code": no.code} if no.code else headers


def running() -> AbstractContextManager[HubServer]:
    """Run a hub for the length of a `with` block."""
    return serving(HubServer())
