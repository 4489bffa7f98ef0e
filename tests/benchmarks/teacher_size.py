"""What a larger teacher costs each trial: nothing but its signals are there when a student learns.

    python -m tests.benchmarks.teacher_size [--rounds 20]

Two teachers of digits, of which one has ten times the parameters, teach the same students in turns (n=200, the
default recipe, one thread). Prints one JSON line: the median ratio of the two trials of a round, with its 95 %
bootstrap interval. (In a sweep a study's subset is drawn once, here for every trial.)
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch
from scipy.stats import bootstrap

import kdsearch
from kdsearch.config.compose import compose_sweep
from kdsearch.teacher import Teacher

SMALL, LARGE = "teacher.model.hidden=[128,128]", "teacher.model.hidden=[470,470]"
SAMPLE_COUNT = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds: int = parser.parse_args().rounds
    torch.set_num_threads(1)
    data = kdsearch.load_dataset("digits")
    small, large = (_teacher(data, override) for override in (SMALL, LARGE))
    for teacher in (small, large):  # imports and caches
        _seconds(data, teacher, 0)
    ratios = []
    for number in range(rounds):
        order = (small, large) if number % 2 else (large, small)
        seconds = {id(teacher): _seconds(data, teacher, number) for teacher in order}
        ratios.append(seconds[id(large)] / seconds[id(small)])
    interval = bootstrap((ratios,), np.median, random_state=0).confidence_interval
    print(
        json.dumps(
            {
                "parameters": [small.record()["parameter_count"], large.record()["parameter_count"]],
                "rounds": rounds,
                "median_ratio": round(float(np.median(ratios)), 3),
                "ci95": [round(float(interval.low), 3), round(float(interval.high), 3)],
            }
        )
    )


def _teacher(data: kdsearch.data.Splits, override: str) -> Teacher:
    config = compose_sweep([override, "teacher.training.epochs=5"], outside_world=False).config
    return kdsearch.train_teacher(data, config.teacher)


def _seconds(data: kdsearch.data.Splits, teacher: Teacher, seed: int) -> float:
    began = time.perf_counter()
    kdsearch.distill(data, teacher, sample_count=SAMPLE_COUNT, temperature=4.0, seed=seed)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
