"""Blind damage: bits, bytes and blocks, and what happens to compressed streams."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib

from .mutators import Unfit, mutator

BLOCK = 2880


@mutator("bytes", damaged=True)
def one_bit(content, rng):
    return flip(content, rng.randrange(len(content)), rng)


@mutator("bytes", damaged=True)
def one_bit_near_the_beginning(content, rng):
    return flip(content, rng.randrange(min(len(content), 3000)), rng)


@mutator("bytes", damaged=True)
def one_bit_near_the_end(content, rng):
    return flip(content, len(content) - 1 - rng.randrange(min(len(content), 600)), rng)


def flip(content, place, rng):
    changed = bytearray(content)
    changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed)


@mutator("bytes", damaged=True)
def a_few_bytes(content, rng):
    place, n = rng.randrange(len(content)), rng.randint(1, 16)
    return content[:place] + rng.randbytes(n) + content[place + n :]


@mutator("bytes", damaged=True)
def cut_anywhere(content, rng):
    return content[: rng.randrange(1, len(content))]


@mutator("bytes", damaged=True)
def cut_at_a_block(content, rng):
    size = rng.choice([512, BLOCK, 4096])
    if len(content) <= size:
        raise Unfit
    return content[: size * rng.randrange(1, -(-len(content) // size))]


@mutator("bytes", damaged=True)
def cut_a_little(content, rng):
    return content[: max(1, len(content) - rng.randint(1, 60))]


def _block(content, rng):
    size = rng.choice([64, 512, BLOCK])
    if len(content) <= 2 * size:
        raise Unfit
    return size, size * rng.randrange(len(content) // size)


@mutator("bytes", damaged=True)
def block_doubled(content, rng):
    size, start = _block(content, rng)
    return content[: start + size] + content[start : start + size] + content[start + size :]


@mutator("bytes", damaged=True)
def block_removed(content, rng):
    size, start = _block(content, rng)
    return content[:start] + content[start + size :]


@mutator("bytes", damaged=True)
def block_of_zeros(content, rng):
    size, start = _block(content, rng)
    return content[:start] + b"\0" * len(content[start : start + size]) + content[start + size :]


@mutator("bytes", damaged=True)
def blocks_swapped(content, rng):
    size, one = _block(content, rng)
    other = size * rng.randrange(len(content) // size)
    one, other = sorted((one, other))
    if one == other:
        raise Unfit
    first, second = content[one : one + size], content[other : other + size]
    return content[:one] + second + content[one + size : other] + first + content[other + size :]


@mutator("bytes", damaged=True)
def bytes_inserted(content, rng):
    place = rng.randrange(len(content))
    return content[:place] + rng.randbytes(rng.randint(1, 40)) + content[place:]


@mutator("bytes", damaged=True)
def zeros_appended(content, rng):
    return content + b"\0" * rng.choice([1, 100, BLOCK, 10 * BLOCK])


@mutator("bytes", damaged=True)
def garbage_appended(content, rng):
    return content + rng.randbytes(rng.choice([1, 100, BLOCK]))


@mutator("bytes", damaged=True)
def garbage_in_front(content, rng):
    return rng.choice([b"\0", b"\n", b" ", b"\xef\xbb\xbf", rng.randbytes(8)]) + content


@mutator("bytes", damaged=True)
def the_file_twice(content, rng):
    return content + content


@mutator("bytes", damaged=True)
def only_zeros(content, rng):
    return b"\0" * len(content)


@mutator("bytes", damaged=True)
def only_noise(content, rng):
    return rng.randbytes(len(content))


@mutator("bytes", damaged=True)
def nothing(content, rng):
    return b""


def _inner(content):
    if content.startswith(b"\xfd7zXZ"):
        return lzma.decompress(content)
    return (gzip if content.startswith(b"\x1f\x8b") else bz2).decompress(content)


@mutator("codec", damaged=True)
def one_bit_of_the_stream(content, rng):
    return flip(content, rng.randrange(len(content)), rng)


@mutator("codec", damaged=True)
def one_bit_of_the_sum(content, rng):
    return flip(content, len(content) - 1 - rng.randrange(8), rng)


@mutator("codec", damaged=True)
def stream_cut(content, rng):
    return content[: -rng.choice([1, 4, 8, 9, 50, len(content) // 2])]


@mutator("codec", damaged=True)
def stream_cut_at_the_sum(content, rng):
    return content[:-8]


@mutator("codec", damaged=True)
def garbage_behind_the_stream(content, rng):
    return content + rng.randbytes(rng.choice([1, 20, 1000]))


@mutator("codec")
def zeros_behind_the_stream(content, rng):
    return content + b"\0" * rng.choice([1, 512])


@mutator("codec")
def another_level(content, rng):
    inner = _inner(content)
    return gzip.compress(inner, rng.choice([0, 1, 9]), mtime=rng.randrange(2**31))


@mutator("codec")
def with_a_name_in_it(content, rng):
    inner = _inner(content)
    raw = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = raw.compress(inner) + raw.flush()
    head = b"\x1f\x8b\x08\x1c" + b"\0" * 4 + b"\0\xff" + b"\x04\0ab\0\0"[:6] + b"a name.fits\0" + b"a comment\0"
    return head + body + (zlib.crc32(inner)).to_bytes(4, "little") + (len(inner) % 2**32).to_bytes(4, "little")


@mutator("codec")
def several_members(content, rng):
    inner = _inner(content)
    place = rng.randrange(1, len(inner))
    return gzip.compress(inner[:place]) + gzip.compress(b"") + gzip.compress(inner[place:])


@mutator("codec")
def compressed_twice(content, rng):
    return gzip.compress(content)


@mutator("codec")
def the_other_compression(content, rng):
    inner = _inner(content)
    return bz2.compress(inner) if content.startswith(b"\x1f\x8b") else gzip.compress(inner)


@mutator("codec")
def not_compressed(content, rng):
    return _inner(content)


@mutator("codec")
def nothing_in_the_stream(content, rng):
    return gzip.compress(b"")


def _bomb(start: bytes, filler: bytes, members: int) -> bytes:
    return gzip.compress(start) + gzip.compress(filler * (1 << 24), 9) * members


@mutator("codec")
def a_bomb_of_zeros(content, rng):
    return _bomb(_inner(content), b"\0", 200)


@mutator("codec")
def a_bomb_of_text(content, rng):
    return _bomb(b"", b"5", 200)


@mutator("codec")
def a_bomb_behind_a_header(content, rng):
    return _bomb(_inner(content)[:BLOCK], b" ", 200)


@mutator("codec")
def a_bomb_by_bzip2(content, rng):
    return bz2.compress(b"\0" * 45_000_000) * 70
