"""Space files: the forms of the language, extends, the library, baselines inside and outside."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from search_spaces.decisions import Choice, Integer, Real
from search_spaces.errors import InputError
from search_spaces.extends import library
from search_spaces.inputs import HistoryShape
from search_spaces.knobs import Value
from search_spaces.model import InputShape, ModelSpec
from search_spaces.source import read_text
from search_spaces.space import SearchSpace, load_model, load_space, model_of, space_of

DESIGN = """
embedding:
  dim: {choice: [8, 16, 32], default: 16}
  lr: {log: [0.003, 0.2]}
interaction:
  repeat: {int: [0, 3]}
  one_of:
    cross: {rank: {choice: [16, 32, 64]}}
    dot: {compress: {choice: [8, 16, 32]}}
    masknet: {width: {int: [32, 256], step: 32}}
deep: {repeat: {int: [1, 4]}, mlp: {width: {choice: [64, 128, 256, 512]}, norm: {choice: [none, batch, layer]},
  dropout: {float: [0, 0.4], when: "norm == none"}}}
train: {batch_size: {choice: [512, 1024, 2048]}, dense_lr: {log: [1.0e-4, 1.0e-2]}}
where:
  - params <= 20M
  - count(interaction, cross) <= 2
  - not (deep.repeat == 4 and train.batch_size == 512)
"""
DHEN = """
interaction:
  repeat: {int: [1, 4]}
  any_of:
    dot: {compress: {choice: [8, 16]}}
    attention: {heads: {choice: [1, 2, 4]}}
    linear: {}
    cross: {rank: {choice: [16, 32]}}
  fuse: {choice: [concat, sum]}
"""
BASELINE = """
embedding: {dim: 16, lr: 0.02}
interaction: [{cross: {rank: 32}}, {cross: {rank: 32}}]
deep: [{mlp: {width: 256, dropout: 0.1}}, {mlp: {width: 128, dropout: 0.1}}]
train: {batch_size: 1024, dense_lr: 1.0e-3}
"""


def space(text: str) -> SearchSpace:
    return space_of(read_text(text, "space.yaml"))


def model(text: str) -> ModelSpec:
    return model_of(read_text(text, "model.yaml"))


def test_the_size_of_the_design_spaces() -> None:
    layer, tower = 3 + 3 + 8, 4 * 3
    expected = 9 * sum(layer**i for i in range(4)) * sum(tower**i for i in range(1, 5))
    assert space(DESIGN).size().discrete == expected
    assert space(DESIGN).size().continuous == 2 + 4
    assert space(DESIGN).size().knobs == 13
    modules = (3 * 4 * 2 * 3 - 1) * 2  # each module off or one of its forms, not all off, and the fuse
    assert space(DHEN).size().discrete == sum(modules**i for i in range(1, 5))


def test_domains_and_defaults() -> None:
    by_path = {decision.path: decision for decision in space(DESIGN).decisions}
    assert by_path["embedding.dim"].domain == Choice((8, 16, 32))
    assert by_path["embedding.lr"].domain == Real(0.003, 0.2, log=True)
    assert by_path["interaction[2].masknet.width"].domain == Integer(32, 256, 32)
    assert by_path["interaction[0].block"].domain == Choice(("cross", "dot", "masknet"))
    assert by_path["embedding.lr"].default == 0.02, "the model's own default lies inside"
    assert by_path["interaction.repeat"].default == 1, "the middle, rounded down"
    assert by_path["interaction[0].block"].default == "cross", "the first as written"
    assert by_path["interaction[0].masknet.width"].default == 128
    assert by_path["deep[3].mlp.dropout"].default == 0.0


def test_a_log_range_of_an_integer_holds_integers() -> None:
    made = space("embedding: {dim: {log: [4, 64]}}")
    assert made.decisions[0].domain == Integer(4, 64, log=True)
    drawn = made.sample(None, 500, np.random.default_rng(0))[:, 0]
    assert drawn.min() >= 4
    assert drawn.max() <= 64
    assert np.array_equal(drawn, np.round(drawn))
    assert abs(np.median(drawn) - 16) <= 3


def test_the_baseline_is_located_inside() -> None:
    made, human = space(DESIGN), model(BASELINE)
    located = made.locate(human)
    assert located is not None
    assert located.key == human.key
    assert located.values["interaction[1].cross.rank"] == 32
    assert human.train.schedule == "constant", "what a file leaves out has its default"
    assert human.key == ModelSpec.from_tree(human.to_tree()).key


def test_a_knob_that_came_late_changes_no_model_that_leaves_it_alone() -> None:
    plain, lifted = (model(f"interaction: [{{masknet: {{{knobs}}}}}]") for knobs in ("eps: 1.0e-5", "eps: 0.1"))
    assert plain.to_tree()["interaction"] == [{"masknet": {"width": 128, "hidden": 64}}]
    assert lifted.to_tree()["interaction"] == [{"masknet": {"width": 128, "hidden": 64, "eps": 0.1}}]
    assert plain == model("interaction: [{masknet: {}}]")
    assert ModelSpec.from_tree(lifted.to_tree()) == lifted


def test_a_baseline_outside_has_a_nearest() -> None:
    made = space(DESIGN)
    human = model("""
embedding: {dim: 20, lr: 0.5}
interaction: [{dot: {compress: 30}}, {attention: {}}, {cross: {rank: 48}}, {fm: {}}]
deep: [{mlp: {width: 1000}}]
""")
    assert made.locate(human) is None
    near = made.nearest(human)
    assert near.values["embedding.dim"] == 16
    assert near.values["embedding.lr"] == 0.2
    assert near.values["interaction.repeat"] == 3
    assert near.values["interaction[0].dot.compress"] == 32
    assert near.values["interaction[2].cross.rank"] in (32, 64)
    assert near.values["deep[0].mlp.width"] == 512
    with pytest.raises(ValueError, match="must lie inside"):
        made.answers(type(near)({}, human))


def test_shared_layers_are_asked_once() -> None:
    made = space("""
interaction: {repeat: {int: [1, 3]}, shared: true, one_of: {cross: {rank: {choice: [8, 16]}}, dot: {}}}
deep: {repeat: 2, shared: true, mlp: {width: {choice: [32, 64]}}}
where: ["sum(deep.mlp.width) <= 64 or interaction.cross.rank == 8", "interaction[2].cross.rank == 8"]
""")
    assert [d.path for d in made.decisions] == [
        "interaction.repeat", "interaction.block", "interaction.cross.rank", "deep.mlp.width",
    ]  # fmt: skip
    candidate = made.replay({"interaction.repeat": 3, "interaction.cross.rank": 16, "deep.mlp.width": 64})
    assert len(set(candidate.model.interaction)) == 1
    assert [mlp.width for mlp in candidate.model.deep] == [64, 64]
    assert len(made.violations(candidate)) == 2
    assert made.locate(candidate.model) == candidate
    assert made.size().discrete == 3 * 3 * 2


def test_layers_share_what_is_named_and_have_the_rest_alone() -> None:
    made = space("""
interaction:
  repeat: {int: [0, 2]}
  shared: [block, cross.rank]
  one_of: {cross: {rank: {choice: [8, 16]}}, dot: {compress: {choice: [4, 8], default: 4}}}
deep:
  repeat: {int: [1, 2]}
  shared: [mlp.norm, mlp.dropout]
  mlp: {width: {choice: [32, 64], when: "norm != batch"}, norm: {choice: [none, batch]},
    dropout: {choice: [0.1, 0.2], when: "norm == none"}}
where: ["sum(deep.mlp.width) <= 96", "deep[1].mlp.norm == none or deep[0].mlp.width == 32"]
""")
    assert [d.path for d in made.decisions] == [
        "interaction.repeat", "interaction.block", "interaction.cross.rank",
        "interaction[0].dot.compress", "interaction[1].dot.compress",
        "deep.repeat", "deep.mlp.norm", "deep.mlp.dropout", "deep[0].mlp.width", "deep[1].mlp.width",
    ]  # fmt: skip
    answers = {"interaction.repeat": 2, "interaction.block": "dot", "interaction[1].dot.compress": 8, "deep.repeat": 2}
    widths = {"deep[0].mlp.width": 64, "deep[1].mlp.width": 32, "deep.mlp.dropout": 0.2}
    candidate = made.replay(answers | widths)
    assert [layer.blocks[0].compress for layer in candidate.model.interaction] == [4, 8]
    assert [(mlp.width, mlp.norm, mlp.dropout) for mlp in candidate.model.deep] == [
        (64, "none", 0.2),
        (32, "none", 0.2),
    ]
    assert made.violations(candidate) == ()
    assert made.locate(candidate.model) == candidate
    assert "interaction.cross.rank" not in candidate.values
    assert "interaction[0].dot.compress" not in made.replay({"interaction.repeat": 1}).values
    assert made.size().discrete == (1 + (2 + 2) + (2 + 4)) * (2 * 2 + 1 + 4 * 2 + 1)


def test_a_list_of_layers_asks_each_its_own() -> None:
    made = space("""
deep: [{mlp: {width: 256, dropout: {float: [0.1, 0.1005]}}}, {mlp: {width: 128, dropout: 0.1}}]
interaction:
  - cross: {rank: 32}
  - one_of: {fm: {}, dot: {compress: {choice: [8, 16]}}}
    default: dot
  - {cross: {rank: {choice: [4, 8]}}, linear: {}, fuse: concat}
""")
    assert [d.path for d in made.decisions] == [
        "interaction[1].block", "interaction[1].dot.compress", "interaction[2].cross.rank", "deep[0].mlp.dropout",
    ]  # fmt: skip
    default = made.default().model
    assert [mlp.width for mlp in default.deep] == [256, 128]
    names = [[block.name for block in layer.blocks] for layer in default.interaction]
    assert names == [["cross"], ["dot"], ["cross", "linear"]]
    assert default.interaction[2].fuse == "concat"


def test_a_default_of_any_of() -> None:
    made = space("interaction: {any_of: {dot: {}, linear: {}, cross: {}}, default: [cross, linear]}")
    assert [block.name for block in made.default().model.interaction[0].blocks] == ["cross", "linear"]
    silent = made.walk(lambda decision: False)
    assert [block.name for block in silent.model.interaction[0].blocks] == ["linear"], "the first default block"


def test_replay_onto_an_edited_space_keeps_models() -> None:
    """A knob that is opened later, at the model's own default, leaves old trials what they were."""
    old = space("""
embedding: {dim: {choice: [8, 16]}}
interaction: {repeat: {int: [1, 2]}, any_of: {dot: {}, linear: {}}}
""")
    edited = """
embedding: {dim: {choice: [4, 8, 16]}, lr: {log: [0.01, 0.1]}}
interaction: {repeat: {int: [1, 3]}, any_of: {dot: {compress: {choice: [8, 16]}}, linear: {}, cross: {}}}
"""
    new = space(edited)
    rng = np.random.default_rng(0)
    for _ in range(20):
        candidate = old.random(rng)
        replayed = new.replay(candidate.values)
        assert replayed.key == candidate.key
        np.testing.assert_array_equal(new.answers(candidate), new.answers(replayed))


def test_extends_a_library_space_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "extends: ctr-small\nembedding: {dim: {choice: [4, 8]}}\nwhere: [embedding.dim > 4]\n"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "top.yaml").write_text(
        "extends: ../base.yaml\ndeep: {repeat: 1}\ninteraction: {any_of: {fm: {}, linear: {}}}\nwiring: parallel\n"
    )
    made, base = load_space(tmp_path / "sub" / "top.yaml"), load_space("ctr-small")
    paths = {decision.path: decision for decision in made.decisions}
    assert paths["embedding.dim"].domain == Choice((4, 8))
    assert paths["embedding.lr"] == next(d for d in base.decisions if d.path == "embedding.lr")
    assert "deep[0].mlp.width" in paths
    assert "deep[1].mlp.width" not in paths
    assert "interaction[2].fm" in paths
    assert "interaction[0].block" not in paths
    assert "wiring" not in paths
    assert [expression.text for expression in made.plan.where] == ["embedding.dim > 4"]
    assert space(made.to_yaml()).decisions == made.decisions


def test_a_mistake_in_a_base_is_told_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("deep:\n  repeat: 1\n  mlp: {wdith: 3}\n")
    (tmp_path / "top.yaml").write_text("extends: base.yaml\nembedding: {dim: [8]}\n")
    with pytest.raises(InputError) as caught:
        load_space(tmp_path / "top.yaml")
    places = [(Path(m.position.file).name, m.position.line) for m in caught.value.mistakes]
    assert places == [("base.yaml", 3), ("top.yaml", 2)]


def test_cost_constraints_are_checked_with_inputs(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text("embedding: {dim: {choice: [8, 16]}}\nwhere: [params <= 10]\n")
    inputs = InputShape(id_counts=((3, 2),), dense=0, train_rows=5)
    load_space(file)
    with pytest.raises(InputError, match=r"space\.yaml:2:9: constraints must be satisfiable"):
        load_space(file, inputs)


def test_a_candidate_without_ids_is_none() -> None:
    text = "features: {user: false, age: {choice: [true, false]}}\ndeep: [{mlp: {width: 8}}]\n"
    inputs = InputShape(((9, 5),), 1, 100, names=("user", "age"))
    space = space_of(read_text(text, "none.yaml"))
    bound = replace(space, inputs=inputs)
    answers_ND = bound.sample(None, 4, np.random.default_rng(0))
    assert not bound.allowed(answers_ND).any()
    assert bound.violations(bound.default()) == ("a model must read an id feature",)
    assert bound.costing.total(answers_ND[:0]).params.shape == (0,)


def test_answers_that_are_one_model_have_one_key() -> None:
    """Fields of 2, 5 and 30 ids: two are summed from 5 on. Numbers and lists may be left out."""
    lists = HistoryShape(2, 3, ((5, 1, 1, 1),))
    names = ("a", "b", "c", "price", "seen")
    inputs = InputShape(((9, 9), (9,) * 5, (9,) * 30), 1, 100, histories=(lists,), names=names)
    space = space_of(
        read_text(
            """
            features: {price: {choice: [true, false]}, c: {choice: [true, false]}, b: {choice: [true, false]}}
            embedding: {merge: {choice: [0, 16, 2, 4, 8]}, dim: {choice: [4, 8]}}
            dense: {one_of: {linear: {}, piecewise: {bins: {choice: [4, 8]}}}}
            history: {one_of: {mean: {length: {choice: [2, 3]}}, none: {}}}
            """,
            "one.yaml",
        ),
        inputs,
    )

    def key(**values: Value) -> str:
        return space.replay({path.replace("__", "."): value for path, value in values.items()}).key

    assert len({key(embedding__merge=merge) for merge in (0, 2, 4)}) == 1
    assert len({key(embedding__merge=merge) for merge in (8, 16)}) == 1
    assert key(embedding__merge=8) != key(embedding__merge=4)
    assert key(embedding__merge=8, features__b=False) == key(features__b=False), "one alone is not merged"
    assert key(features__price=False, dense__block="piecewise") == key(features__price=False)
    assert key(dense__block="piecewise") != key()
    assert len({key(features__c=False, history__block=way) for way in ("mean", "none")}) == 1
    assert key(history__block="none") != key()
    told = space.replay({"embedding.merge": 16, "features.c": False, "history.block": "mean"})
    assert told.values == {
        "features.price": True,
        "features.c": False,
        "features.b": True,
        "embedding.merge": 8,
        "embedding.dim": 8,
        "dense.block": "linear",
        "history.block": "none",
    }
    as_written = replace(space, inputs=None).replay({"embedding.merge": 16})
    assert space.locate(as_written.model) == as_written, "a baseline is what its file says"
    assert space.candidate(space.answers(as_written)).values["embedding.merge"] == 8
    judged = space.with_where(["embedding.merge != 8"])
    assert judged.replay({"embedding.merge": 16}).values["embedding.merge"] == 16, "what is judged stays as it is"


@pytest.mark.parametrize("name", library())
def test_library(name: str) -> None:
    made = load_space(name)
    assert made.allows(made.default())
    assert 12 <= made.size().knobs <= 45
    again = space(made.to_yaml())
    assert again == made
    assert pickle.loads(pickle.dumps(made)) == made
    for row in made.sample(None, 50, np.random.default_rng(0)):
        assert made.candidate(row).key


def test_the_small_ctr_space_holds_a_human_baseline(tmp_path: Path) -> None:
    file = tmp_path / "baseline.yaml"
    file.write_text(BASELINE)
    located = load_space("ctr-small").locate(load_model(file))
    assert located is not None


def test_a_name_that_is_no_space() -> None:
    with pytest.raises(InputError, match="did you mean `ctr-small`"):
        load_space("ctr-smal")


def test_walk_refuses_an_answer_outside_its_domain() -> None:
    with pytest.raises(ValueError, match="must be one of"):
        space(DESIGN).walk(lambda decision: "nonsense")


def test_draws_are_even_and_repeat() -> None:
    made = space(DESIGN)
    first, again = (made.sample(None, 4000, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    block = first[:, [d.path for d in made.decisions].index("interaction[0].block")]
    shares = np.bincount(block[~np.isnan(block)].astype(int)) / np.sum(~np.isnan(block))
    np.testing.assert_allclose(shares, 1 / 3, atol=0.03)
    rate = np.log(first[:, 1])
    assert abs(rate.mean() - np.log([0.003, 0.2]).mean()) < 0.05
