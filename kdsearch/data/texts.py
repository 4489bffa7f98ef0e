"""Texts with a class each, as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Annotated
from typing import Any

import numpy as np
from pydantic import Field

from kdsearch.config.schema import Count
from kdsearch.config.schema import Flag
from kdsearch.config.schema import Frozen
from kdsearch.data.arrays import Arrays
from kdsearch.data.frames import FileArguments
from kdsearch.data.frames import Part
from kdsearch.data.frames import column_problems
from kdsearch.data.frames import encode_labels
from kdsearch.data.frames import label_problems
from kdsearch.data.frames import missing_problems
from kdsearch.data.frames import read_parts
from kdsearch.data.packages import import_optional
from kdsearch.data.preprocessing import of_words
from kdsearch.errors import InputError
from kdsearch.errors import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

PADDING, UNKNOWN = "[PAD]", "[UNK]"
"""Tokens 0 and 1."""


class TokenArguments(Frozen):
    """How texts become tokens."""

    max_length: Count = 64
    """Tokens of each text; longer ones are cut, shorter ones padded with 0."""
    vocabulary_limit: Annotated[int, Field(strict=True, ge=3)] = 10_000
    """The most frequent words of the training part, padding and unknown included, get tokens of their own."""
    lowercase: Flag = True


class TextArguments(FileArguments, TokenArguments):
    text: str = "text"
    """The column with the text."""
    target: str = "label"
    """The column with the class."""


def load(root: Path | None, arguments: TextArguments) -> Arrays:
    parts = read_parts(root, arguments)
    return encode_texts(parts, arguments.text, arguments.target, arguments, arguments.test_fraction)


def encode_texts(
    parts: Sequence[Part],
    text: str,
    target: str,
    arguments: TokenArguments,
    test_fraction: float,
    class_names: Sequence[str] | None = None,
) -> Arrays:
    """Inputs int64 [N, max_length]: words and marks by a vocabulary of the training part's texts alone.

    Raises:
        InputError: columns that are missing, rows without text or class, what is wrong with the classes; all of it.
    """
    problems = column_problems(parts, {"text": [text], "target": [target]})
    if problems:
        raise InputError(problems)
    problems = missing_problems(parts, [text, target])
    if not any(part.frame[target].isna().any() for part in parts):
        problems += label_problems(parts, target)
    problems += [problem for part in parts for problem in _text_problems(part, text)]
    if problems:
        raise InputError(problems)
    labels, (train, test) = encode_labels(parts, target, test_fraction, class_names)
    tokenizer = word_tokenizer(train[text].tolist(), arguments)
    return Arrays(
        token_ids(tokenizer, train[text].tolist()),
        labels.train,
        token_ids(tokenizer, test[text].tolist()),
        labels.test,
        class_count=len(labels.names),
        vocabulary_size=tokenizer.get_vocab_size(),
        class_names=labels.names,
        preprocessing=of_words(tokenizer.to_str()),
    )


def word_tokenizer(texts: Sequence[str], arguments: TokenArguments) -> Any:
    """A `tokenizers.Tokenizer` whose vocabulary is the words of `texts`, the most frequent first."""
    tokenizers = import_optional("tokenizers", "text")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(unk_token=UNKNOWN))
    steps = [tokenizers.normalizers.NFC()] + [tokenizers.normalizers.Lowercase()] * arguments.lowercase
    tokenizer.normalizer = tokenizers.normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    trainer = tokenizers.trainers.WordLevelTrainer(
        vocab_size=arguments.vocabulary_limit, special_tokens=[PADDING, UNKNOWN], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.enable_truncation(arguments.max_length)
    tokenizer.enable_padding(pad_id=0, pad_token=PADDING, length=arguments.max_length)
    return tokenizer


def token_ids(tokenizer: Any, texts: Sequence[str]) -> NDArray[np.int64]:
    """[N, max_length]."""
    return np.array([encoding.ids for encoding in tokenizer.encode_batch(list(texts))], dtype=np.int64)


def _text_problems(part: Part, text: str) -> list[Problem]:
    column = part.frame[text].dropna()
    others = [value for value in column if not isinstance(value, str)]
    if others:
        return [part.problem(f"column {text} must hold text; {others[0]} is not")]
    empty = sum(not value.strip() for value in column)
    return [part.problem(f"column {text} has {empty} row{'s' * (empty > 1)} without a word")] if empty else []
