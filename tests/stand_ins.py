"""Stand-ins for what the data loaders read: IDX files, MNIST's folder, and OpenML's HTTP API on this machine."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

MNIST_ROWS = {"train": 5, "t10k": 3}
MNIST_FILES = [f"{part}-{kind}" for part in MNIST_ROWS for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]


def exactly(message: str) -> str:
    """The pattern of just that message."""
    return f"^{re.escape(message)}$"


def idx(code: int, shape: tuple[int, ...], body: bytes) -> bytes:
    """An IDX file."""
    return bytes([0, 0, code, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + body


def write_mnist(folder: Path, zipped: bool | None = None) -> dict[str, NDArray[np.uint8]]:
    """Tiny images of 2×3 in files of MNIST's names, and what is in them; zipped None is every other one."""
    folder.mkdir(exist_ok=True)
    arrays = {}
    for i, name in enumerate(MNIST_FILES):
        n = MNIST_ROWS[name.split("-")[0]]
        shape = (n, 2, 3) if "images" in name else (n,)
        arrays[name] = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape) + np.uint8(10 * i)
        raw = idx(0x08, shape, arrays[name].tobytes())
        gz = i % 2 == 0 if zipped is None else zipped
        (folder / (f"{name}.gz" if gz else name)).write_bytes(gzip.compress(raw) if gz else raw)
    return arrays


@attrs.frozen
class Table:
    """A data set as OpenML has it: the columns with their ARFF types, the rows, and which column is the target."""

    columns: dict[str, str]
    rows: Sequence[Sequence[object]]
    target: str = "class"
    sparse: bool = False

    def arff(self, name: str) -> bytes:
        attributes = [f"@ATTRIBUTE {column} {kind}" for column, kind in self.columns.items()]
        rows = [",".join(map(str, row)) for row in self.rows]
        if self.sparse:
            rows = ["{" + ",".join(f"{i} {value}" for i, value in enumerate(row) if value) + "}" for row in self.rows]
        return "\n".join([f"@RELATION {name}", *attributes, "@DATA", *rows, ""]).encode()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        known = self.path in self.server.pages
        body = self.server.pages.get(self.path, b'{"error": {"code": "372", "message": "No results"}}')
        body = gzip.compress(body)
        self.send_response(200 if known else 412)  # 412 is OpenML's answer to a name that it does not have
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        pass


class _Server(HTTPServer):
    pages: dict[str, bytes]
    asked: list[str]


@attrs.frozen
class OpenML:
    """The server's address, and the paths that it was asked for so far."""

    url: str
    asked: list[str]


def _pages(url: str, name: str, table: Table) -> dict[str, bytes]:
    arff, api = table.arff(name), "/api/v1/json/data"
    features = [
        {
            "index": str(index),
            "name": column,
            "data_type": "nominal" if kind.startswith("{") else "numeric",
            "is_target": "true" if column == table.target else "false",
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": "0",
        }
        for index, (column, kind) in enumerate(table.columns.items())
    ]
    description = {
        "id": "554",
        "name": name,
        "version": "1",
        "description": "A stand-in.",
        "format": "Sparse_ARFF" if table.sparse else "ARFF",
        "status": "active",
        "file_id": "52667",
        "url": f"{url}/data/v1/download/52667",
        "md5_checksum": hashlib.md5(arff).hexdigest(),
    }
    listed = {"did": 554, "name": name, "version": 1, "status": "active", "format": "ARFF"}
    qualities = [{"name": "NumberOfInstances", "value": f"{len(table.rows)}.0"}]
    answers = {
        f"{api}/list/data_name/{name}/limit/2/data_version/1": {"data": {"dataset": [listed]}},
        f"{api}/554": {"data_set_description": description},
        f"{api}/features/554": {"data_features": {"feature": features}},
        f"{api}/qualities/554": {"data_qualities": {"quality": qualities}},
    }
    return {path: json.dumps(answer).encode() for path, answer in answers.items()} | {"/data/v1/download/52667": arff}


@contextmanager
def openml(name: str, table: Table) -> Iterator[OpenML]:
    """OpenML with one data set, on a free port of 127.0.0.1."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        server.pages, server.asked = _pages(url, name, table), []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield OpenML(url, server.asked)
        finally:
            server.shutdown()
            thread.join()
