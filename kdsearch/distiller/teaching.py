"""What a teacher says to one student: cached or in the loop, several networks blended for the student's objective."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from kdsearch.distiller.batches import Batch
from kdsearch.distiller.loss import temperature_of
from kdsearch.distiller.sets import TrainingSet
from kdsearch.recipe import Recipe
from kdsearch.teacher.altered import permuted
from kdsearch.teacher.ensemble import SampleWeights
from kdsearch.teacher.ensemble import blend
from kdsearch.teacher.ensemble import member_weights
from kdsearch.teacher.online import OnlineTeacher


class Teaching:
    """`data` holds one answer per sample, or per view of it, unless `teacher` is in the loop; `weights` [n, (views)] is
    what each sample's soft loss is worth, None where all are worth the same."""

    def __init__(self, recipe: Recipe, data: TrainingSet, teacher: OnlineTeacher | None) -> None:
        """
        Raises:
            ValueError: the recipe needs a teacher (alpha > 0), and there are no signals and no teacher in the loop.
        """
        if recipe.alpha > 0 and data.signals is None and teacher is None:
            raise ValueError(f"the objective {recipe.objective} with alpha={recipe.alpha:g} needs a teacher's signals")
        self.teacher = teacher if recipe.alpha > 0 or recipe.feature is not None else None
        self._recipe = recipe
        self._temperature = temperature_of(recipe)
        self._sample_weights = self._unikd_weights(data)
        self.data, self.weights = self._cached(data)

    def answered(self, batch: Batch) -> Batch:
        """The batch with what a teacher in the loop says about just that."""
        if self.teacher is None:
            return batch
        answer = self.teacher.answer(batch.inputs)
        signals, weights = permuted(answer.logits, batch.permutations), None
        if signals.ndim > 2:
            signals, weights = self._blend(signals, batch.targets)
        return dataclasses.replace(batch, signals=signals, weights=weights, features=answer.features)

    def feature_shape(self, sample: Tensor) -> tuple[int, ...]:
        """Of the teacher's feature of one sample; `sample` are some inputs.

        Raises:
            ValueError: there are no features, cached or in the loop.
        """
        features = self.data.features if self.teacher is None else self.teacher.answer(sample).features
        if features is None:
            name = self._recipe.feature.objective if self._recipe.feature is not None else "none"
            raise ValueError(f"the feature objective {name} needs a teacher's features")
        own_axes = 1 if self.data.views is None or self.teacher is not None else 2
        return tuple(features.shape[own_axes:])

    def _cached(self, data: TrainingSet) -> tuple[TrainingSet, Tensor | None]:
        if self._recipe.alpha == 0 or self.teacher is not None:
            return dataclasses.replace(data, signals=None), None
        assert data.signals is not None
        signals, weights = permuted(data.signals, data.permutations), None
        if data.has_members:
            signals, weights = self._blend(signals, data.signal_targets)
        return dataclasses.replace(data, signals=signals, permutations=None), weights

    def _unikd_weights(self, data: TrainingSet) -> SampleWeights | None:
        if data.weighting == "equal" or self._recipe.alpha == 0:
            return None
        if self.teacher is not None:
            members = self.teacher.answer_all(data.plain_inputs).logits
            return SampleWeights(members, data.targets.cpu()) if self.teacher.is_ensemble else None
        assert data.signals is not None
        return SampleWeights(data.signals, data.signal_targets) if data.has_members else None

    def _blend(self, members: Tensor, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        if self._sample_weights is None:
            return blend(members, None, self._temperature), None
        signals = blend(members, member_weights(members, targets), self._temperature)
        return signals, self._sample_weights(members, targets)
