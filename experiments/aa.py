"""A/A: studies in which nothing can be better than the baseline. How often do finals say "better"?

    python -m experiments.aa [--knob width] [--studies 20] [--quick]

The space is the baseline with one knob of no effect. `dropout`, between 0.1 and 0.1005: since models share their
random draws, a candidate then is the baseline to .007%. `width`, 253 to 259 in place of 256: other initial weights, and
so the noise that real candidates have. Twenty studies of six trials, each with its own seed, with finals of the three
trials of lowest NE and three seeds: 60 verdicts, of which at most three should be "better". A stopped run goes on.
"""

from __future__ import annotations

import argparse
from collections import Counter

import automl
from automl.cli.common import terminal
from automl.study.history import State
from experiments.kuairand import TUNED, WEEK, write_study
from experiments.record import write_result

SPACE = """\
embedding: {{dim: 16, lr: {embedding_lr}, min_count: 2}}
interaction: [{{cross: {{rank: 32}}}}, {{cross: {{rank: 32}}}}]
deep:
  - mlp: {{{knob}}}
  - mlp: {{width: 128, dropout: 0.1}}
train: {{batch_size: {batch_size}, dense_lr: {dense_lr}}}
"""
KNOBS = {"dropout": "width: 256, dropout: {float: [0.1, 0.1005]}", "width": "width: {int: [253, 259]}, dropout: 0.1"}


def main() -> None:
    """Run the studies and count the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--knob", choices=KNOBS, default="width")
    parser.add_argument("--quick", action="store_true", help="one study")
    arguments = parser.parse_args()
    knob = arguments.knob
    studies = 1 if arguments.quick else arguments.studies
    verdicts: list[dict[str, object]] = []
    for seed in range(studies):
        file = write_study(f"aa-{knob}-{seed}", space="space.yaml", strategy="random", seed=1000 + seed, split=WEEK)
        file.with_name("space.yaml").write_text(SPACE.format(**TUNED, knob=KNOBS[knob]))
        study = automl.search(file, trials=6, console=terminal())
        found = study.finals(seeds=3, trials=_three_best(study), console=terminal())
        verdicts += [{"study": seed, **pick.to_json()} for pick in found.picks]
        print(
            seed,
            [(str(p.verdict), round(p.ne_gain_pct, 3), round(p.p_corrected, 3)) for p in found.picks],
            flush=True,
        )
    counts = Counter(str(v["verdict"]) for v in verdicts)
    write_result(
        f"aa_{knob}",
        settings={"knob": KNOBS[knob], "studies": studies, "trials": 6, "seeds": 3},
        figures={"verdicts": verdicts},
        headline={
            "picks": len(verdicts),
            "called_better": counts["better"],
            "called_worse": counts["worse"],
            "called_faster": counts["faster"],
        },
    )
    print(dict(counts))


def _three_best(study: automl.StudyHandle) -> list[int]:
    """The trials of lowest NE: what a search would be most tempted by."""
    complete = [t for t in study.history.of_state(State.COMPLETE) if t.measurement]
    return [t.number for t in sorted(complete, key=lambda t: t.measurement.ne if t.measurement else 9.0)[:3]]


if __name__ == "__main__":
    main()
