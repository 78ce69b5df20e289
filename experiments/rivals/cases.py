"""The models and rows that speed is compared on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from automl.study.problem import load_problem
from experiments.kuairand import write_study
from experiments.rivals.made import Wanted
from experiments.rivals.rows import Rows, large_tables, of_log
from search_spaces.blocks import Cross, Fm, Mlp
from search_spaces.model import Embedding, Layer, ModelSpec, Train

OURS, OURS_BF16 = "ours", "ours bf16"
LR = 1e-3


@dataclass(frozen=True, slots=True)
class Case:
    """Rows, a model as every library knows it, and the same as one of ours."""

    rows: Callable[[], Rows]
    wanted: Wanted
    batch: int
    trained: int  # rows of a measured pass

    def spec(self, name: str = OURS) -> ModelSpec:
        """Ours under that name."""
        deep = tuple(Mlp(width=width, dropout=self.wanted.dropout) for width in self.wanted.deep)
        crossed = self.wanted.model == "dcnv2"
        blocks = (Layer((Cross(rank=0),)),) * self.wanted.layers if crossed else (Layer((Fm(),)),)
        train = Train(batch_size=self.batch, dense_lr=LR, recalibrate=False)
        return ModelSpec(
            embedding=Embedding(dim=self.wanted.dim, min_count=1),
            interaction=blocks,
            wiring="stacked" if crossed else "parallel",
            deep=deep,
            train=replace(train, precision="bf16") if name == OURS_BF16 else train,
        )


def kuairand() -> Rows:
    """Click-through on KuaiRand: 36 id fields, one number."""
    problem = load_problem(write_study("speed"))
    return of_log(problem.log, "train", 2)


def tables() -> Rows:
    """26 id fields of 200,000 ids."""
    return large_tables(1 << 17, dense=1)


CASES: Mapping[str, Case] = {
    "kuairand": Case(kuairand, Wanted("dcnv2", 16, (256, 128), 0.1), 1024, 81_920),
    "large_tables": Case(tables, Wanted("dcnv2", 16, (256, 128), 0.1), 4096, 40_960),
    "small": Case(kuairand, Wanted("deepfm", 8, (64,)), 1024, 163_840),
}
