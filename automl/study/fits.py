"""What a space and a baseline ask of the data, beside columns: told with all that is wrong with a study's files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from automl.data.describe.tables import DataConfig, LessonsConfig
from automl.study.config import StudyConfig
from automl.study.file import part
from search_spaces.decisions import Choice, Integer
from search_spaces.dense_forms import LinearForm
from search_spaces.errors import InputError, Mistake, Position
from search_spaces.extends import is_name, read_space
from search_spaces.history import EventsSpec
from search_spaces.model import InputShape, ModelSpec
from search_spaces.source import Document, did_you_mean, read
from search_spaces.space import SearchSpace
from search_spaces.tree import BlockTree, Question

_FEW = 64  # values of a whole number that are looked at


def untaught(document: Document, space: SearchSpace | None, baseline: ModelSpec | None) -> list[Mistake]:
    """A space or a baseline that would learn from a teacher where the log has none."""
    wrong = _told_in(
        document,
        "distill",
        space=space is not None and space.tree.distill is not None,
        baseline=baseline is not None and baseline.distill is not None,
    )
    hint = "leave `distill` out, or give `data: {lessons: RUN/lessons/STUDENT, split: ...}` of an ExFM run"
    return [Mistake(at, "distill must have a log with a teacher", "a log without one", hint) for at in wrong]


def several(document: Document, space: SearchSpace | None, baseline: ModelSpec | None) -> list[Mistake]:
    """A space or a baseline of several members over lessons: an ExFM run could not take what is found."""
    wrong = _told_in(
        document,
        "members",
        space=space is not None and space.tree.members != 1,
        baseline=baseline is not None and baseline.members > 1,
    )
    hint = "a student reads a stream in its one order, where members would be alike: leave `members` out"
    return [Mistake(at, "members must be 1 where a student is searched", "more", hint) for at in wrong]


def formed(document: Document, space: SearchSpace | None, baseline: ModelSpec | None) -> list[Mistake]:
    """A space or a baseline that gives numbers a form over lessons: an ExFM run could not take what is found."""
    wrong = _told_in(
        document, "dense", space=_forms(space), baseline=baseline is not None and baseline.dense is not None
    )
    hint = "a stream has no quantiles of its numbers: leave `dense` out"
    return [Mistake(at, "dense must be linear where a student is searched", "another form", hint) for at in wrong]


def _forms(space: SearchSpace | None) -> bool:
    """Whether a space may ask for another form of numbers than the linear one."""
    asked = () if space is None or space.tree.dense is None else space.tree.dense.blocks
    return any(block.name != LinearForm.name for block in asked)


def untasked(
    document: Document, data: DataConfig | LessonsConfig | None, space: SearchSpace | None, baseline: ModelSpec | None
) -> list[Mistake]:
    """A space or a baseline that says how it predicts several labels where there is one, or one given another where
    none is."""
    if data is None:
        return []
    labels = data.tasks if isinstance(data, DataConfig) else ()
    everywhere = {label.column for label in labels if label.given is None}
    if len(labels) < 2:
        has_space = space is not None and space.tree.tasks is not None
        in_baseline = baseline is not None and baseline.tasks is not None
        place: tuple[str, ...] = ("tasks",)
        must = "tasks must have a log of several labels"
        found, hint = "one label", "leave `tasks` out, or give `data: {labels: ...}` of several"
    elif not any(label.given in everywhere for label in labels):
        place, must = ("tasks", "esmm"), "esmm must have a label that is given another of the labels"
        has_space = space is not None and _may(space.tree.tasks, "esmm")
        in_baseline = baseline is not None and baseline.tasks is not None and baseline.tasks.esmm
        found, hint = "none", "like {ctr: is_click, cvr: {column: long_view, given: is_click}}"
    else:
        return []
    wrong = _told_in(document, *place, space=has_space, baseline=in_baseline)
    return [Mistake(at, must, found, hint) for at in wrong]


def _may(block: BlockTree | None, flag: str) -> bool:
    """Whether a section of a space may answer yes."""
    setting = False if block is None else block.settings.get(flag, False)
    return setting.domain.has(True) if isinstance(setting, Question) else bool(setting)


def unlisted(
    document: Document, config: StudyConfig, space: SearchSpace | None, baseline: ModelSpec | None
) -> list[Mistake]:
    """A space or a baseline that would read histories where the log has none."""
    if isinstance(config.data, DataConfig) and config.data.features.sequence:
        return []
    asked = () if space is None or space.tree.history is None else space.tree.history.blocks
    wrong = _told_in(
        document,
        "history",
        space=any(block.name != "none" for block in asked),
        baseline=baseline is not None and baseline.history is not None,
    )
    hint = "name one under data: features: sequence, or leave `history` out"
    return [Mistake(at, "history must have a log with a sequence", "a log without one", hint) for at in wrong]


def numberless(
    document: Document, config: StudyConfig, space: SearchSpace | None, baseline: ModelSpec | None
) -> list[Mistake]:
    """A space or a baseline that gives a form to numbers where the log has none."""
    features = config.data.features if isinstance(config.data, DataConfig) else None
    if features is None or features.dense or features.blocks or features.recent is not None:
        return []
    wrong = _told_in(
        document, "dense", space=_forms(space), baseline=baseline is not None and baseline.dense is not None
    )
    hint = "dense, counters and recent are, under data: features, and vectors are not; or leave `dense` out"
    return [Mistake(at, "dense must have a log with numbers", "a log without one", hint) for at in wrong]


def unnamed(
    document: Document, data: DataConfig | LessonsConfig | None, space: SearchSpace | None, baseline: ModelSpec | None
) -> list[Mistake]:
    """Names under `features` of a space or a baseline that no feature of the data bears; a baseline that reads no id
    feature. Of lessons nothing is known before they are open."""
    if not isinstance(data, DataConfig):
        return []
    parts = data.features
    names = {*parts.categorical, *parts.dense, *parts.past_names, *parts.vectors, *parts.sequence}
    return misnamed(document, names, space, baseline, set(parts.categorical))


def misnamed(
    document: Document,
    names: Collection[str],
    space: SearchSpace | None,
    baseline: ModelSpec | None,
    ids: Collection[str],
) -> list[Mistake]:
    """`unnamed`, of features that bear these names; `ids` are those of the id features among them."""
    wrong = []
    never = set[str]()
    for one in () if space is None else space.tree.features:
        never |= set() if one.read else set(one.of)
        if one.is_group and one.name in names:
            at = _space_file(document).at_key("features", one.name)
            wrong.append(Mistake(at, "a group must have a name that no feature bears", one.name))
        for k, name in enumerate(one.of):
            if name not in names:
                inside = ("features", one.name, "of", k)
                at = _space_file(document).at(*inside) if one.is_group else _space_file(document).at_key(*inside[:2])
                wrong.append(_misnamed(at, name, names))
    if baseline is not None:
        file = _baseline_file(document)
        wrong += [_misnamed(at, name, names) for at, name in _named_in(file) if name not in names]
    if set(ids) <= never:
        at, must = _space_file(document).at_key("features"), "a model must read an id feature"
        wrong.append(Mistake(at, must, "all of them left out"))
    if baseline is not None and set(ids) <= set(baseline.without):
        at, must = _baseline_file(document).at("features"), "a model must read an id feature"
        wrong.append(Mistake(at, must, "all of them left out"))
    return wrong


def _named_in(file: Document) -> Iterator[tuple[Position, str]]:
    """The features that a model file names, and where."""
    told = part(file, "features")
    for name, value in told.items() if isinstance(told, Mapping) else ():
        if isinstance(value, dict):
            yield from ((file.at("features", name, "of", k), one) for k, one in enumerate(value["of"]))
        else:
            yield file.at_key("features", name), str(name)


def _misnamed(at: Position, name: str, names: Collection[str]) -> Mistake:
    return Mistake(at, "a name must be a feature of the data", name, did_you_mean(name, names))


def check_actions(
    document: Document, actions: Mapping[str, int], space: SearchSpace | None, baseline: ModelSpec
) -> None:
    """The actions of events that space and baseline may ask for are those of every sequence of the log; `actions`: how
    many each has.

    Raises:
        InputError: where one of them is not, at each place that asks for it.
    """
    if not actions:
        return
    most, wrong = min(actions.values()), []
    must, hint = f"action must be at most {most}, as many as each sequence of the log has", "0 reads events of all"
    if any(count > most for count in actions.values()):
        fewest = ", ".join(name for name, count in actions.items() if count == most)
        hint = f"{hint}; the fewest, {most or 'none'}, are those of {fewest}"
    blocks = () if space is None or space.tree.history is None else space.tree.history.blocks
    for block in blocks:
        if (asked := _largest_action(block)) > most:
            wrong.append(Mistake(_way_at(document, block, "action"), must, str(asked), hint))
    own = baseline.history
    if isinstance(own, EventsSpec) and own.action > most:
        at = _baseline_file(document).at_key("history", own.name, "action")
        wrong.append(Mistake(at, must, str(own.action), hint))
    if wrong:
        raise InputError(wrong)


def lengths_alike(document: Document, space: SearchSpace, longest: int) -> list[tuple[Position, str]]:
    """Where a space asks for lengths of which several are one model, as no list of the log is longer than `longest`."""
    found = []
    for block in () if space.tree.history is None else space.tree.history.blocks:
        setting = block.settings.get("length")
        domain = setting.domain if isinstance(setting, Question) else None
        if isinstance(domain, Choice):
            alike = sorted(int(option) for option in domain.options if int(option) >= longest)
            words = ", ".join(map(str, alike))
        elif isinstance(domain, Integer):
            alike = [max(domain.low, longest), domain.high]
            words = f"all from {alike[0]} on"
        else:
            continue
        if len(set(alike)) > 1 and alike[0] < alike[-1]:
            text = f"history.{block.name}.length: {words} are one model, as no sequence has a max_len above {longest}"
            found.append((_way_at(document, block, "length"), text))
    return found


def cuts_alike(document: Document, space: SearchSpace, inputs: InputShape) -> list[tuple[Position, str]]:
    """Where a space asks how often an id must be seen and several answers are one model: they tell the same ids
    apart."""
    setting = space.tree.embedding.settings.get("min_count")
    domain = setting.domain if isinstance(setting, Question) else None
    if isinstance(domain, Choice):
        options = sorted(map(int, domain.options))
    elif isinstance(domain, Integer):
        options = list(range(domain.low, min(domain.high, domain.low + _FEW) + 1))
    else:
        return []
    alike: dict[tuple[int, ...], list[int]] = {}
    for option in options:
        alike.setdefault(inputs.table_rows(option), []).append(option)
    at = _space_file(document).at_key("embedding", "min_count")
    return [
        (at, f"embedding.min_count: {', '.join(map(str, group))} are one model, as they tell the same ids apart")
        for group in alike.values()
        if len(group) > 1
    ]


def _way_at(document: Document, block: BlockTree, knob: str) -> Position:
    """Where a space's file gives a knob of a way to read histories."""
    file = _space_file(document)
    way = (block.name,) if part(file, "history", "one_of") is None else ("one_of", block.name)
    return file.at_key("history", *way, knob)


def _largest_action(block: BlockTree) -> int:
    setting = block.settings.get("action", 0)
    if not isinstance(setting, Question):
        return int(setting)
    domain = setting.domain
    return int(max(map(int, domain.options)) if isinstance(domain, Choice) else domain.high)  # type: ignore[union-attr]


def _told_in(document: Document, *path: str, space: bool, baseline: bool) -> list[Position]:
    """Where the files of space and baseline have the key that ends a path; only of those that are asked for."""
    files = [*([_space_file(document)] if space else []), *([_baseline_file(document)] if baseline else [])]
    return [file.at_key(*path) for file in files]


def _space_file(document: Document) -> Document:
    name = str(part(document, "space"))
    return read_space(name if is_name(name) else Path(document.file).parent / name)


def _baseline_file(document: Document) -> Document:
    return read(Path(document.file).parent / str(part(document, "baseline")))
