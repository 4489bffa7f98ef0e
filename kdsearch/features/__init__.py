"""Feature objectives: losses between an inner layer of the student and one of the teacher, on top of a logit objective.

`python -m kdsearch.features` lists them with their weights, ranges and papers. Importing this package does not import
torch; what computes is in its modules: `term` (a loss with its hyperparameters and regressor), `tap` (a layer's feature
of a forward pass), `layers` (what a layer is called), `defaults` (which layer, when none is named) and `capture` (a
layer's shape); `fit` says whether they can compare two networks.
"""

from __future__ import annotations

from kdsearch.features.spec import FEATURE_SPECS
from kdsearch.features.spec import FEATURE_WEIGHT
from kdsearch.features.spec import FeatureSpec

__all__ = ["FEATURE_SPECS", "FEATURE_WEIGHT", "FeatureSpec"]
