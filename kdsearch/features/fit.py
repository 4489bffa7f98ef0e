"""Whether feature objectives can compare a student and a teacher, found out before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kdsearch.config.schema import FeaturesConfig
from kdsearch.config.schema import ModelConfig
from kdsearch.config.schema import TeacherConfig
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from kdsearch.data import DatasetInfo


def feature_fit_problems(
    names: Iterable[str], student: ModelConfig, teacher: TeacherConfig, layers: FeaturesConfig, data: DatasetInfo
) -> list[Problem]:
    """Layers that are not there, and features that the objectives `names` can't compare; from untrained networks."""
    import torch

    from kdsearch.features.capture import feature_shape
    from kdsearch.features.defaults import default_layer
    from kdsearch.features.term import FeatureTerm
    from kdsearch.models import build_model

    dtype = torch.float32 if data.vocabulary_size is None else torch.int64
    inputs = torch.ones(2, *data.input_shape, dtype=dtype)
    sides = (
        ("features.student_layer", student, layers.student_layer),
        ("features.teacher_layer", teacher.model.model_copy(update={"pretrained": False}), layers.teacher_layer),
    )
    problems: list[Problem] = []
    models = [
        (key, build_model(m, data.input_shape, data.class_count, 0, vocabulary_size=data.vocabulary_size), layer)
        for key, m, layer in sides
    ]
    for name in names:
        try:
            student_shape, teacher_shape = [
                feature_shape(model, layer or default_layer(name, model, inputs, key=key), inputs, key=key)
                for key, model, layer in models
            ]
            FeatureTerm(name, student_shape, teacher_shape)
        except InputError as error:
            problems += error.problems
    return problems
