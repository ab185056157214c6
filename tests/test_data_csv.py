"""`fnn.load_csv` beside pandas' reader, on MNIST as a table, and on files that are none."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnn
from tests.stand_ins import exactly


def load(tmp_path: Path, text: str | bytes, header: bool = False) -> fnn.Dataset:
    path = tmp_path / "some.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return fnn.load_csv(path, header)


def assert_is_what_pandas_reads(path: Path, header: bool) -> fnn.Dataset:
    frame = pd.read_csv(path, header=0 if header else None)
    data = fnn.load_csv(path, header)
    np.testing.assert_array_equal(data.y, frame.iloc[:, 0])
    np.testing.assert_array_equal(data.x, frame.iloc[:, 1:].to_numpy().astype(data.x.dtype))
    return data


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize(("n", "zipped"), [(1, False), (1024, True), (2500, False)])  # pieces of 1,024 lines
def test_pixels(tmp_path: Path, n: int, zipped: bool, header: bool) -> None:
    rng = np.random.default_rng(n)
    frame = pd.DataFrame(rng.integers(0, 256, (n, 6), dtype=np.uint8)).rename(columns={0: "label"})
    path = tmp_path / ("train.csv.gz" if zipped else "train.csv")
    frame.to_csv(path, header=header, index=False)
    data = assert_is_what_pandas_reads(path, header)
    assert data.x.dtype == np.uint8
    assert data.y.dtype == np.int64


def test_a_regression(tmp_path: Path) -> None:
    table = np.random.default_rng(0).standard_normal((3000, 4)) * 10.0 ** np.arange(-20, 20, 10)
    pd.DataFrame(table).to_csv(tmp_path / "house.csv", header=False, index=False)
    data = assert_is_what_pandas_reads(tmp_path / "house.csv", False)
    assert data.x.dtype == np.float32
    assert data.y.dtype == np.float64


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 300), st.sampled_from([0, 7, 255, 256, -1, 0.5, 1e-30])), min_size=1, max_size=9)
)
def test_small_tables(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, float]]) -> None:
    path = tmp_path_factory.getbasetemp() / "small.csv"
    pd.DataFrame(rows).to_csv(path, header=False, index=False)
    data = assert_is_what_pandas_reads(path, False)
    assert (data.x.dtype == np.uint8) == all(x in (0, 7, 255) for _, x in rows)


def test_one_cell_that_is_no_pixel_in_the_last_piece(tmp_path: Path) -> None:
    data = load(tmp_path, "1,255\n" * 2000 + "1,0.5\n")
    assert data.x.dtype == np.float32
    assert data.x.ravel().tolist() == [255] * 2000 + [0.5]


@pytest.mark.parametrize(
    ("labels", "dtype", "expected"),
    [
        (["7", "-3", "007"], "i8", [7, -3, 7]),
        (["7.0", "3e0", "1"], "i8", [7, 3, 1]),
        (["9007199254740991", "0", "0"], "i8", [2**53 - 1, 0, 0]),
        (["18014398509481984", "0", "0"], "f8", [2.0**54, 0, 0]),
        (["1.5", "2", "-1e300"], "f8", [1.5, 2.0, -1e300]),
        (["pear", "apple", "pear"], "i8", [1, 0, 1]),
        (["b", "10", "9"], "i8", [2, 0, 1]),  # names, in the order of text
        (["1_0", "2_0", "1_0"], "i8", [0, 1, 0]),
        (["9", "10", "True"], "i8", [1, 0, 2]),
        (['"7"', '"3"', "7"], "i8", [7, 3, 7]),
        (['"b, c"', '"a"', "d"], "i8", [1, 0, 2]),
        ([" 7", "3 ", " x "], "i8", [1, 0, 2]),
    ],
)
def test_labels(tmp_path: Path, labels: list[str], dtype: str, expected: list[float]) -> None:
    data = load(tmp_path, "y,x\n" + "".join(f"{label},{i}\n" for i, label in enumerate(labels)), header=True)
    assert data.y.dtype == dtype
    assert data.y.tolist() == expected
    assert data.x.ravel().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "7,1,2\n3,4,5\n",
        "7,1,2\n3,4,5",
        "7,1,2\r\n3,4,5\r\n",
        "\ufeff7,1,2\n3,4,5\n",
        '\ufeff"7",1,2\n"3",4,5\n',
        '"7","1","2"\n"3","4","5"\n',
        "7,1,2\n3,4,5\n\n\r\n \n",
        "\n7,1,2\n\n3,4,5\n",
        " 7, 1, 2 \n3,4.0,5e0\n",
    ],
)
@pytest.mark.parametrize("header", [False, True])
def test_ways_of_writing_the_same(tmp_path: Path, text: str, header: bool) -> None:
    if header:
        bom = "\ufeff" if text.startswith("\ufeff") else ""
        text = f'{bom}"the label",0,1\r\n{text.removeprefix(bom)}'
    data = load(tmp_path, text, header)
    assert data.x.dtype == np.uint8
    assert (data.x.tolist(), data.y.tolist()) == ([[1, 2], [4, 5]], [7, 3])


def test_one_row_with_a_name(tmp_path: Path) -> None:
    data = load(tmp_path, "pear,8,9\n")
    assert (data.x.tolist(), data.y.tolist()) == ([[8, 9]], [0])


def test_columns_named_by_numbers_are_names(tmp_path: Path) -> None:
    assert load(tmp_path, "label,0,1\n7,8,9\n", header=True).x.tolist() == [[8, 9]]


TRUE, LOST = "If it names the columns, give `header=True`.", "That row would be lost; leave out `header=True`."


@pytest.mark.parametrize(
    ("text", "header", "rest"),
    [
        ("label,a,b\n7,1,2\n", False, f"must begin with a row of numbers, got 'label,a,b'. {TRUE}"),
        ('label,"a, b"\n', False, f"""must begin with a row of numbers, got 'label,"a, b"'. {TRUE}"""),
        ("label,0,1\n7,1,2\n3,4,5\n", False, f"must begin with a row of numbers, got 'label,0,1'. {TRUE}"),
        ("0,1\n7,8\n", True, f"must begin with the names of the columns, got '0,1'. {LOST}"),
        ("\n7,8.5\n", True, f"must begin with the names of the columns, got '7,8.5'. {LOST}"),
        ("", False, "must have at least one row, got none."),
        ("\r\n\n", True, "must have at least one row, got none."),
        ("label,a\n", True, "must have at least one row, got none."),
        ("7\n3\n", False, "must have a label and at least one number in line 1, got '7'."),
        ("\n1;2\n", False, "must have a label and at least one number in line 2, got '1;2'."),
        ("label\n3\n", True, "must have a label and at least one number in line 1, got 'label'."),
        ("7,1,2\n3,4\n", False, "must have 3 cells in line 2, as before, got 2."),
        ("7,1\n\n3,4,5\n", False, "must have 2 cells in line 3, as before, got 3."),
        ("7,1\n3\n", False, "must have 2 cells in line 2, as before, got 1."),
        ("label,a\n7,1,2\n", True, "must have 2 cells in line 2, as before, got 3."),
        ("7,1\n" * 1500 + "3,4,5\n", False, "must have 2 cells in line 1501, as before, got 3."),
        ("7,1\n" * 1024 + "3,4,5\n" * 1024, False, "must have 2 cells in line 1025, as before, got 3."),
        ("7,1\n" * 1024 + "3\n" * 9, False, "must have 2 cells in line 1025, as before, got 1."),
        ("7,1\n3,\n", False, "must hold a number in line 2, column 2, got ''."),
        ("7,1,2\n3, ,5\n", False, "must hold a number in line 2, column 2, got ' '."),
        ('7,1\n3,""\n', False, "must hold a number in line 2, column 2, got ''."),
        ("7,1\n,4\n", False, "must hold a label in line 2, column 1, got ''."),
        ('7,1\n"",4\n', False, "must hold a label in line 2, column 1, got ''."),
        ("7,1,2\n3,4,x\n", False, "must hold a number in line 2, column 3, got 'x'."),
        ("7,1,x\n3,4,5\n", False, "must hold a number in line 1, column 3, got 'x'."),
        ("label,a\n7,1\n3,1_0\n", True, "must hold a number in line 3, column 2, got '1_0'."),
        ("7,1\n3,4#5\n", False, "must hold a number in line 2, column 2, got '4#5'."),
        ("7,1\n3,٣\n", False, "must hold a number in line 2, column 2, got '٣'."),
        ("1e300,1\n3,nan\n", False, "must be finite in float32 in line 2, column 2, got nan."),
        ("7,1\n3,-inf\n", False, "must be finite in float32 in line 2, column 2, got -inf."),
        ("7,1\n3,4e38\n", False, "must be finite in float32 in line 2, column 2, got 4e38."),
        ("7,1\nNaN,4\n", False, "must be finite in float64 in line 2, column 1, got NaN."),
        ("cat,1\nnan,4\n", False, "must be finite in float64 in line 2, column 1, got nan."),
        ("7,1\n1e999,4\n", False, "must be finite in float64 in line 2, column 1, got 1e999."),
        ('7,"1\n3,"4\n', False, "must have cells between commas in line 1, got unexpected end of data."),
        ('7,1\n"3,4\n', False, "must have cells between commas in line 2, got unexpected end of data."),
        (b"7,1\n3,\xff\n", False, "must be UTF-8 in line 2, got the byte 0xff."),
        ("7,1\n".encode("utf-16"), False, "must be UTF-8 in line 1, got the byte 0xff."),
        (b"7,1\n" * 3000 + b"caf\xe9,4\n", False, "must be UTF-8 in line 3001, got the byte 0xe9."),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str | bytes, header: bool, rest: str) -> None:
    with pytest.raises(ValueError, match=exactly(f"load_csv: `some.csv` {rest}")):
        load(tmp_path, text, header)


def test_a_header_that_is_no_answer(tmp_path: Path) -> None:
    value: Any = "label"
    with pytest.raises(TypeError, match=exactly("load_csv: `header` must be a bool, got a str.")):
        load(tmp_path, "7,1\n", value)


@settings(deadline=None)
@given(st.text(alphabet='0123.,,,-e"\n\r _ nax', max_size=30))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(text)
    try:
        data = fnn.load_csv(path)
    except ValueError as error:
        assert str(error).startswith("load_csv: `any.csv` ")  # noqa: PT017  # either outcome is right
    else:
        assert len(data) == sum(bool(line.strip()) for line in text.split("\n"))


def test_a_gzip_file_that_is_none_or_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "train.csv.gz"
    begins = exactly(f"load_csv: {path} is not a whole gzip file: ")[:-1]
    raw = gzip.compress(b"7,1\n3,4\n", mtime=0)
    for broken in (b"7,1\n", raw[:-1], raw[:12], raw[:-8] + bytes(8)):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=begins):
            fnn.load_csv(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        fnn.load_csv(tmp_path / "none.csv")


@pytest.mark.skipif(not os.environ.get("FNN_DATA"), reason="FNN_DATA names no folder with MNIST's four IDX files")
def test_real_mnist_as_a_table(tmp_path: Path) -> None:
    x, y, _ = fnn.load_mnist()[1].take(slice(0, 3000))
    path = str(tmp_path / "train.csv")
    pd.DataFrame(np.column_stack([y, x])).rename(columns={0: "label"}).to_csv(path, index=False)
    data = fnn.load_csv(path, header=True)
    assert data.x.dtype == np.uint8
    np.testing.assert_array_equal(data.x, x)
    np.testing.assert_array_equal(data.y, y)


def test_the_peak_is_little_more_than_twice_the_pixels(tmp_path: Path) -> None:
    line = b"7," + b",".join([b"255"] * 400) + b"\n"
    (tmp_path / "train.csv").write_bytes(line * 20_000)
    load(tmp_path, line)  # what is imported once
    tracemalloc.start()
    data = fnn.load_csv(tmp_path / "train.csv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.x.nbytes == 8_000_000
    assert peak < 3 * data.x.nbytes  # two copies, and 1,024 lines as text and as float64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('7,1,3\n7,"1"2,3\n', "must have cells between commas in line 2"),
        ('7,1,255\n8,1,"25', "must have cells between commas in line 2"),
        ('1,1,2\n"ab"",1","2,3"\n', "must have 3 cells in line 2"),
    ],
)
def test_quotes_that_do_not_close_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=f"^load_csv: `a.csv` {message}"):
        fnn.load_csv(tmp_path / "a.csv")
