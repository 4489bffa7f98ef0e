"""A student as files, each checked to give what the student gives, or left out with the reason."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch import nn

from kdsearch.export.student import WEIGHTS
from kdsearch.export.student import load

TOLERANCE = 1e-5
"""Largest difference of a logit, relative to the largest logit where that is above 1."""

PROGRAM, ONNX = "model.pt2", "model.onnx"
FILES = (WEIGHTS, PROGRAM, ONNX)

EXAMPLE_BATCH = 3
"""Of the inputs with which a student is traced; the batch is dynamic in all formats."""

LARGEST_PROTOBUF = 2_000_000_000
"""Bytes; weights of larger networks go into a file beside model.onnx."""

Forward = Callable[[Tensor], Tensor]


def write_programs(model: nn.Module, samples: Tensor, folder: Path) -> dict[str, str]:
    """Write `model` as a program of torch.export and of ONNX, and check every file of `folder`.

    Args:
        model: the student, on the CPU in eval mode.
        samples: real inputs [N, *input_shape].
        folder: already holds what `load` reads.

    Returns:
        Why a file is not there, by name; it was removed where it gave other outputs than the student.
    """
    steps: dict[str, tuple[Callable[[nn.Module, Tensor, Path], None], Callable[[Path], Forward]]] = {
        WEIGHTS: (lambda model, example, path: None, lambda path: load(path.parent)),
        PROGRAM: (_write_program, _read_program),
        ONNX: (_write_onnx, _read_onnx),
    }
    # A batch of one would be taken for a batch that is always one.
    example = torch.cat([samples[:EXAMPLE_BATCH]] * EXAMPLE_BATCH)[:EXAMPLE_BATCH]
    left_out = {}
    for name, (write, read) in steps.items():
        path = folder / name
        try:
            with _quiet(), torch.no_grad():
                write(model, example, path)
                reason = difference(model, read(path), samples)
        except ImportError as error:
            reason = f"needs {error.name}: pip install 'kdsearch[export]'"
        except Exception as error:  # a user's network, and compilers that raise whatever they meet in it
            reason = f"the network cannot be written as such ({type(error).__name__}: {_first_line(error)})"
        if reason is not None:
            left_out[name] = reason
            for part in folder.glob(f"{name}*"):
                part.unlink()
    return left_out


def difference(model: nn.Module, forward: Forward, samples: Tensor) -> str | None:
    """How the outputs of `forward` differ from the student's, for batches of 1, 2 and all samples; None within 1e-5."""
    for count in (1, 2, len(samples)):
        expected, found = model(samples[:count]), forward(samples[:count])
        if found.shape != expected.shape:
            return f"gives outputs {list(found.shape)} instead of {list(expected.shape)}"
        scale = max(1.0, float(expected.abs().max()))
        gap = float((found - expected).abs().max()) / scale
        if not gap <= TOLERANCE:
            return f"its outputs differ from the student's by {gap:.1e}, more than {TOLERANCE:.0e}"
    return None


def _write_program(model: nn.Module, example: Tensor, path: Path) -> None:
    program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), strict=False)
    for node in program.graph.nodes:
        # Where the code lies on this machine is nobody else's business.
        node.meta.pop("stack_trace", None)
    torch.export.save(program, path)


def _read_program(path: Path) -> Forward:
    return torch.export.load(path).module()


def _write_onnx(model: nn.Module, example: Tensor, path: Path) -> None:
    import onnxruntime  # noqa: F401  (what is not checked is not written)
    import onnxscript  # noqa: F401

    size = sum(tensor.nbytes for tensor in model.state_dict().values())
    program = torch.onnx.export(
        model,
        (example,),
        dynamo=True,
        dynamic_shapes=({0: "batch"},),
        input_names=["inputs"],
        output_names=["logits"],
        verbose=False,
    )
    assert program is not None
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()
    program.save(path, external_data=size > LARGEST_PROTOBUF)


def _read_onnx(path: Path) -> Forward:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def forward(inputs: Tensor) -> Tensor:
        return torch.from_numpy(session.run(["logits"], {"inputs": inputs.numpy()})[0])

    return forward


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Compilers say much that nobody asked for; and attention is taken apart, since ONNX has no fused one."""
    fast = torch.backends.mha.get_fastpath_enabled()
    disabled = logging.root.manager.disable
    torch.backends.mha.set_fastpath_enabled(False)
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        torch.backends.mha.set_fastpath_enabled(fast)


def _first_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if len(line) <= 200 else f"{line[:199]}…"
