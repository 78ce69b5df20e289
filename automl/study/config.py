"""The study file, as frozen typed values. Paths in it are relative to the file itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
)

from automl.data.describe.parts import Bytes, Part, Seconds
from automl.data.describe.tables import DataConfig, LessonsConfig, told_data
from automl.study.history import Limit, Metric
from automl.study.tuning import LEAST

STRATEGIES: dict[str, str] = {
    "controller": "automl.strategies.propose:controller",
    "evolution": "automl.strategies.baselines:evolution",
    "nsga2": "automl.strategies.baselines:nsga2",
    "random": "automl.strategies.baselines:random",
    "tpe": "automl.strategies.baselines:tpe",
}
"""The strategies that a study may name, and where each stands (MODULE:FUNCTION): loaded by the search that asks.

Plug-ins add to this table and to the next (automl/study/plugins.py).
"""

DEAF = frozenset({"evolution", "nsga2", "random", "tpe"})
"""The strategies that hear nothing of a warm start or a preference. Of one that a plug-in adds nobody knows."""

TRAININGS: dict[str, str] = {"standard": "automl.runtime.work:train_and_score"}
"""The trainings that a study may name, and where each stands: loaded by the worker that trains."""


def _named_in(table: Mapping[str, str]) -> BeforeValidator:
    """A name of a table, as the table is when the file is read."""

    def check(value: object) -> object:
        if value not in list(table):
            *names, last = table
            raise ValueError(f"must be {', '.join(names)} or {last}" if names else f"must be {last}")
        return value

    return BeforeValidator(check)


def _none_or_enough(value: int) -> int:
    if 0 < value < LEAST:
        raise ValueError(f"must be 0 (not tuned), or at least {LEAST}")
    return value


class SearchConfig(Part):
    """How candidates are proposed, and how many trainings tune the baseline before."""

    strategy: Annotated[str, _named_in(STRATEGIES)] = "controller"
    batch: Annotated[int, Field(ge=1, le=1000)] = 10
    prefer: Literal["accurate", "balanced"] = "balanced"  # automl.study.history.Prefer
    stop_early: bool = True
    fidelity: Literal["full", "auto"] = "full"
    repeats: Annotated[float, Field(ge=0, le=5)] = 0.3  # the most further trainings, as a share of the candidates
    warm_start: tuple[str, ...] = ()  # folders of other studies, relative to the file
    tune_baseline: Annotated[int, Field(ge=0, le=200), AfterValidator(_none_or_enough)] = 0

    @field_validator("prefer")
    @classmethod
    def _where_it_is_heard(cls, value: str, info: ValidationInfo) -> str:
        strategy = info.data.get("strategy")
        if value != "balanced" and strategy in DEAF:
            raise ValueError(f"must be left out with {strategy}: only the controller hears what is preferred")
        return value

    @field_validator("warm_start", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


class TrialConfig(Part):
    """How a trial trains, and its hard limits: seconds of wall time, bytes of memory beyond what its process held."""

    training: Annotated[str, _named_in(TRAININGS)] = "standard"
    timeout: Seconds = 600.0
    memory: Bytes = 4 << 30


class ResourcesConfig(Part):
    """What one trial holds of the machine while it runs; fractions are allowed. Models are trained on the GPU where a
    trial holds any of one."""

    cpu: Annotated[float, Field(gt=0)] = 1.0
    gpu: Annotated[float, Field(ge=0, le=1)] = 0.0


class QpsConfig(Part):
    """How serving speed is timed: on the processor, on the GPU that a trial holds, or not: `analytic` derives it from
    FLOPs and bytes, for replays and not for shipping."""

    batch_rows: Annotated[int, Field(ge=1, le=65536)] = 512
    max_seconds: Seconds = 0.6
    clock: Literal["cpu", "gpu", "analytic"] = "cpu"


def _file_name(value: str) -> str:
    """A name that is a part of a file's name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", value):
        raise ValueError("must be letters, digits, - and _")
    return value


class FinalsConfig(Part):
    """Retraining of the picks: by how much NE may be worse and still count as no worse, and with how many seeds.

    `family`: the study is one of several of which one is hoped to succeed; they spend one level between them
    (automl.stats.spending), by a ledger that stands in the folder `ledger`, or beside the study's folder.
    `progressive`: a test window of several days is scored day by day, and each day is then trained on. `race`: a pick
    that cannot win any more is trained no further, for the sake of the others.
    """

    margin_pct: Annotated[float, Field(gt=0)] = 0.2
    seeds: Annotated[int, Field(ge=2, le=100)] = 5
    repeats: Annotated[int, Field(ge=2, le=20)] = 3  # of promising trials on the validation window, before the picks
    progressive: bool = True
    race: bool = True
    family: Annotated[str, Field(max_length=100), AfterValidator(_file_name)] | None = None
    ledger: str | None = None

    @field_validator("ledger")
    @classmethod
    def _of_a_family(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("family", "unsound") is None:
            raise ValueError("must come with `family`, whose ledger stands there")
        return value


_FIGURE = r"(ne(?:\.\w+)?|qps|train_qps)"
_LIMIT = re.compile(rf"{_FIGURE}\s*(>=|<=)\s*(?:(\d+(?:\.\d+)?)\s*\*\s*)?baseline\.{_FIGURE}")
_METRIC = {"ne": Metric.NE_GAIN_PCT, "qps": Metric.QPS_RATIO, "train_qps": Metric.TRAIN_QPS_RATIO}
_COST = re.compile(r"\b(params|flops|activation_bytes)\b")


def is_cost_limit(text: str) -> bool:
    """Whether a constraint speaks of cost that is known before training."""
    return _COST.search(text) is not None


def parse_limit(text: str) -> Limit:
    """`qps >= 0.95 * baseline.qps` to a Limit on the ratio (for ne, or ne.TASK: on the gain in percent).

    Raises:
        ValueError: where the text is not of that form.
    """
    match = _LIMIT.fullmatch(text.strip())
    if not match or match[1] != match[4]:
        raise ValueError(
            "must read like `qps >= 0.95 * baseline.qps` (ne, qps or train_qps against its own baseline), "
            f"but found `{text}`"
        )
    factor = float(match[3] or 1)
    figure, _, task = match[1].partition(".")
    metric, bound = _METRIC[figure], 100 * (factor - 1) if figure == "ne" else factor
    limit = Limit(metric, task=task or None)
    return replace(limit, low=bound) if match[2] == ">=" else replace(limit, high=bound)


def _ne_names(objectives: object) -> list[str]:
    found = objectives if isinstance(objectives, dict) else ()
    return [name for name in found if isinstance(name, str) and name.startswith("ne.")]


def _readable(text: str) -> str:
    if not is_cost_limit(text):
        parse_limit(text)
    return text


def _postgresql(value: str) -> str:
    """A database that several drivers share, as libpq has it."""
    found = re.match(r"postgresql://(?P<user>[^/?#@]*@)?[^?#]*/[^/?#]+", value)
    if found is None:
        raise ValueError("must be postgresql://[USER@]HOST[:PORT]/DATABASE")
    if ":" in (found["user"] or "") or "password=" in value:
        raise ValueError("must not hold a password, which reports would tell: leave it to PGPASSWORD or ~/.pgpass")
    return value


class StudyConfig(Part):
    """One study file. `storage`: a database for the record, which several drivers may share."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    storage: Annotated[str, AfterValidator(_postgresql)] | None = None
    plugins: tuple[str, ...] = ()  # loaded before the rest is read: automl/study/plugins.py
    data: Annotated[DataConfig | LessonsConfig, BeforeValidator(told_data)]
    space: str
    baseline: str
    objectives: dict[str, str] = Field(default_factory=lambda: {"ne": "minimize", "qps": "maximize"})
    constraints: tuple[Annotated[str, AfterValidator(_readable)], ...] = ()
    search: SearchConfig = SearchConfig()
    trial: TrialConfig = TrialConfig()
    resources: ResourcesConfig = ResourcesConfig()
    qps: QpsConfig = QpsConfig()
    finals: FinalsConfig = FinalsConfig()
    baseline_seeds: Annotated[int, Field(ge=2, le=20)] = 3
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("constraints", "plugins", mode="before")
    @classmethod
    def _lists(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("qps")
    @classmethod
    def _on_a_gpu_that_is_held(cls, value: QpsConfig, info: ValidationInfo) -> QpsConfig:
        if value.clock == "gpu" and getattr(info.data.get("resources"), "gpu", 1.0) == 0:
            raise ValueError("must be told another clock than gpu, or come with `resources: {gpu: 1}` or a part of one")
        return value

    @field_validator("objectives", mode="before")
    @classmethod
    def _objectives(cls, value: object, info: ValidationInfo) -> object:
        data = info.data.get("data")
        several = [label.name for label in data.tasks] if isinstance(data, DataConfig) and data.labels else []
        if "data" not in info.data:  # unsound: which labels there are is not known, and what is wrong is told there
            several = [name.removeprefix("ne.") for name in _ne_names(value)]
        possible = [{name: "minimize", "qps": "maximize"} for name in ("ne", *(f"ne.{task}" for task in several))]
        if value not in possible:
            more = f", or of ne.{' or ne.'.join(several)}" if several else ""
            raise ValueError(f"must be {{ne: minimize, qps: maximize}}{more}")
        return value

    @property
    def task(self) -> str | None:
        """Of several labels the one whose NE is the objective; None: the first, or the only one."""
        return next((name.removeprefix("ne.") for name in self.objectives if name.startswith("ne.")), None)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Constraints on what is measured."""
        return tuple(parse_limit(text) for text in self.constraints if not is_cost_limit(text))

    @property
    def cost_limits(self) -> tuple[str, ...]:
        """Constraints on analytic cost: expressions of the space language, checked before training."""
        return tuple(text for text in self.constraints if is_cost_limit(text))
