"""Ray up and down, quietly, with nothing left behind. What is ours is ours: a Ray of somebody else on this machine, in
the environment or in this very process is left as it is."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from automl.runtime.errors import RunError, explain
from automl.runtime.frozen import woken
from automl.runtime.host import cores
from automl.runtime.leftovers import FOLDER, reap
from automl.runtime.loopback import loopback_only
from automl.runtime.ray_home import credentials, ray_home
from search_spaces.errors import InputError, Mistake, Position

_OBJECT_STORE_BYTES = 100 << 20  # data is mapped from files; the store holds next to nothing
_TRIES = 3  # of a start: ports are drawn, and another process may be quicker to take one
_QUIET = {
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # all workers start at once: the desk gives out no more than they can take
    "TUNE_STATE_REFRESH_PERIOD": "1000000",  # asks the head, and waits for ever where it is gone
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "OMP_NUM_THREADS": "1",
}


def check_machine(at: Position, cpu: float, address: str | None) -> None:
    """Before anything is read or started, where this machine is what a run will have.

    Raises:
        InputError: where it has fewer cores than one trial asks for.
    """
    if not _elsewhere(address) and cpu > cores():
        must = f"must be at most {cores()}, the cores of this machine"
        raise InputError([Mistake(at, must, f"{cpu:g}", "a trial runs on one machine; --address joins a larger one")])


def check_gpu(at: Position, gpu: float, address: str | None) -> None:
    """As check_machine, of a GPU.

    Raises:
        InputError: where a trial asks for a part of one and there is none.
    """
    if gpu and not _elsewhere(address):
        from automl.ranking.place import gpus  # with torch, which most runs load later

        if not gpus():
            hint = "install a build of torch for its GPU; --address joins a cluster that has one"
            raise InputError([Mistake(at, "must be 0 on a machine where torch sees no GPU", f"{gpu:g}", hint)])


def _elsewhere(address: str | None) -> bool:
    """Whether a run is not on this machine alone."""
    return address is not None or ("ray" in sys.modules and sys.modules["ray"].is_initialized())


@contextmanager
def cluster(folder: Path, cpus: float, address: str | None = None) -> Iterator[None]:
    """Ray for the length of the block: the one at `address`, which this machine is part of; without an address that of
    the caller's process, where it is up already, and stays up; else one on this machine that nobody else knows of.

    Raises:
        InputError: where the address is one of Ray's client.
        RunError: where Ray cannot be started or joined, with the reason.
    """
    if address is not None and address.startswith("ray://"):
        must = "must be HOST:PORT of a cluster that this machine is one of (`ray start --address=HOST:PORT`)"
        raise InputError.of("--address", must, address)
    reap(folder)
    wanted = {**_QUIET, **({} if address else credentials()), **os.environ, FOLDER: str(folder.absolute())}
    with _environment(wanted), warnings.catch_warnings():
        import ray  # after the environment: Ray reads it at import

        if ray.is_initialized():
            if address is not None:
                hint = "leave the address out to use that one, or call ray.shutdown() first"
                raise RunError(f"this process is connected to a Ray already: {hint}")
            yield
            return
        for name in ("ray", "ray.tune", "ray._private"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module="ray")
        with errors_apart(), ExitStack() as stack:
            home = None if address else stack.enter_context(ray_home(folder))
            stack.callback(reap, folder)
            stack.callback(ray.shutdown)
            if home is None:
                _join(ray, str(address))
            else:
                _start(ray, folder, home, cpus)
                stack.enter_context(woken(folder))
            yield


def _join(ray: Any, address: str) -> None:
    with _handlers_kept(), _told(address):
        _init(ray, address=address)


def _start(ray: Any, folder: Path, home: Path, cpus: float) -> None:
    for left in reversed(range(_TRIES)):
        try:
            with _handlers_kept(), loopback_only():
                _init(
                    ray,
                    address="local",  # whatever RAY_ADDRESS says, or another cluster of this machine
                    num_cpus=max(1, math.ceil(cpus)),
                    include_dashboard=False,
                    object_store_memory=_OBJECT_STORE_BYTES,
                    _temp_dir=str(home),
                )
        except Exception as error:
            ray.shutdown()
            reap(folder)
            if not left:
                raise RunError(f"Ray did not start, {_TRIES} times: {explain(error)}") from error
        else:
            return


def _init(ray: Any, **options: Any) -> None:
    ray.init(log_to_driver=False, logging_level=logging.CRITICAL, configure_logging=False, **options)


@contextmanager
def errors_apart() -> Iterator[None]:
    """What Ray tells of dead workers while it is up goes to stderr: it puts it among a command's own lines on stdout,
    whatever is said of logs, and has no option for that."""
    worker: Any = sys.modules.get("ray._private.worker")
    if worker is None:  # nothing of Ray's runs in this process
        yield
        return
    prints = worker.print_to_stdstream

    def apart(data: Mapping[str, Any], ignore_prefix: bool) -> None:
        prints({**data, "is_err": True}, ignore_prefix)

    worker.print_to_stdstream = apart
    try:
        yield
    finally:
        worker.print_to_stdstream = prints


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Who hears SIGTERM after Ray has come up is who heard it before; where that was nobody, Ray's own function, which
    exits. Ray's C++ puts itself before both of them, with a trace of its stack."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if callable(before) else signal.getsignal(signal.SIGTERM))


@contextmanager
def _told(address: str) -> Iterator[None]:
    """What Ray says of a cluster that it cannot join, in words of ours."""
    try:
        yield
    except ConnectionError as error:
        raise RunError(
            f"no Ray cluster answers at {address}: {str(error).splitlines()[0]}. Is this machine one of it, and are "
            "RAY_AUTH_MODE, the token and the version of Ray the same on all of them? docs/cluster.md"
        ) from error


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """These variables for the length of the block; what it does to them is undone."""
    before = dict(os.environ)
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
