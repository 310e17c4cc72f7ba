"""Bytes of a plate file as lines, whatever program wrote them."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from estradyn.errors import InputError

LARGEST_FILE = 64 * 1024 * 1024
"""Bytes above which a file is refused: a 1,536-well plate read 1,000 times has about 10 MB."""

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_FLAG_WORDS = (
    "OVRFLW",
    "OVER",
    "UNDER",
    "MISSED",
    "MASKED",
    "PATH?",
    "RANGE?",
    "ERROR",
    "NAN",
    "#SAT",
    "#LOW",
    "SAT",
    "NA",
    "N/A",
)
_FLAG_SHAPE = re.compile(r"\*.*\*|\?+|#+|[<>]\s*[\d.,+-]+|-+")


def read_text(path: Path) -> str:
    """Content of a text file in UTF-8, UTF-16 or, failing those, Latin-1.

    Raises
    ------
    InputError
        If the file cannot be opened, is empty, too large or not text.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise InputError(
                f"has {size:,} bytes, the limit is {LARGEST_FILE:,}; export fewer plates per file",
                source=path,
            )
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", source=path) from error
    return decode(content, path)


def decode(content: bytes, path: Path) -> str:
    """Text of a file from its bytes, with `\\n` line ends and no byte-order mark."""
    if not content.strip(b"\x00 \r\n\t"):
        raise InputError("is empty; export the plate again", source=path)
    if content.startswith(b"PK\x03\x04") or content.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError("is a spreadsheet; save it as text (CSV) first", source=path)
    encoding = _encoding(content)
    text = content.decode(encoding, errors="replace" if encoding.startswith("utf-16") else "strict")
    text = text.removeprefix("\ufeff")
    if "\x00" in text:
        raise InputError("is not a text file (it holds zero bytes)", source=path)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _encoding(content: bytes) -> str:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            try:
                content.decode(name, errors="strict")
            except UnicodeDecodeError:
                return "latin-1" if name == "utf-8-sig" else name
            return name
    # UTF-16 without a mark: every other byte of plain text is zero.
    sample = content[:4096]
    if sample[1::2].count(0) > 0.6 * len(sample[1::2]):
        return "utf-16-le"
    if sample[0::2].count(0) > 0.6 * len(sample[0::2]):
        return "utf-16-be"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def parse_number(text: str) -> float | None:
    """Value of a cell with a decimal point or a decimal comma; None if it is not a number."""
    stripped = text.strip().replace("\u2212", "-")
    if not stripped.isascii() or _NUMBER.fullmatch(stripped) is None:
        return None
    return float(stripped.replace(",", "."))


def is_flag(text: str) -> bool:
    """Whether a reader writes this in place of a number (overflow, masked, not read)."""
    stripped = text.strip()
    return (
        stripped == ""
        or stripped.upper() in _FLAG_WORDS
        or _FLAG_SHAPE.fullmatch(stripped) is not None
    )


def parse_cell(
    text: str, *, path: Path, line: int, well: str, plate: str = ""
) -> tuple[float, str]:
    """Value and flag of one well: a number and no flag, or NaN and what stands there.

    Raises
    ------
    InputError
        If the cell is neither a number nor a known flag.
    """
    value = parse_number(text)
    if value is not None and abs(value) < 1e300:
        return value, ""
    if is_flag(text):
        return float("nan"), text.strip() or "empty"
    where = f"well {well}" + (f" of plate {plate!r}" if plate else "")
    raise InputError(
        f"{where} holds {text.strip()[:40]!r} where a number is expected; correct the cell or "
        "leave it empty",
        source=path,
        line=line,
    )


def parse_clock(text: str) -> float | None:
    """Seconds of `h:mm:ss` or `d.hh:mm:ss`; None if the text is not a time."""
    match = re.fullmatch(r"(?:(\d{1,3})\.)?(\d{1,4}):(\d{2}):(\d{2}(?:[.,]\d+)?)", text.strip())
    if match is None or not text.isascii():
        return None
    seconds = float(match[4].replace(",", "."))
    return int(match[1] or 0) * 86400 + int(match[2]) * 3600 + int(match[3]) * 60 + seconds
