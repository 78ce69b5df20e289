"""What a trial holds of memory at its most, from shapes alone: bytes that no file backs. Nothing is built."""

from __future__ import annotations

from automl.ranking.batches import BLOCK_ROWS, CHUNK_BLOCKS
from automl.ranking.features import AT_ONCE
from automl.ranking.optimizers import DENSE
from automl.ranking.place import LARGE
from automl.ranking.recalibration import recent_rows
from automl.ranking.throughput import MOST_BATCHES
from automl.ranking.training import BASE_ROWS
from search_spaces.inputs import HistoryShape
from search_spaces.model import Embedding, InputShape, ModelSpec

_FLOAT, _DOUBLE = 4, 8
_COUNT = 40  # an id's count as Python keeps it
_POINTS = 20  # of a trial's curve
_DENSE = 2  # weights and gradients, beside what their optimizer keeps
_BACKWARD = 2.5  # activations: kept, and what of their gradients is there at once
_FORWARD = 0.6  # where nothing is kept for a gradient
_JUDGED = 12  # doubles a scored row: logit, probability, label, weight, loss, and the orders that AUC sorts
_BESIDE_IT = 3  # of each further label: logit, probability, label
_BESIDE = 8 << 20  # modules that the first trial loads, and what an allocator leaves unused


def trial_bytes(
    model: ModelSpec, inputs: InputShape, train: slice, scored: int, *, reference: ModelSpec, batch_rows: int
) -> int:
    """Of a trial that trains on the rows `train` and scores so many; `batch_rows` is the batch that QPS is timed at.

    Workers keep what is freed: what scoring holds comes beside what training held.
    """
    rows: int = train.stop - train.start
    weights = [_FLOAT * one.cost(inputs).params for one in (model, reference)]
    timed = MOST_BATCHES * batch_rows * _row(inputs)
    known = _COUNT * sum(map(len, inputs.id_counts))
    forward = round(_FORWARD * AT_ONCE * _activations(model, inputs))
    base_rate = 3 * _DOUBLE * min(rows, BASE_ROWS)
    learnt: int = max(_learning(model, inputs, rows), base_rate, _judging(model, inputs, train, scored))
    return _BESIDE + known + sum(weights) + timed + learnt + forward


def _learning(model: ModelSpec, inputs: InputShape, rows: int) -> int:
    """Beside the weights: optimizers, the mean of the weights, chunks, a batch's activations, the logits of a point."""
    table = sum(model.ids_of(model.read_of(inputs)).table_rows(model.embedding.min_count))
    of_dense = model.cost(inputs).params - model.members * table * model.embedding.dim
    batch = min(model.train.batch_size, rows)
    named = _FLOAT * table if table > LARGE * batch * inputs.fields else 0
    mean = _FLOAT * table * model.embedding.dim if model.train.average else 0
    kept = _FLOAT * table * _kept_of_row(model.embedding)
    logits = rows // _POINTS * 2 * _DOUBLE
    of_one = kept + named + mean + _chunks(inputs, rows) + logits
    activations = round(_BACKWARD * batch * _activations(model, inputs))
    vectors = _DENSE + len(DENSE[model.train.optimizer].KEPT) + (model.train.accumulate > 1)
    return model.members * of_one + vectors * _FLOAT * of_dense + activations + _together(model, inputs, rows)


def _kept_of_row(embedding: Embedding) -> int:
    """Numbers that the table's optimizer keeps of a row."""
    return {"rowwise_adagrad": 1, "adagrad": embedding.dim, "adam": 2 * embedding.dim, "sgd": 0}[embedding.optimizer]


def _together(model: ModelSpec, inputs: InputShape, rows: int) -> int:
    """Rows of the table and their gradients, of all batches of a step, and once more as they are joined."""
    if model.train.accumulate == 1:
        return 0
    places = inputs.fields + sum(round(one.mean_length(one.most)) for one in inputs.histories)
    step = min(model.train.batch_size * model.train.accumulate, rows)
    return 2 * step * places * _FLOAT * (model.embedding.dim + 1)


def _chunks(inputs: InputShape, rows: int) -> int:
    """A chunk as it was copied, one more while the next is read, and its rows of the table as they are looked for."""
    parts = max(1, -(-rows // (CHUNK_BLOCKS * BLOCK_ROWS)))
    copied = (_row(inputs) + (1 + inputs.tasks) * _FLOAT) * min(parts, 2)
    return -(-rows // parts) * (copied + (2 * _FLOAT + 1) * inputs.fields)


def _judging(model: ModelSpec, inputs: InputShape, train: slice, scored: int) -> int:
    """Rows scored for the refit or for the metrics, whichever are more."""
    recent = recent_rows(train)
    rows = max(scored, recent.stop - recent.start if model.train.recalibrate else 0)
    return rows * (_JUDGED + _BESIDE_IT * (inputs.tasks - 1)) * _DOUBLE


def _activations(model: ModelSpec, inputs: InputShape) -> int:
    """Of a row, forward; members are trained and scored one after the other."""
    return model.cost(inputs).bytes // model.members


def _row(inputs: InputShape) -> int:
    lists = sum(round(one.mean_length(one.most) * _event(one)) + 2 * _DOUBLE for one in inputs.histories)
    return _FLOAT * (inputs.fields + inputs.dense) + lists


def _event(history: HistoryShape) -> int:
    """Its id, and the kinds of its gap and of its actions."""
    return _FLOAT + history.timed + (history.actions > 0)
