"""A real S3 server for the tests: SeaweedFS in a process of its own, shared by all workers of a test session.

A keeper (`python -m tests.s3.server FOLDER`) starts the server and ends it when the last of its users has gone. A
user holds a lock while it needs the server; the kernel frees that lock however the user ends, so that no server is
left behind, not by a test session that was killed either.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

REGION = "us-east-1"
_START_SECONDS = 120  # under load; alone it takes three
_PARTS = ("master", "volume", "filer", "s3")
_PR_SET_PDEATHSIG = 1
_NO_SETTINGS = Path(__file__).with_name("no_settings.ini")


@dataclass(frozen=True)
class Identity:
    """A user of the server."""

    key: str
    secret: str

    def variables(self, endpoint: str) -> dict[str, str]:
        """The environment in which S3 clients use that server as this user, whatever else is set on the machine."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": str(_NO_SETTINGS),
            "AWS_SHARED_CREDENTIALS_FILE": str(_NO_SETTINGS),
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }


WRITER, READER = Identity("writer", "writer-secret"), Identity("reader", "reader-secret")
_ACTIONS = {WRITER: ["Admin", "Read", "Write", "List", "Tagging"], READER: ["Read", "List"]}


@dataclass(frozen=True)
class Address:
    """Where the server listens: its S3 endpoint, and what `weed shell` takes for the master."""

    endpoint: str
    master: str


@contextmanager
def shared_server(folder: Path) -> Iterator[Address]:
    """The server that belongs to `folder`, started if nobody has yet, and there as long as one user is inside."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "start").open("w") as start, (folder / "users").open("w") as users:
        fcntl.flock(start, fcntl.LOCK_EX)  # one at a time looks whether there is a server
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for the end of one that nobody used any more
        address = folder / "address.json"
        if not address.is_file():
            _start_keeper(folder, address)
        fcntl.flock(start, fcntl.LOCK_UN)
        yield Address(**json.loads(address.read_text()))


def _start_keeper(folder: Path, address: Path) -> None:
    with (folder / "keeper.log").open("w") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.s3.server", str(folder)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the tests, which may still need the server to clean up
        )
    while not address.is_file():
        if keeper.poll() is not None:
            raise RuntimeError(f"no S3 server: {(folder / 'keeper.log').read_text()[-2000:]}")
        time.sleep(0.05)
    keeper.returncode = 0  # it outlives this process on purpose, which Python would warn of


def main(folder: Path) -> None:
    """Keep a server until nobody uses it any more."""
    address, data = folder / "address.json", folder / "data"
    ports = _free_ports([f"{part}.port{kind}" for part in _PARTS for kind in ("", ".grpc")])
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    with (folder / "server.log").open("w") as log, (folder / "users").open() as users:
        server = subprocess.Popen(
            _command(folder, data, ports),
            env=_environment(data),
            stdout=log,
            stderr=log,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  the keeper has no threads
        )
        try:
            endpoint = f"http://127.0.0.1:{ports['s3.port']}"
            _wait_until_up(server, endpoint)
            written = folder / "address.new"
            written.write_text(
                json.dumps(asdict(Address(endpoint, f"127.0.0.1:{ports['master.port']}.{ports['master.port.grpc']}")))
            )
            written.rename(address)
            fcntl.flock(users, fcntl.LOCK_EX)
        finally:
            address.unlink(missing_ok=True)
            server.kill()  # asked politely it takes ten seconds, for data that nobody wants
            server.wait()
            _remove_sockets(ports)
            shutil.rmtree(data, ignore_errors=True)


def _command(folder: Path, data: Path, ports: dict[str, int]) -> list[str]:
    identities = folder / "identities.json"
    credentials = [
        {"name": who.key, "credentials": [{"accessKey": who.key, "secretKey": who.secret}], "actions": actions}
        for who, actions in _ACTIONS.items()
    ]
    identities.write_text(json.dumps({"identities": credentials}))
    return [
        str(Path(sys.executable).with_name("weed")),
        "server",
        f"-dir={data}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"-{flag}={port}" for flag, port in ports.items()),
        "-s3",
        f"-s3.config={identities}",
        f"-s3.localSocket={data}/s3.sock",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",
        f"-filer.localSocket={data}/filer.sock",
        "-master.telemetry=false",
        "-master.electionTimeout=100ms",
        "-master.heartbeatInterval=50ms",
        "-master.volumeSizeLimitMB=256",
        "-volume.max=1000",
        "-volume.minFreeSpace=1MiB",
    ]


def _environment(data: Path) -> dict[str, str]:
    """One file for the objects of a bucket, not seven; logs beside the data."""
    return {**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1", "TMPDIR": str(data)}


def _end_with_parent() -> None:
    """Let the server go with its keeper, should that one be killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_ports(flags: list[str]) -> dict[str, int]:
    """A port for each flag that wants one."""
    with ExitStack() as stack:
        sockets = {flag: stack.enter_context(socket.socket()) for flag in flags}
        for one in sockets.values():
            one.bind(("127.0.0.1", 0))
        return {flag: one.getsockname()[1] for flag, one in sockets.items()}


def _wait_until_up(server: subprocess.Popen[bytes], endpoint: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            opener.open(f"{endpoint}/status", timeout=5).close()
        except urllib.error.HTTPError:
            return  # it answers: what, does not matter
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit(f"the server did not come up: {server.args!r}, exit code {server.poll()}")


def _remove_sockets(ports: dict[str, int]) -> None:
    """The sockets between the server's parts lie in /tmp, whatever it is told, and stay there."""
    for part in _PARTS:
        Path(f"/tmp/seaweedfs-{part}-grpc-{ports[f'{part}.port.grpc']}.sock").unlink(missing_ok=True)  # noqa: S108


if __name__ == "__main__":
    main(Path(sys.argv[1]))
