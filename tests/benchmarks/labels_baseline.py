"""Which learning rate and weight decay are best for a student trained on labels alone, by validation accuracy.

    python -m tests.benchmarks.labels_baseline [SUBSETS]

The digits defaults in `kdsearch/conf/` follow from it. The test split is not read. One line per setting, best first.
"""

from __future__ import annotations

import itertools
import statistics
import sys

import kdsearch
from kdsearch.config.compose import compose_sweep

RATES = (0.02, 0.05, 0.1)
DECAYS = (5e-4, 2e-3, 5e-3, 1e-2)
SAMPLE_COUNTS = (20, 50, 200)


def main() -> None:
    subsets = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    data = kdsearch.load_dataset("digits")
    training = compose_sweep([], outside_world=False).config.training
    for n in SAMPLE_COUNTS:
        found = []
        for rate, decay in itertools.product(RATES, DECAYS):
            setting = training.model_copy(update={"learning_rate": rate, "weight_decay": decay, "evaluations": 1})
            accuracies = [
                kdsearch.distill(data, sample_count=n, training=setting, seed=s, subset_seed=s).metrics["val_accuracy"]
                for s in range(subsets)
            ]
            error = statistics.stdev(accuracies) / subsets**0.5
            found.append((statistics.mean(accuracies), error, rate, decay))
        for mean, error, rate, decay in sorted(found, reverse=True):
            print(f"n={n} learning_rate={rate:g} weight_decay={decay:g}: {100 * mean:.2f} ± {100 * error:.2f} (s.e.)")


if __name__ == "__main__":
    main()
