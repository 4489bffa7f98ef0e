"""`kdsearch completion`.

In bash:  eval "$(kdsearch completion bash)"   (put it into ~/.bashrc to keep it)
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterable

from kdsearch.cli.arguments import CommandParser
from kdsearch.errors import ExitCode

_BASH = r"""_kdsearch() {
    local line="${COMP_LINE:0:$COMP_POINT}" word
    word="${line##*[[:space:]]}"
    mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" completion query "$line" 2>/dev/null)
    # Readline replaces only what follows the last `=` where that breaks words.
    if [[ $word == *=* && $COMP_WORDBREAKS == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%%=*}="}")
    fi
}
complete -o nospace -F _kdsearch kdsearch
"""

_WITH_OVERRIDES = ("sweep", "submit", "plan", "resume", "teacher", "distill")


def configure(parser: CommandParser) -> None:
    parser.add_argument("shell", choices=["bash", "query"], metavar="bash", help="the shell to complete in")
    parser.add_argument("line", nargs="?", default="", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    if options.shell == "bash":
        print(_BASH, end="")
    else:
        for match in complete(options.line):
            print(match)
    return ExitCode.DONE


def complete(line: str) -> list[str]:
    """What the last word of a command line, up to the cursor, can become."""
    from kdsearch.cli import COMMANDS

    words = line.split()[1:]
    word = "" if not line or line[-1].isspace() or not words else words.pop()
    if not words:
        return [f"{command} " for command in COMMANDS if command.startswith(word)]
    if words[0] not in COMMANDS:
        return []
    if word.startswith("-"):
        return sorted(option for option in _options(words[0]) if option.startswith(word))
    if words[0] not in _WITH_OVERRIDES:
        return [key for key in ("storage=", "ledger=", "mlflow.tracking_uri=") if key.startswith(word)]
    return _overrides([w for w in words[1:] if "=" in w], word)


def _options(command: str) -> Iterable[str]:
    parser = CommandParser(command, command, "")
    importlib.import_module(f"kdsearch.cli.commands.{command}").configure(parser)
    return [option for action in parser._actions for option in action.option_strings]


def _overrides(words: list[str], word: str) -> list[str]:
    """Groups, their choices and keys from Hydra; the names that a key allows from the typed configuration."""
    from hydra import compose
    from hydra.plugins.completion_plugin import DefaultCompletionPlugin
    from omegaconf import ListConfig
    from omegaconf import OmegaConf

    from kdsearch.config.compose import CONFIG
    from kdsearch.config.compose import config_loader
    from kdsearch.config.compose import hydra_session
    from kdsearch.config.schema import allowed_names

    key, equals, start = word.partition("=")
    names = allowed_names(key) if equals else ()
    if names:
        return [f"{key}={name}" for name in names if name.startswith(start)]
    with hydra_session():
        defaults = compose(CONFIG)
        found = DefaultCompletionPlugin(config_loader())._query(CONFIG, " ".join([*words, word]) if word else "")
    # Hydra offers a list's indices, though only the list as a whole can be set.
    is_list = {key: isinstance(OmegaConf.select(defaults, key[:-1]), ListConfig) for key in found if key.endswith(".")}
    matches = [f"{match[:-1]}=" if is_list.get(match) else match for match in found]
    return [match for match in matches if not match.startswith("hydra")]
