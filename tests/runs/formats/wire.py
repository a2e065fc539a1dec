"""Messages and files in the wire formats of loggers, written without any of our own code."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c


def framed(payload: bytes) -> bytes:
    """Record of an event file."""
    length = struct.pack("<Q", len(payload))
    crcs = [struct.pack("<I", masked_crc32c(part)) for part in (length, payload)]
    return length + crcs[0] + payload + crcs[1]


def version(wall: float = 1.7e9) -> bytes:
    """First record of every event file."""
    return framed(Event(wall_time=wall, file_version="brain.Event:2").SerializeToString())


def scalar(tag: str, step: int, value: float, wall: float = 1.7e9) -> bytes:
    """Record of one number, of the first version of summaries."""
    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
    return framed(Event(wall_time=wall, step=step, summary=summary).SerializeToString())


def session_start(step: int, wall: float = 1.7e9) -> bytes:
    """Record that says that a session began."""
    log = SessionLog(status=SessionLog.START)
    return framed(Event(wall_time=wall, step=step, session_log=log).SerializeToString())


def event_file(folder: Path, records: list[bytes], begun: int = 1_700_000_000) -> Path:
    """Write an event file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{begun}.host.1.0"
    path.write_bytes(version(float(begun)) + b"".join(records))
    return path


def varint(value: int) -> bytes:
    """Number as protocol buffers write it."""
    out = bytearray()
    value &= 2**64 - 1
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def message(*parts: tuple[int, int | bytes | str | float]) -> bytes:
    """Message of fields: numbers as varints, texts with their length, floats as doubles."""
    out = b""
    for number, value in parts:
        if isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        elif isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def leveldb_log(records: list[bytes], header: bytes = b":W&B\xe1\xbe\x00") -> bytes:
    """Log of LevelDB in blocks of 32 KiB, with the checksums that wandb writes."""
    out = bytearray(header)
    for record in records:
        rest, first = record, True
        while rest or first:
            left = 32768 - len(out) % 32768
            if left < 7:
                out += bytes(left)
                left = 32768
            part, rest = rest[: left - 7], rest[left - 7 :]
            kind = (1 if first else 4) if not rest else (2 if first else 3)
            crc = zlib.crc32(part, zlib.crc32(bytes([kind])))
            out += struct.pack("<IHB", crc, len(part), kind) + part
            first = False
    return bytes(out)
