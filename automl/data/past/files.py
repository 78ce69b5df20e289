"""The past of a log as one file: a zip of JSON and Arrow, nothing that is unpickled. It is replaced whole.

`facts.json`; `encoders/` of the columns of keys and lists; `tail.arrow`, a row a row of the log; `sums-B-K.arrow`, a
row a key; `events-S.arrow`, a row an event.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.past.features import CounterBlock, Key, PastFeatures
from automl.data.past.past import Past
from automl.data.past.rows import PastRows
from automl.data.past.sequences import Events
from automl.data.past.state import BlockSums, KeySums, State
from automl.data.store.encoder_files import read_served, write_served
from automl.files.parts import Parts, hold_parts
from automl.files.whole import whole_file
from search_spaces.errors import InputError, first_line

_FORMAT, _WITHOUT_DIGESTS = 3, 2  # the older one is read too
_FACTS, _TAIL = "facts.json", "tail.arrow"
_MUST = "must be the past of a log, as automl export writes it beside a model"


def past_beside(model: Path) -> Path:
    """Where the past of a model lies where nothing else is said."""
    return model.with_name(f"{model.name}.past")


def write_past(past: Past, file: Path) -> None:
    """In the place of an older one."""
    state = past.state
    told = {
        "format": _FORMAT,
        "fingerprint": past.fingerprint,
        "until": past.until,
        "last": state.last,
        "rows": state.rows,
        "what": past.what.to_json(),
        "blocks": [
            {"edge": sums.edge, "base": sums.base, "overall": sums.overall_L2.tolist()} for sums in state.blocks
        ],
    }
    with whole_file(file) as part, ZipFile(part, "w") as out:
        parts = Parts(out)
        write_served(past.encoders, parts)
        _write(parts, _TAIL, _tail_columns(state.tail))
        for b, sums in enumerate(state.blocks):
            for k, own in enumerate(sums.keys):
                _write(parts, _sums_file(b, k), _sums_columns(own))
        for s, events in enumerate(state.sequences):
            _write(parts, _events_file(s), _event_columns(events))
        parts.write(_FACTS, json.dumps({**told, "parts": dict(parts.digests)}, indent=1))


def read_past(file: Path | str) -> Past:
    """
    Raises:
        InputError: where the file holds none, or one of another version.
    """
    if not Path(file).exists():
        raise InputError.of(str(file), _MUST, "nothing there")
    try:
        with ZipFile(file) as held:
            facts = json.loads(held.read(_FACTS))
            if "what" not in facts:
                raise InputError.of(str(file), _MUST, "another file of automl")
            if facts["format"] not in (_FORMAT, _WITHOUT_DIGESTS):
                must = f"{_MUST}, of format {_FORMAT} or {_WITHOUT_DIGESTS}"
                raise InputError.of(str(file), must, str(facts["format"]))
            if facts["format"] == _FORMAT:
                hold_parts(held, _FACTS, facts.get("parts"))
            return _read(held, facts)
    except InputError:
        raise
    except Exception as error:  # whatever the parts of it are
        raise InputError.of(str(file), _MUST, first_line(error)) from error


def _read(held: ZipFile, facts: dict[str, Any]) -> Past:
    what = PastFeatures.of_json(facts["what"])
    blocks = [
        BlockSums(told["edge"], told["base"], np.array(told["overall"], np.float64), _keys(held, b, block))
        for b, (block, told) in enumerate(zip(what.blocks, facts["blocks"], strict=bool(facts["blocks"])))
    ]
    sequences = tuple(_events(_table(held, _events_file(s)), len(block.by)) for s, block in enumerate(what.sequences))
    state = State(facts["last"], facts["rows"], tuple(blocks), _tail(held, what), sequences)
    return Past(what, state, read_served(held), facts["fingerprint"])


def _keys(held: ZipFile, b: int, block: CounterBlock) -> tuple[KeySums, ...]:
    return tuple(_sums(_table(held, _sums_file(b, k)), key, len(block.labels)) for k, key in enumerate(block.keys))


def _sums_file(b: int, k: int) -> str:
    return f"sums-{b}-{k}.arrow"


def _sums_columns(sums: KeySums) -> dict[str, NDArray[np.generic]]:
    return {
        **{f"code{p}": codes for p, codes in enumerate(sums.codes_PS)},
        **{f"positives{k}": found for k, found in enumerate(sums.positives_LS)},
        **{f"counts{k}": found for k, found in enumerate(sums.counts_LS)},
        "seen": sums.seen_S,
    }


def _sums(table: pa.Table, key: Key, labels: int) -> KeySums:
    return KeySums(
        codes_PS=_stacked(table, [f"code{p}" for p in range(len(key.columns))], np.int32),
        positives_LS=_stacked(table, [f"positives{k}" for k in range(labels)], np.float64),
        counts_LS=_stacked(table, [f"counts{k}" for k in range(labels)], np.float64),
        seen_S=table["seen"].to_numpy(),
    )


def _events_file(s: int) -> str:
    return f"events-{s}.arrow"


def _event_columns(events: Events) -> dict[str, NDArray[np.generic]]:
    return {
        "time": events.times_E,
        **{f"code{p}": codes for p, codes in enumerate(events.keys_PE)},
        "id": events.ids_E,
        "actions": events.bits_E,
    }


def _events(table: pa.Table, columns: int) -> Events:
    return Events(
        times_E=table["time"].to_numpy(),
        keys_PE=_stacked(table, [f"code{p}" for p in range(columns)], np.int32),
        ids_E=table["id"].to_numpy(),
        bits_E=table["actions"].to_numpy(),
    )


def _tail_columns(tail: PastRows) -> dict[str, NDArray[np.generic]]:
    return {
        "time": tail.times_N,
        **{f"code{k}": codes for k, codes in enumerate(tail.codes_KN)},
        **{f"label{k}": values for k, values in enumerate(tail.labels_NL.T)},
        **{f"arrives{k}": times for k, times in enumerate(tail.arrivals_NL.T)},
    }


def _tail(held: ZipFile, what: PastFeatures) -> PastRows:
    table = _table(held, _TAIL)
    labels = range(len(what.labels))
    return PastRows(
        times_N=table["time"].to_numpy(),
        codes_KN=_stacked(table, [f"code{k}" for k in range(len(what.columns))], np.int32),
        labels_NL=_stacked(table, [f"label{k}" for k in labels], np.float32).T,
        arrivals_NL=_stacked(table, [f"arrives{k}" for k in labels], np.int64).T,
        events_SN=np.zeros((len(what.sequences), table.num_rows), np.uint8),
    )


def _stacked(table: pa.Table, names: Sequence[str], kind: type[np.generic]) -> NDArray[Any]:
    """(columns, rows)"""
    out = np.zeros((len(names), table.num_rows), kind)
    for k, name in enumerate(names):
        out[k] = table[name].to_numpy()
    return out


def _write(parts: Parts, name: str, columns: dict[str, NDArray[np.generic]]) -> None:
    table = pa.table({name: np.ascontiguousarray(values) for name, values in columns.items()})
    held = BytesIO()
    with pa.ipc.new_file(held, table.schema) as writer:
        writer.write_table(table)
    parts.write(name, held.getvalue())


def _table(held: ZipFile, name: str) -> pa.Table:
    with pa.ipc.open_file(BytesIO(held.read(name))) as reader:
        table = reader.read_all()
    table.validate(full=True)
    return table
