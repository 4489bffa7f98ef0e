"""The groups and keys of the configuration, as `kdsearch sweep --help` lists them."""

from __future__ import annotations

from importlib.resources import files


def describe_keys() -> str:
    """Groups with their options, then every key with its default and comment."""
    from kdsearch.config.compose import group_options

    groups = "\n".join(f"  {group + '=':14}{'|'.join(options)}" for group, options in group_options().items())
    conf = files("kdsearch.conf")
    keys = [_body(conf.joinpath("config.yaml").read_text())]
    keys.append(_body(conf.joinpath("dataset/digits.yaml").read_text()).partition("\n\n")[0])
    student = _body(conf.joinpath("student/mlp.yaml").read_text())
    teacher = [_body(conf.joinpath(file).read_text()) for file in ("base/teacher.yaml", "teacher/mlp.yaml")]
    models = [
        f"student:\n{_indented(student)}",
        "teacher:  # its `training` has the student's keys\n" + _indented("\n".join(teacher)),
    ]
    return "\n".join(
        [
            "groups:",
            groups,
            "",
            "keys, with the defaults of dataset=digits (write `training.steps=500`, `sample_counts=[50,200]`):",
            _indented("\n\n".join([*keys, *models])),
            "",
            "A searched parameter's range: search_space.parameters.temperature.low=2",
        ]
    )


def _body(text: str) -> str:
    """A file's keys, without its top comments and its list of defaults."""
    blocks = [block for block in text.split("\n\n") if not block.lstrip("# @\n").startswith("defaults:")]
    lines = [line for line in "\n\n".join(blocks).splitlines() if not line.startswith(("#", "defaults:", "  - "))]
    return "\n".join(lines).strip("\n")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())
