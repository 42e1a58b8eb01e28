"""Ray, as a driver uses it: quiet, connected to a cluster that is there or to one that was started on this machine."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import ModuleType

from entropyguard.core.errors import ProcessingError, UsageError
from entropyguard.core.pool.cluster import LOCAL

_OBJECT_STORE_BYTES = 80 << 20  # nearly the least that Ray takes: paths and digests pass, nothing else
_SWITCHES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # nodes have what they have: nothing is sent to them
}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # there Ray keeps to 127.0.0.1; set, it does so anywhere
_ANSWER_SECONDS = 10
_END_SECONDS = 20


def check_ray(address: str) -> None:
    """UsageError where there is no Ray, or for an address that a driver cannot have."""
    from importlib.util import find_spec

    if find_spec("ray") is None:
        raise UsageError('--ray needs Ray, which is not installed. Run: pip install "entropyguard[ray]"')
    if address.startswith("ray://"):
        raise UsageError(
            f"--ray is {address}, Ray's address for clients. Run entropyguard on a node of the cluster, with "
            "--ray auto or the HOST:PORT that `ray start` shows."
        )


def connect(address: str) -> ModuleType:
    """Ray, connected as a driver, so that its tasks end with this process; ProcessingError if nobody answers."""
    if address.startswith("127."):
        os.environ.update(_LOOPBACK)  # else Ray takes it for another name of this machine, under which nobody listens
    ray = _import()
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        _ask(address)
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError) as error:
        words = " ".join(str(error).split())
        raise ProcessingError(
            f"--ray {address}: no Ray cluster answers there of which this machine is a node ({words[:200]}). "
            "`ray start` makes it one; a cluster with tokens needs RAY_AUTH_MODE=token."
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, terminate)  # Ray's own handler would turn it into an exit with code 15
    return ray


def _ask(address: str) -> None:
    """OSError where nobody listens: Ray itself takes its time to say so, and many lines."""
    host, _, port = address.rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS).close()


def _import() -> ModuleType:
    check_ray("")
    for name, value in _SWITCHES.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    import ray
    from ray._private import worker

    # Ray prints what became of its processes on stdout, whatever it is told about logs; it is the dispatcher's to say.
    worker._worker_logs_enabled = False
    module: ModuleType = ray
    return module


class LocalRay:
    """A Ray on this machine, of `cores` cores, reached on the loopback only; it ends with `close` or this process.

    It runs below a process of its own session: when who started a Ray is killed, Ray ends its process group, and that
    of a stage has DVC in it. The environment of this process says how to reach it.
    """

    def __init__(self, cores: int) -> None:
        # Without a token every user of the machine could have Ray run anything as this one. A process keeps its first.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        os.environ.update(RAY_AUTH_MODE="token")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "entropyguard.core.pool.ray_connection", str(cores)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **_SWITCHES, **_LOOPBACK},
            start_new_session=True,
        )
        self.address = self._process.stdout.readline().strip() if self._process.stdout else ""
        if not self.address:
            self.close()
            raise ProcessingError(
                "--ray local: Ray could not be started on this machine. --verbose shows what it said."
            )

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def main() -> None:
    """Start a Ray, say its address, and end it when nobody holds the other end of stdin any more."""
    # A Unix socket's path has at most 107 bytes, of which Ray's own part takes 70.
    folder = Path(tempfile.gettempdir() if len(tempfile.gettempdir()) < 20 else "/tmp") / f"eg-{secrets.token_hex(4)}"  # noqa: S108
    ray = _import()
    try:
        ray.init(
            address=LOCAL,
            num_cpus=int(sys.argv[1]),
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            log_to_driver=False,
            configure_logging=False,
            _temp_dir=str(folder),
        )
        print(ray.get_runtime_context().gcs_address, flush=True)  # noqa: T201  it is what this process is for
        sys.stdin.read()
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
