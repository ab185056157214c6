"""The scripts in examples/: short, with help, run as a user would, and what they print and draw."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import fnn
from tests.stand_ins import idx

FOLDER = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if path.name != "recipes.py")  # which records.py imports
README = (FOLDER / "README.md").read_text(encoding="utf-8")
# What each draws when it is run, and a pattern that its output must have.
QUICK = {
    "backprop.py": ([], r"largest difference between hand and trace: \d\.\de-1[5-7]\n"),
    "diagnosis.py": ([], r"few digits from 5 on +0\.\d+ +0\.\d+ +0\n"),
    "digits.py": ([], r"test accuracy 0\.\d{4}, loss 0"),
    "distortion.py": (["distortion.png"], r"the same again: True\nanother epoch:  False\n"),
    "functions.py": (["functions_activations.png"], r"at best 3 of 4 right\n.*\[0 1 1 0\] is \[0 1 1 0\]"),
    "inside.py": (
        ["inside_activations.png", "inside_saliency.png", "inside_weights.png"],
        r"moves the logit by (-?[\d.]+); the derivative says \1",
    ),
    "mnist.py": (
        ["mnist_confusion.png", "mnist_data.png", "mnist_history.png", "mnist_mistakes.png"],
        r"all +1,257 +180 +360\n",
    ),
    "optimizers.py": (["initializers.png", "optimizers.png"], r"AdamW +0\.001 .*\n\n.*\nrelu he_normal"),
    "own_digit.py": (
        ["own_digit.png"],
        r"it is \d \(0\.\d{4}\), .*\n\noriginals +[\d.]+\nprepared +[\d.]+\nraw resized +[\d.]+\nof \d\d fonts",
    ),
    "records.py": ([], r"(\|.*\|\n){2}\| 128, input noise \| 98\.29 .* \|\n(.*\n)+\| table 9, dropout, max-norm \|"),
    "regularization.py": (["regularization.png"], r"none +\d.*\n(.*\n){6}dropout, max-norm +\d"),
    "resume.py": (
        [],
        r"(killed at TrainState\(epoch \d+, .*\n){3}came to .*\n(\w{32}) at its end\n\2 if never killed\n",
    ),
    "rows_and_batches.py": ([], r"the loop and the batch differ by at most \d\.\de-1[5-7]\n"),
    "untrained.py": (["untrained.png"], r"(.* at a time: .* True\n){3}"),
    "vanishing.py": (["vanishing.png"], r"sigmoid, Xavier +(\d\.\de-\d\d +){4}\d\.\de-0[5-9]\n"),
    "xor_and_circles.py": (["circles.png", "xor.png"], r"XOR: \[0 1 1 0\]"),
}


@pytest.fixture(scope="module")
def mnist_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four IDX files, of scikit-learn's digits made three and a half times as large."""
    folder = tmp_path_factory.mktemp("mnist")
    x, y = load_digits(return_X_y=True)
    images = np.pad(np.kron(x.reshape(-1, 8, 8), np.ones((3, 3))), ((0, 0), (2, 2), (2, 2))) * 15.9
    for part, rows in (("train", slice(0, 1500)), ("t10k", slice(1500, None))):
        pixels, labels = images[rows].astype(np.uint8), y[rows].astype(np.uint8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(8, pixels.shape, pixels.tobytes()))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(8, labels.shape, labels.tobytes()))
    return folder


def run(script: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A script in a process of its own, where no screen is and warnings are errors."""
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    environment |= {"FNN_DATA": str(folder), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(FOLDER / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)


def test_each_script_is_known_here() -> None:
    assert [path.name for path in SCRIPTS] == sorted(QUICK)


@pytest.mark.parametrize("path", [*SCRIPTS, FOLDER / "recipes.py"], ids=lambda path: path.name)
def test_it_is_short_in_cells_and_in_the_list(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 80
    assert source.count("# %%") >= 3
    assert "pyplot" not in source
    first = (ast.get_docstring(ast.parse(source)) or "").splitlines()
    assert len(first) == 1
    assert first[0].endswith(".")
    assert f"[`{path.name}`]({path.name})" in README


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_it_has_help(path: Path, tmp_path: Path) -> None:
    done = run(path.name, "--help", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(QUICK))
def test_it_runs_and_draws(name: str, mnist_folder: Path, tmp_path: Path) -> None:
    figures, pattern = QUICK[name]
    arguments = ["--quick", *(["--out", str(tmp_path / "figures")] if figures else [])]
    done = run(name, *arguments, folder=mnist_folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" or "epoch 5/5" in done.stderr or name == "records.py"  # there are bars
    assert re.search(pattern, done.stdout), done.stdout
    drawn = sorted(path.name for path in (tmp_path / "figures").glob("*.png"))
    assert drawn == figures
    from matplotlib.image import imread

    for figure in drawn:
        assert imread(tmp_path / "figures" / figure)[..., :3].std() > 0.05  # there is ink
        assert f"(figures/{figure})" in README


RECORD = ["records.py", "--quick", "1024-1024, dropout, max-norm", "distortion"]


def rows(table: str) -> list[str]:
    """What records.py prints of each record, without the time."""
    return re.findall(r"^(\| .*\|) [\d.]+ \|$", table, re.MULTILINE)


def runs(folder: Path) -> dict[str, tuple[str, int]]:
    """The parameters of each run that is kept in a folder, and its epoch, by the file's name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* was made with another machine")  # the scripts have one BLAS thread
        loaded = {path.name: fnn.load_run(path) for path in folder.glob("*.safetensors")}
    return {name: (fnn.digest(run.params), run.epoch) for name, run in loaded.items()}


def test_records_that_are_killed_go_on_from_their_files(mnist_folder: Path, tmp_path: Path) -> None:
    first = run(*RECORD, "--runs", str(tmp_path / "whole"), folder=mnist_folder)
    assert len(rows(first.stdout)) == 2, first.stderr
    whole = runs(tmp_path / "whole")
    assert len(whole) == 8  # of each two settings and two seeds
    written = [file.stat().st_mtime_ns for file in sorted((tmp_path / "whole").iterdir())]
    again = run(*RECORD, "--runs", str(tmp_path / "whole"), folder=mnist_folder)
    assert again.stdout == first.stdout
    assert [file.stat().st_mtime_ns for file in sorted((tmp_path / "whole").iterdir())] == written

    command = [sys.executable, str(FOLDER / "records.py"), *RECORD[1:], "--runs", str(tmp_path / "killed")]
    environment = os.environ | {"FNN_DATA": str(mnist_folder), "OPENBLAS_NUM_THREADS": "1"}
    half = 0
    for n in (1, 3, 5, 7):  # the fifth and the seventh are with distortion
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as work:
            while work.poll() is None and len(list((tmp_path / "killed").glob("*.safetensors"))) < n:
                time.sleep(0.001)
            work.kill()
        half += [epoch for _, epoch in runs(tmp_path / "killed").values()].count(1)
    assert half >= 2  # were killed between their two epochs
    last = run(*RECORD, "--runs", str(tmp_path / "killed"), folder=mnist_folder)
    assert rows(last.stdout) == rows(first.stdout)
    assert runs(tmp_path / "killed") == whole


def test_records_replace_their_rows_in_a_readme(mnist_folder: Path, tmp_path: Path) -> None:
    file, two = tmp_path / "README.md", ["128, input noise", "800, dropout"]
    begun = [f"| {two[0]} | 98.29 ± 0.07 |", f"| {two[1]} | 98.4 Simard: 800 |"]
    before = f"# é\n\n| | a |\n|---|---|\n{begun[0]} old |\n{begun[1]} old |\n| {two[0]} | of another table |\n"
    file.write_text(before, encoding="utf-8")
    command = ["records.py", *two, "--seeds", "2", "--runs", str(tmp_path), "--readme", str(file)]
    assert run(*command, "--quick", folder=mnist_folder).returncode == 2
    done = run(*command, folder=mnist_folder)
    made = done.stdout.splitlines()[2:]
    assert [line.split(" | ")[0] for line in made] == [f"| {name}" for name in two], done.stderr
    expected = before.replace(f"{begun[0]} old |", made[0]).replace(f"{begun[1]} old |", made[1])
    assert file.read_text(encoding="utf-8") == expected
    missing = run("records.py", "table 9, none", "--readme", str(file), folder=mnist_folder)
    assert missing.returncode == 2
    assert missing.stderr.endswith(f"error: 'table 9, none' is none of the rows of {file}\n")


@pytest.mark.parametrize("arguments", [["nose"], ["--seeds", "1"], ["--seeds", "many"]])
def test_records_refuse_what_is_none_before_they_train(
    arguments: list[str], mnist_folder: Path, tmp_path: Path
) -> None:
    done = run("records.py", *arguments, "--runs", str(tmp_path / "runs"), folder=mnist_folder)
    assert done.returncode == 2
    assert " error: " in done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_list_has_a_row_for_each_record() -> None:
    sys.path.insert(0, str(FOLDER))
    try:
        recipes: Any = importlib.import_module("recipes")
    finally:
        sys.path.remove(str(FOLDER))
    for name, record in (recipes.WITHOUT_DISTORTION | recipes.WITH_DISTORTION | recipes.TABLE_9).items():
        beginning, accuracy = re.escape(f"| {name} | {record.published} |"), r"9\d\.\d\d"
        row = rf"^{beginning} {accuracy} ± 0\.\d\d \| 0\.\d\d\d \| {accuracy} \| (.*) \| [\d.]+ \|$"
        found = re.search(row, README, re.MULTILINE)
        assert found, name
        assert README.count(f"\n| {name} | {record.published} |") == 1
        assert found[1] in ({f"{record.setting} {value:g}" for value in record.values} or {""})


def test_what_mnist_saves_is_what_own_digit_reads(mnist_folder: Path, tmp_path: Path) -> None:
    model, out = tmp_path / "mnist.safetensors", ["--quick", "--out", str(tmp_path)]
    assert run("own_digit.py", "--model", str(model), *out, folder=mnist_folder).returncode != 0  # there is none
    done = run("mnist.py", *out, folder=mnist_folder)
    assert "\nloaded, it predicts the same: True\n" in done.stdout
    network, params = fnn.load(model)
    done = run("own_digit.py", "--model", str(model), *out, folder=mnist_folder)
    x, y, _ = fnn.load_mnist(mnist_folder)[1].take()
    rows = re.search(r"originals +([\d.]+)", done.stdout)
    assert rows
    assert float(rows[1]) == pytest.approx(fnn.accuracy(y, fnn.predict(network, params, x)), abs=0.15)


def test_the_digits_example_prints_its_table_accuracy_and_report(tmp_path: Path) -> None:
    done = run("digits.py", "--epochs", "20", folder=tmp_path)
    lines = done.stdout.splitlines()
    table = next(i for i, line in enumerate(lines) if line.split()[:2] == ["epoch", "loss"])
    assert [line.split()[0] for line in lines[table + 1 : table + 21]] == [str(n) for n in range(1, 21)]
    accuracy = next(line for line in lines if line.startswith("test accuracy"))
    assert float(accuracy.split()[2].rstrip(",")) >= 0.93
    assert lines[-1].split()[0] == "accuracy"
    assert "epoch 20/20" in done.stderr


def test_the_names_in_the_list_are_there() -> None:
    for text in (README, *(path.read_text(encoding="utf-8") for path in SCRIPTS)):
        names = set(re.findall(r"\bfnn\.(\w+)", text)) - {"activations", "initializers", "losses"}
        assert {name for name in names if not hasattr(fnn, name)} == set()
    assert README.count("### ") == 5
    assert README.count("quiet bugs") == 5


def test_the_pictures_in_the_list_are_there_and_small() -> None:
    shown = re.findall(r"\]\((figures/[\w.]+)\)", README)
    there = sorted(f"figures/{path.name}" for path in (FOLDER / "figures").glob("*.png"))
    assert sorted(set(shown)) == there
    sizes = {name: (FOLDER / name).stat().st_size for name in there}
    assert max(sizes.values()) < 150_000, sizes
    assert sum(sizes.values()) < 1_200_000
