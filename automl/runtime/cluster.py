"""Ray up and down, quietly, with nothing left behind."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from automl.runtime.errors import RunError
from automl.runtime.leftovers import FOLDER, reap
from search_spaces.errors import InputError

_OBJECT_STORE_BYTES = 100 << 20  # data is mapped from files; the store holds next to nothing
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


@contextmanager
def cluster(folder: Path, cpus: float, address: str | None = None) -> Iterator[None]:
    """Ray for the length of the block: a cluster of this machine, or the one at `address` that this machine is part of.

    Raises:
        InputError: where the address is one of Ray's client.
        RunError: where no cluster answers there.
    """
    if address is not None and address.startswith("ray://"):
        must = "must be HOST:PORT of a cluster that this machine is one of (`ray start --address=HOST:PORT`)"
        raise InputError.of("--address", must, address)
    reap(folder)
    with _environment({**_QUIET, **os.environ, FOLDER: str(folder.absolute())}), warnings.catch_warnings():
        import ray  # after the environment: Ray reads it at import

        for name in ("ray", "ray.tune", "ray._private"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module="ray")
        try:
            with _told(address):
                ray.init(
                    address=address,
                    num_cpus=None if address else max(1, round(cpus)),  # one that is there has its size
                    include_dashboard=None if address else False,
                    object_store_memory=None if address else _OBJECT_STORE_BYTES,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    configure_logging=False,
                )
            yield
        finally:
            ray.shutdown()
            os.environ.pop(FOLDER, None)
            reap(folder)


@contextmanager
def _told(address: str | None) -> Iterator[None]:
    """What Ray says of a cluster that it cannot join, in words of ours."""
    try:
        yield
    except ConnectionError as error:
        if address is None:
            raise
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
