"""Forward error correction of one block: RaptorQ (RFC 6330), systematic, one source block.

Any `source_count` symbols of a block give it back, but for about one case in a hundred (one in ten thousand
with one symbol more, RFC 6330 section 5.8); so the decoder is asked again with each further symbol. The first
`source_count` symbols are the content itself: where none of them is lost, nothing is decoded.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SYMBOL_BYTES = 1432  # a multiple of 8; with 20 bytes of ours, 8 of UDP and 40 of IPv6 it fills an MTU of 1500
PACKET_ID_BYTES = 4
MAX_BLOCK_BYTES = 8 * 1024 * 1024
RESIDUAL_LOSS = 1e-9
_DECODING_OVERHEAD = 2  # symbols more than the content has, so that decoding fails once in a million


def symbol_bytes(content_bytes: int) -> int:
    """How long a symbol of a block is: all of the datagram, less where the block is smaller than one."""
    return min(SYMBOL_BYTES, max(8, -(-content_bytes // 8) * 8))


def source_count(content_bytes: int) -> int:
    """How many symbols hold the content of a block."""
    return -(-content_bytes // symbol_bytes(content_bytes))


@lru_cache(maxsize=4096)
def repair_count(source: int, loss: float) -> int:
    """The fewest repair symbols with which a block survives random loss, but for one block in a billion.

    Args:
        source: symbols of the content.
        loss: the share of datagrams that may be lost, 0 <= loss < 1.

    Raises:
        ValueError: the loss is no such share.
    """
    if not 0 <= loss < 1:
        msg = f"planning repair of {source} symbols: found a loss of {loss}, expected 0 up to below 1"
        raise ValueError(msg)
    if loss == 0:
        return _DECODING_OVERHEAD
    low, high = _DECODING_OVERHEAD, _DECODING_OVERHEAD
    while _fails(source, high, loss) > RESIDUAL_LOSS:
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        if _fails(source, middle, loss) > RESIDUAL_LOSS:
            low = middle + 1
        else:
            high = middle
    return high


def encode(content: bytes, repair: int) -> list[bytes]:
    """The packets of a block: 4 bytes that number the symbol, then the symbol; the content's first."""
    from raptorq import Encoder

    packets: list[bytes] = Encoder.with_defaults(content, symbol_bytes(len(content))).get_encoded_packets(
        repair
    )
    return packets


def decode(packets: Mapping[int, bytes], content_bytes: int) -> bytes | None:
    """The content of a block, or None while its packets do not determine it.

    Args:
        packets: by their number; each as long as `encode` makes them, which the caller has checked.
        content_bytes: how long the content is.
    """
    source = source_count(content_bytes)
    if len(packets) < source:
        return None
    numbers = sorted(packets)
    if numbers[source - 1] == source - 1:
        joined = b"".join([packets[number][PACKET_ID_BYTES:] for number in numbers[:source]])
        return joined[:content_bytes]
    return _repair([packets[number] for number in numbers], content_bytes)


def _repair(packets: Sequence[bytes], content_bytes: int) -> bytes | None:
    from raptorq import Decoder

    decoder = Decoder.with_defaults(content_bytes, symbol_bytes(content_bytes))
    for packet in packets:
        content: bytes | None = decoder.decode(packet)
        if content is not None:
            return bytes(content)
    return None


def _fails(source: int, repair: int, loss: float) -> float:
    """The chance that more than `repair - overhead` of all symbols are lost (binomial tail)."""
    total, kept_back = source + repair, repair - _DECODING_OVERHEAD
    log_loss, log_kept = math.log(loss), math.log1p(-loss)
    chance = 0.0
    for lost in range(kept_back + 1, total + 1):
        term = (
            math.lgamma(total + 1)
            - math.lgamma(lost + 1)
            - math.lgamma(total - lost + 1)
            + lost * log_loss
            + (total - lost) * log_kept
        )
        added = math.exp(term)
        chance += added
        if lost > total * loss and added < chance * 1e-6:
            break
    return chance
