"""Text tables, to the character."""

from __future__ import annotations

import numpy as np
import pytest

import fnn
from fnn.tables import table


def test_columns_and_kinds_of_cells() -> None:
    rows = [["a", 1, 0.5, None], ["long name", 1_234_567, -12.34567, "text"], [3, 0, 1e-9, ""]]
    assert table(["name", "count", "loss", "x"], rows).split("\n") == [
        "name           count      loss     x",
        "a                  1    0.5000     -",
        "long name  1,234,567  -12.3457  text",
        "3                  0    0.0000",
    ]


def test_the_header_may_be_the_widest_and_the_rows_none() -> None:
    assert table(["a", "a wide column"], [["x", 1]]) == "a  a wide column\nx              1"
    assert table(["a", "b"], []) == "a  b"
    assert table(["alone"], [["x"], [None]]) == "alone\nx\n-"


def test_no_line_ends_in_a_blank() -> None:
    text = table(["a", "b"], [["x", ""], ["", ""]])
    assert text.split("\n") == ["a  b", "x", ""]


def test_floats_that_are_not_finite_are_said() -> None:
    assert table(["a", "b"], [["x", float("nan")], ["y", float("-inf")]]).split("\n")[1:] == ["x   nan", "y  -inf"]


def test_numpys_numbers_are_numbers() -> None:
    rows = [["a", np.float64(0.25)], ["b", np.float32(0.25)], ["c", np.int64(12_345)]]
    assert table(["", "x"], rows).split("\n")[1:] == ["a  0.2500", "b  0.2500", "c  12,345"]


def test_yes_and_no_are_words() -> None:
    assert table(["a", "b"], [["x", True], ["y", False]]).split("\n")[1:] == ["x   True", "y  False"]


def test_rows_of_another_length_are_an_error() -> None:
    for rows in ([["a"]], [["a", 1, 2]]):
        with pytest.raises((IndexError, ValueError)):
            table(["a", "b"], rows)


def test_the_records_that_print_as_tables() -> None:
    matrix = fnn.confusion_matrix([0, 0, 1, 5], [0, 1, 1, 0])
    assert str(matrix).split("\n") == [
        "true \\ predicted  0  1  5",
        "0                 1  1  0",
        "1                 0  1  0",
        "5                 1  0  0",
    ]
