"""A model in words, as YAML, and as a difference to another model; and what a window of a log holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import TYPE_CHECKING

from automl.report.common.formats import count, counted, knob_value
from search_spaces.distill import READ_BY, Distill
from search_spaces.knobs import Value, knobs_of
from search_spaces.model import ModelSpec
from search_spaces.tasks import READ_BY as TASKS_READ_BY
from search_spaces.tasks import Tasks

if TYPE_CHECKING:
    from automl.data.store.log import EncodedLog
    from automl.study.scaled import Scaled

LayerTree = Mapping[str, Value | Mapping[str, Value]]  # of a model file: knobs by block, and a fuse
# A knob whose bare value would mislead.
_SPECIAL: Mapping[tuple[str, str, Value], str] = {("cross", "rank", 0): "full matrix"}

# What some reader of YAML takes for another thing than a name.
_WORDS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])


def describe(model: ModelSpec) -> str:
    """One line: the architecture, then how it is trained."""
    return f"{architecture(model)}; {training(model)}"


def architecture(model: ModelSpec) -> str:
    """The graph in words: embeddings, numbers, history, interaction, deep tower."""
    tree = model.to_tree()
    parts = [f"embeddings of {model.embedding.dim}"]
    if model.embedding.merge:
        parts.append(f"features of up to {model.embedding.merge} ids as one field")
    if model.embedding.split:
        parts.append(f"more than {model.embedding.split:,} ids in two tables")
    if model.without:
        parts.append(f"without {_some(model.without)}")
    if "dense" in tree:
        parts.append(f"numbers by {interaction_words([tree['dense']])}")
    if "history" in tree:
        parts.append(f"history by {interaction_words([tree['history']])}")
    crossed = interaction_words(tree["interaction"])
    parts.append(crossed or "no interaction layer")
    tower = tower_words(tree["deep"])
    beside = " beside it" if model.wiring == "parallel" and crossed else ""
    parts.append(f"deep tower {tower}{beside}" if tower else "no deep tower")
    if model.tasks is not None:
        parts.append(f"labels by {task_words(model.tasks)}")
    several = f"mean of {model.members} models, each with " if model.members > 1 else ""
    return several + ", ".join(parts)


def _some(names: Sequence[str], most: int = 4) -> str:
    """a, b, c and 5 more."""
    told = ", ".join(names[: most if len(names) <= most else most - 1])
    return told if len(names) <= most else f"{told} and {len(names) - most + 1} more"


def training(model: ModelSpec) -> str:
    """How the model is trained, in words."""
    train, embedding = model.train, model.embedding
    parts = [
        f"batch {knob_value(train.batch_size)}",
        f"dense rate {knob_value(train.dense_lr)}",
        f"embedding rate {knob_value(embedding.lr)}",
        f"{train.schedule} schedule" + (f" with {knob_value(train.warmup)} warm-up" if train.warmup else ""),
        f"{train.order} order",
    ]
    if train.optimizer != "adam":
        parts.append(f"dense weights by {train.optimizer}")
    if embedding.optimizer != "rowwise_adagrad":
        parts.append(f"embeddings by {embedding.optimizer}")
    if train.accumulate != 1:
        parts.append(f"{train.accumulate} batches a step")
    if train.precision != "fp32":
        parts.append(train.precision)
    if train.epochs != 1:
        parts.append(f"{train.epochs} epochs")
    if embedding.min_count != 1:
        parts.append(f"ids seen {embedding.min_count} times or more")
    if model.distill is not None:
        parts.append(f"teacher {teacher_words(model.distill)}")
    return ", ".join(parts)


def teacher_words(distill: Distill | None) -> str:
    """auxiliary (weight 3, alpha 1, ...): the heads, and the knobs that they read."""
    if distill is None:
        return "none"
    read = [name for name, heads in READ_BY.items() if distill.heads in heads]
    knobs = (f"{name.replace('_', ' ')} {knob_value(getattr(distill, name))}" for name in read)
    return f"{distill.heads} ({', '.join(knobs)})"


def positive_words(log: EncodedLog, window: str) -> str:
    """14.9% positive; of several labels of which, and in how many rows where some do not have it."""
    words = f"{log.base_rates[window]:.1%} positive"
    if len(log.tasks) < 2:
        return words
    rows, known = log.windows[window], log.labelled(window)
    among = "" if known == rows.stop - rows.start else f" in the {counted(known, 'row')} that have it"
    return f"{log.label} {words}{among}"


def task_words(tasks: Tasks | None) -> str:
    """mmoe (experts 4, width 64, layers 1), tower layers 1, ...: what differs from one layer of heads on all."""
    told, plain = tasks or Tasks(), Tasks()
    by_sharing = [(name, answers) for name, (gate, answers) in TASKS_READ_BY.items() if gate == "sharing"]
    of_experts = [name for name, answers in by_sharing if told.sharing in answers]
    said = [f"{name.replace('_', ' ')} {getattr(told, name)}" for name in of_experts]
    changed = [
        f"{name.replace('_', ' ')} {knob_value(getattr(told, name))}"
        for name in knobs_of(Tasks)
        if name not in ("sharing", *of_experts) and getattr(told, name) != getattr(plain, name)
    ]
    return ", ".join([told.sharing + (f" ({', '.join(said)})" if said else ""), *changed])


def interaction_words(layers: Sequence[LayerTree]) -> str:
    """2 × cross (rank 32), then dot (compress 16)."""
    steps = []
    for words, run in groupby(_layer_words(layer) for layer in layers):
        times = len(list(run))
        steps.append(words if times == 1 else f"{times} × {words}")
    return ", then ".join(steps)


def tower_words(layers: Sequence[Mapping[str, Mapping[str, Value]]]) -> str:
    """256-128 (batch norm, relu, dropout 0.1); what differs between the layers is listed."""
    if not layers:
        return ""
    mlps = [layer["mlp"] for layer in layers]
    extras = []
    for name in (knob for knob in mlps[0] if knob != "width"):
        values = [mlp[name] for mlp in mlps]
        if any(value not in (0, "none") for value in values):
            shown = dict.fromkeys(knob_value(v) for v in values) if len(set(values)) == 1 else map(knob_value, values)
            text = "/".join(shown)
            extras.append(text if name == "activation" else f"{name} {text}")
    widths = "-".join(str(mlp["width"]) for mlp in mlps)
    return f"{widths} ({', '.join(extras)})" if extras else widths


def _layer_words(layer: LayerTree) -> str:
    blocks = [_block_words(name, knobs) for name, knobs in layer.items() if isinstance(knobs, Mapping)]
    return blocks[0] if "fuse" not in layer else f"[{' + '.join(blocks)}] by {layer['fuse']}"


def _block_words(name: str, knobs: Mapping[str, Value]) -> str:
    said = [
        _SPECIAL.get((name, knob, value), f"{knob.replace('_', ' ')} {knob_value(value)}")
        for knob, value in knobs.items()
    ]
    return f"{name} ({', '.join(said)})" if said else name


def to_yaml(model: ModelSpec) -> str:
    """The model as a baseline file, one line a knob or a layer."""
    return "\n".join(yaml_lines(model)) + "\n"


def yaml_lines(model: ModelSpec) -> list[str]:
    """Lines of the baseline file: knobs of a part below it, a layer in one line."""
    lines: list[str] = []
    for part, content in model.to_tree().items():
        if isinstance(content, dict):
            lines.append(f"{part}:")
            lines += [f"  {_key(name)}: {_flow(value)}" for name, value in content.items()]
        elif isinstance(content, list):
            lines.append(f"{part}:" if content else f"{part}: []")
            lines += [f"  - {_flow(layer)}" for layer in content]
        else:
            lines.append(f"{part}: {_scalar(content)}")
    return lines


def _flow(node: object) -> str:
    if isinstance(node, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(value)}" for key, value in node.items()) + "}"
    return _scalar(node)


def _key(name: str) -> str:
    """A name of a feature may be anything."""
    plain = re.fullmatch(r"[A-Za-z_]\w*", name) and name.lower() not in _WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = repr(value)  # the shortest text that reads back as the same number
        return text if "." in text or "e" not in text else text.replace("e", ".0e")  # YAML 1.1 wants the point
    return str(value)


def difference(model: ModelSpec, baseline: ModelSpec) -> list[tuple[str, str]]:
    """All lines of both files in order, marked " " same, "-" only in the baseline, "+" only in the model."""
    old, new = yaml_lines(baseline), yaml_lines(model)
    marked: list[tuple[str, str]] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            marked += [(" ", line) for line in old[i1:i2]]
        else:
            marked += [("-", line) for line in old[i1:i2]]
            marked += [("+", line) for line in new[j1:j2]]
    return marked


def short_difference(marked: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Changed lines only, each under the heading of its part."""
    shown: list[tuple[str, str]] = []
    heading: tuple[str, str] | None = None
    for mark, line in marked:
        if mark == " " and not line.startswith(" "):
            heading = (mark, line)
        elif mark != " ":
            if heading and line.startswith(" "):
                shown.append(heading)
            heading = None
            shown.append((mark, line))
    return shown


def changes(model: ModelSpec, baseline: ModelSpec) -> list[str]:
    """The same difference in words: embedding dim 16 → 8, deep 256-128 → 128."""
    new, old = model.to_tree(), baseline.to_tree()
    said = []
    for part in ("embedding", "train"):
        one, other = getattr(model, part), getattr(baseline, part)
        for name in knobs_of(type(one)):
            value, before = getattr(one, name), getattr(other, name)
            if value != before:
                words = name.replace("_", " ")
                said.append(f"{part} {words} {knob_value(before)} → {knob_value(value)}")
    if model.without != baseline.without:
        before, after = (_some(one.without) if one.without else "none" for one in (baseline, model))
        said.append(f"features left out {before} → {after}")
    if model.dense != baseline.dense:
        before, after = (interaction_words([tree["dense"]] if "dense" in tree else []) for tree in (old, new))
        said.append(f"numbers {before or 'linear'} → {after or 'linear'}")
    if model.history != baseline.history:
        before, after = (interaction_words([tree["history"]] if "history" in tree else []) for tree in (old, new))
        said.append(f"history {before or 'none'} → {after or 'none'}")
    for part, in_words in (("interaction", interaction_words), ("deep", tower_words)):
        if new[part] != old[part]:
            said.append(f"{part} {in_words(old[part]) or 'none'} → {in_words(new[part]) or 'none'}")
    if new["wiring"] != old["wiring"]:
        said.append(f"wiring {old['wiring']} → {new['wiring']}")
    if model.members != baseline.members:
        said.append(f"members {baseline.members} → {model.members}")
    if model.tasks != baseline.tasks:
        said.append(f"labels {task_words(baseline.tasks)} → {task_words(model.tasks)}")
    if model.distill != baseline.distill:
        said.append(f"teacher {teacher_words(baseline.distill)} → {teacher_words(model.distill)}")
    return said


def knobs(model: ModelSpec) -> dict[str, Value]:
    """Every setting by its path, of features those that are left out, with the number of layers as `interaction.repeat`
    and `deep.repeat`."""
    tree = model.to_tree()
    flat: dict[str, Value] = {f"features.{name}": False for name in model.without}
    for part in ("embedding", "train", *(part for part in ("tasks", "distill") if part in tree)):
        spec = getattr(model, part)  # the tree leaves out what came late and is as it always was
        flat |= {f"{part}.{name}": getattr(spec, name) for name in knobs_of(type(spec))}
    for part in ("dense", "history"):
        if part in tree:
            flat |= _layer_knobs(part, tree[part])
    flat["wiring"] = tree["wiring"]
    flat["members"] = model.members
    for part in ("interaction", "deep"):
        flat[f"{part}.repeat"] = len(tree[part])
        for index, layer in enumerate(tree[part]):
            flat |= _layer_knobs(f"{part}[{index}]", layer)
    return flat


def _layer_knobs(path: str, layer: LayerTree) -> dict[str, Value]:
    flat: dict[str, Value] = {}
    if path.startswith(("interaction", "dense", "history")):
        flat[f"{path}.block"] = " + ".join(name for name in layer if name != "fuse")
    for name, content in layer.items():
        if isinstance(content, Mapping):
            flat |= {f"{path}.{name}.{knob}": value for knob, value in content.items()}
        else:
            flat[f"{path}.{name}"] = content
    return flat


def scale_words(scaled: Scaled) -> str:
    """What a study was scaled to: `8x: target 4.16M FLOPs a row, ...`."""
    wide = f"{count(scaled.flops)} ({scaled.reached:.3g}x of {count(scaled.brought_flops)} as brought)"
    return f"{scaled}: target {count(scaled.target)} FLOPs a row, the baseline is widened to {wide}"
