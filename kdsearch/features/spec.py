"""What a feature objective is called, how much it weighs, and what it can be tuned with.

Importing this module must stay free of torch: the command line, validation and the search space are built from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

from kdsearch.config.suggest import one_of
from kdsearch.errors import InputError
from kdsearch.errors import Problem
from kdsearch.objectives.spec import LossSpec
from kdsearch.objectives.spec import Parameter

FEATURE_WEIGHT = Parameter("feature_weight", default=1.0, low=0.1, high=1e4, log=True)
"""What the feature term is multiplied with before it is added to the loss on labels and logits.

One range for all objectives, since a search asks for it once; each has a default of its own, because the losses differ
in scale.
"""


@dataclass(frozen=True)
class FeatureSpec(LossSpec):
    """One feature objective; `feature_weight` is not among its `parameters`.

    `loss` names a function of student_feature [B, ...], teacher_feature [B, ...] and, by keyword, the hyperparameters;
    it returns the loss per sample, [B]. A loss that belongs to the batch as a whole gives each sample all of it.
    """

    default_weight: float
    is_trainable: bool = False
    """Whether the student's feature goes through a regressor, which is trained together with the student."""
    needs_maps: bool = False
    """Whether features must be maps [C, H, W]; the others take features of any shape."""

    @property
    def weight(self) -> Parameter:
        """`feature_weight` with this objective's default."""
        return replace(FEATURE_WEIGHT, default=self.default_weight)


FEATURE_SPECS: dict[str, FeatureSpec] = {
    spec.name: spec
    for spec in (
        FeatureSpec(
            "fitnet",
            "kdsearch.features.fitnet:fitnet",
            (),
            "Romero et al.: FitNets: Hints for Thin Deep Nets, arXiv 1412.6550",
            default_weight=100.0,
            is_trainable=True,
        ),
        FeatureSpec(
            "attention",
            "kdsearch.features.attention:attention",
            (),
            "Zagoruyko, Komodakis: Paying More Attention to Attention, arXiv 1612.03928",
            default_weight=1000.0,
            needs_maps=True,
        ),
        FeatureSpec(
            "similarity",
            "kdsearch.features.similarity:similarity",
            (),
            "Tung, Mori: Similarity-Preserving Knowledge Distillation, arXiv 1907.09682",
            default_weight=3000.0,
        ),
        FeatureSpec(
            "rkd",
            "kdsearch.features.rkd:rkd",
            (
                Parameter("distance_weight", default=25.0, low=2.5, high=250.0, log=True),
                Parameter("angle_weight", default=50.0, low=5.0, high=500.0, log=True),
            ),
            "Park, Kim, Lu, Cho: Relational Knowledge Distillation, arXiv 1904.05068",
            default_weight=1.0,
        ),
        FeatureSpec(
            "cka",
            "kdsearch.features.cka:cka",
            (Parameter("cosine_kernel", default=False, low=False, high=True, switch=True),),
            "Kornblith et al.: Similarity of Neural Network Representations Revisited, arXiv 1905.00414",
            default_weight=1.0,
        ),
    )
}
"""All feature objectives."""


def feature_spec(name: str) -> FeatureSpec:
    """
    Raises:
        InputError: there is no feature objective `name`.
    """
    if name not in FEATURE_SPECS:
        raise InputError([Problem("feature_objective", name, one_of(name, FEATURE_SPECS))])
    return FEATURE_SPECS[name]
