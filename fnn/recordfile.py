"""A file of named arrays and a record, with sums over both that tell whether it is still what it was."""

from __future__ import annotations

from typing import Any

from fnn import atomic, checks, tensorfile
from fnn.arrays import Array
from fnn.provenance import made_on

FORMAT = 1
KEY = "fnn"  # of the metadata


def store(where: str, path: str, tensors: dict[str, Array], record: dict[str, Any]) -> None:
    """Write arrays and a record of plain values, with what it was made on; the old or the new file is there whole."""
    entries, buffer = tensorfile.split(tensorfile.packed(tensors))
    record = {**record, "format": FORMAT, "made_on": made_on()}
    record["sha256"] = _sums(entries, record, buffer)
    data = tensorfile.packed(tensors, {KEY: _canonical(record)})
    if (length := tensorfile.header_length(data)) > tensorfile.MAX_HEADER:
        rule = f"must have a history and settings that fit into a header of {tensorfile.MAX_HEADER:,} bytes"
        raise checks.problem(ValueError, where, "run", rule, f"{length:,}")
    atomic.write(where, path, data)


def fetch(where: str, path: str, max_bytes: int) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the record, without its sums and format, of a file that `store` made and nobody has changed."""
    with tensorfile.opened(where, path, max_bytes) as (file, size):
        contents = tensorfile.read(where, path, file, size, KEY)
    record = tensorfile.parsed(where, path, "its record", contents.metadata[KEY])
    version = record.get("format")
    if type(version) is not int or not 1 <= version <= FORMAT:
        fix = "A newer fnn made it, and is needed to read it." if type(version) is int and version > FORMAT else ""
        raise tensorfile.refusal(where, path, f"must be of format {FORMAT}", checks.show(version), fix)
    sums = record.pop("sha256", None)
    try:
        whole = sums == _sums(contents.entries, record, contents.buffer)
    except RecursionError:
        whole = False
    if not whole:
        rule, fix = "must have the sha256 sums of what is in it", "It was changed or damaged after it was saved."
        raise tensorfile.refusal(where, path, rule, "others", fix)
    facts = record.get("made_on")
    if not isinstance(facts, dict) or not all(isinstance(fact, str | int | None) for fact in facts.values()):
        raise tensorfile.refusal(where, path, "must say what it was made on", checks.show(facts))
    del record["format"]
    return contents.tensors, record


def _canonical(value: object) -> str:
    import json

    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sums(entries: dict[str, Any], record: dict[str, Any], buffer: bytes) -> dict[str, str]:
    """The sha256 of the arrays' bytes, and that of all else: their names, dtypes and places, and the record."""
    import hashlib

    rest = _canonical([entries, record]).encode()
    return {"tensors": hashlib.sha256(buffer).hexdigest(), "rest": hashlib.sha256(rest).hexdigest()}
