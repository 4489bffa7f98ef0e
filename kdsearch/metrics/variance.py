"""How much a student's objective depends on which samples it happens to see."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from kdsearch.objectives.common import promote


def loss_variances(outputs: Tensor, targets: Tensor, teacher_outputs: Tensor) -> dict[str, float]:
    """The variance over samples of a student's loss, with labels and with the teacher's probabilities as targets.

    The risk that n samples give to a student f, (1/n) Σ_i t(x_i)·ℓ(f(x_i)) with ℓ_c = -log softmax(f(x))_c, has this
    variance over n as the variance of its estimate. With t = p*(x), the true probabilities, it is smaller than with t
    the label drawn from them, by E_x[Var_{y|x} ℓ_y(f(x))] / n: what a teacher that estimates p* well saves (Menon,
    Rawat, Reddi, Kim, Kumar: A statistical perspective on distillation, ICML 2021; Why distillation helps,
    arXiv 2005.10419, proposition 2).

    Args:
        outputs: the student's logits [B, C] on samples that it was not trained on.
        targets: class indices [B].
        teacher_outputs: the teacher's logits [B, C], taken at temperature 1.

    Returns:
        `label_loss_variance` and `teacher_loss_variance`, in nats².
    """
    student, teacher = promote(outputs, teacher_outputs)
    with_labels = F.cross_entropy(student, targets, reduction="none")
    with_teacher = F.cross_entropy(student, teacher.softmax(dim=-1), reduction="none")
    return {
        "label_loss_variance": with_labels.double().var(correction=0).item(),
        "teacher_loss_variance": with_teacher.double().var(correction=0).item(),
    }
