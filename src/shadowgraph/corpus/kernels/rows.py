"""JSON lines to columns, compiled: the flat rows that corpora consist of, without one Python object a row.

Here live: a scanner of JSON lines that gives up on anything unusual.
Not here: what is done with rows it gives up on (`readers.lines` parses the whole block with a JSON parser then), and
UTF-8 validity, which the caller checks.

Given up on: lines that are no object, nested values, fractions, a wanted key that is no text or whole number, a key
twice, escapes inside keys, lone surrogates, and every kind of broken JSON.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false, reportMissingImports=false, reportArgumentType=false
# pyright: reportReturnType=false
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shadowgraph.corpus.kernels.compiled import kernel
from shadowgraph.corpus.kernels.constants import BASE

_PLAIN = np.array([byte >= 32 and byte not in {34, 92} for byte in range(256)])  # needs no care inside a text


@kernel
def _hex4(data: NDArray[np.uint8], i: int) -> int:
    """The number of four hexadecimal digits at i, or -1."""
    if i + 4 > data.size:
        return -1
    total = 0
    for k in range(4):
        b = data[i + k]
        if 48 <= b <= 57:
            total = total * 16 + (b - 48)
        elif 97 <= b <= 102:
            total = total * 16 + (b - 87)
        elif 65 <= b <= 70:
            total = total * 16 + (b - 55)
        else:
            return -1
    return total


@kernel
def _escape(data: NDArray[np.uint8], i: int, out: NDArray[np.uint8], n: int) -> tuple[int, int]:
    """Write the character of the escape whose letter stands at i; i is -1 when there is none."""
    if i >= data.size:
        return -1, n
    b = data[i]
    if b == 117:  # u
        code = _hex4(data, i + 1)
        i += 5
        if 0xD800 <= code < 0xDC00 and i + 1 < data.size and data[i] == 92 and data[i + 1] == 117:
            low = _hex4(data, i + 2)
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) if 0xDC00 <= low < 0xE000 else -1
            i += 6
        if code < 0 or 0xD800 <= code < 0xE000:
            return -1, n
        if code < 0x80:
            out[n] = code
            return i, n + 1
        if code < 0x800:
            out[n] = 0xC0 | (code >> 6)
        elif code < 0x10000:
            out[n] = 0xE0 | (code >> 12)
        else:
            out[n] = 0xF0 | (code >> 18)
            n += 1
            out[n] = 0x80 | ((code >> 12) & 63)
        if code >= 0x800:
            n += 1
            out[n] = 0x80 | ((code >> 6) & 63)
        out[n + 1] = 0x80 | (code & 63)
        return i, n + 2
    value = 0
    if b == 110:
        value = 10
    elif b == 116:
        value = 9
    elif b == 114:
        value = 13
    elif b == 98:
        value = 8
    elif b == 102:
        value = 12
    elif b == 34 or b == 92 or b == 47:
        value = np.int64(b)
    else:
        return -1, n
    out[n] = value
    return i + 1, n + 1


@kernel
def _text(data: NDArray[np.uint8], i: int, out: NDArray[np.uint8], n: int) -> tuple[int, int]:
    """Copy the text whose first byte stands at i; returns the place behind its closing quote, or -1, and n."""
    at, to, stop = np.uintp(i), np.uintp(n), np.uintp(data.size)
    one = np.uintp(1)
    while at < stop:
        while at < stop and _PLAIN[data[at]]:
            out[to] = data[at]
            to += one
            at += one
        if at == stop:
            break
        b = data[at]
        if b == 34:
            return np.int64(at) + 1, np.int64(to)
        if b < 32:
            return -1, n
        i, n = _escape(data, np.int64(at) + 1, out, np.int64(to))
        if i < 0:
            return -1, n
        at, to = np.uintp(i), np.uintp(n)
    return -1, n


@kernel
def _scalar(data: NDArray[np.uint8], i: int) -> tuple[int, int]:
    """The place behind a whole number (kind 1) or behind true, false or null (kind 2) at i, or -1."""
    j = i + 1 if data[i] == 45 else i
    first = j
    while j < data.size and 48 <= data[j] <= 57:
        j += 1
    if j > first:
        whole = j - first < 16 and (data[first] != 48 or j == first + 1)
        return (j if whole else -1), 1
    if i + 4 <= data.size:
        a, b, c, e = data[i], data[i + 1], data[i + 2], data[i + 3]
        if (a == 116 and b == 114 and c == 117 and e == 101) or (a == 110 and b == 117 and c == 108 and e == 108):
            return i + 4, 2
        if a == 102 and b == 97 and c == 108 and e == 115 and i + 5 <= data.size and data[i + 4] == 101:
            return i + 5, 2
    return -1, 0


@kernel
def _blanks(data: NDArray[np.uint8], i: int) -> int:
    """The first place from i on that is no blank of JSON inside a line."""
    while i < data.size and (data[i] == 32 or data[i] == 9 or data[i] == 13):
        i += 1
    return i


@kernel
def _value(
    data: NDArray[np.uint8], i: int, field: int, buffer: NDArray[np.uint8], n: int, spans: NDArray[np.int64]
) -> tuple[int, int]:
    """Read one value; a wanted one (field ≥ 0) goes to the buffer and its bounds to spans[field]."""
    if data[i] == 34:
        begin = n
        i, n = _text(data, i + 1, buffer, n)
        if field < 0:
            return i, begin
        spans[field, 0], spans[field, 1] = begin, n
        return i, n
    end, kind = _scalar(data, i)
    if end < 0 or field < 0:
        return end, n
    if kind == 2 or field == 0:
        return -1, n
    spans[field, 0] = n
    for k in range(i, end):
        buffer[n] = data[k]
        n += 1
    spans[field, 1] = n
    return end, n


@kernel
def _row(
    data: NDArray[np.uint8],
    i: int,
    keys: NDArray[np.uint64],
    buffers: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    ends: NDArray[np.int64],
    spans: NDArray[np.int64],
) -> int:
    """Read the object at i; the place behind its line, or -1. `ends` holds how full the two buffers are."""
    i = _blanks(data, i + 1)
    while i < data.size and data[i] == 34:
        i += 1
        h = np.uint64(0)
        while i < data.size and data[i] != 34:
            if data[i] == 92 or data[i] < 32:
                return -1
            h = h * BASE + np.uint64(data[i])
            i += 1
        i = _blanks(data, i + 1)
        if i >= data.size or data[i] != 58:
            return -1
        i = _blanks(data, i + 1)
        field = -1
        for k in range(keys.size):
            if keys[k] == h:
                field = k
        if i >= data.size or (field >= 0 and spans[field, 0] >= 0):
            return -1
        if field == 0:
            i, ends[0] = _value(data, i, field, buffers[0], ends[0], spans)
        else:
            i, ends[1] = _value(data, i, field, buffers[1], ends[1], spans)
        if i < 0:
            return -1
        i = _blanks(data, i)
        if i < data.size and data[i] == 44:
            i = _blanks(data, i + 1)
            if i >= data.size or data[i] != 34:
                return -1
            continue
        break
    if i >= data.size or data[i] != 125:
        return -1
    i = _blanks(data, i + 1)
    return i + 1 if i == data.size or data[i] == 10 else -1


@kernel
def scan_rows(
    data: NDArray[np.uint8], keys: NDArray[np.uint64]
) -> tuple[bool, NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]:
    """Read whole lines of JSON objects.

    Args:
        data: bytes of whole lines.
        keys: (f,) hashes of the wanted keys, the text's first.

    Returns:
        Whether every line was read; (r,) line of each row, 1 = first; (r, f, 2) bounds of each wanted value in its
        buffer, -1 where the key is missing; the buffer of texts, end to end; the buffer of all other values.
    """
    lines = 1
    for b in data:
        lines += np.int64(b == 10)
    texts, others = np.empty(data.size + 8, np.uint8), np.empty(data.size + 8, np.uint8)
    numbers = np.empty(lines, np.int64)
    spans = np.full((lines, keys.size, 2), -1, np.int64)
    ends = np.zeros(2, np.int64)
    count, line, i = 0, 0, 0
    while i < data.size:
        line += 1
        i = _blanks(data, i)
        if i < data.size and data[i] != 10:
            if data[i] != 123:
                return False, numbers[:0], spans[:0], texts[:0], others[:0]
            i = _row(data, i, keys, (texts, others), ends, spans[count])
            if i < 0:
                return False, numbers[:0], spans[:0], texts[:0], others[:0]
            numbers[count] = line
            count += 1
        else:
            i += 1
    return True, numbers[:count], spans[:count], texts[: ends[0]], others[: ends[1]]


@kernel
def _last_mark(buffer: NDArray[np.uint8], start: int, stop: int) -> int:
    """The place behind the last blank line in [start, stop), else line end, else space, else stop."""
    line, space = -1, -1
    for i in range(stop - 1, start - 1, -1):
        if buffer[i] == 10:
            if i > start and buffer[i - 1] == 10:
                return i + 1
            line = max(line, i + 1)
        elif buffer[i] == 32:
            space = max(space, i + 1)
    if line >= 0:
        return line
    return space if space >= 0 else stop


@kernel
def cut_texts(
    buffer: NDArray[np.uint8], offsets: NDArray[np.int64], limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut texts of more than `limit` characters; see `batch.cut_points`.

    Args:
        buffer: UTF-8 bytes.
        offsets: (n+1,) bounds of texts.
        limit: characters of a piece.

    Returns:
        First byte of each piece, and the text it belongs to.
    """
    room = 2 * (offsets[-1] - offsets[0]) // max(limit, 1) + 2 * offsets.size
    starts, owners = np.empty(room, np.int64), np.empty(room, np.int64)
    count = 0
    for d in range(offsets.size - 1):
        start, end = offsets[d], offsets[d + 1]
        while True:
            if count == starts.size:
                starts = np.concatenate((starts, np.empty_like(starts)))
                owners = np.concatenate((owners, np.empty_like(owners)))
            starts[count], owners[count] = start, d
            count += 1
            stop, left = start, limit
            while left > 0 and stop < end:
                ahead = min(end, stop + left)
                seen = np.int64(0)
                for b in buffer[stop:ahead]:
                    seen += np.int64((b & 192) != 128)
                stop, left = ahead, left - seen
            while stop < end and (buffer[stop] & 192) == 128:
                stop += 1
            if stop >= end:
                break
            start = _last_mark(buffer, start, stop)
    return starts[:count].copy(), owners[:count].copy()
