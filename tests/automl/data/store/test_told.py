from __future__ import annotations

import json

from automl.data.store.told import Feature, Note


def test_notes_and_features_go_through_json() -> None:
    note = Note("price is constant in the fit windows", "feature", ("features", "dense", "price"))
    feature = Feature("price", "dense", {"train": 0.1}, {}, {"train": 0.0, "test": None}, {"train": 1.0, "test": None})
    assert Note.of_json(json.loads(json.dumps(note.to_json()))) == note
    assert Feature.of_json(json.loads(json.dumps(feature.to_json()))) == feature


def test_a_note_of_the_whole_log_reads_as_its_text() -> None:
    assert str(Note("12 rows lie outside of the windows")) == "12 rows lie outside of the windows"
    assert Note("12 rows lie outside of the windows").at == ()
