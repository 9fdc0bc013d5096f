"""The check code of HJ 212 Annex A, which is not CRC-16/MODBUS though the standard calls it ANSI CRC16.

Each step drops the low byte of the register (`reg = (reg >> 8) ^ byte`), so the state is one byte, and the
eight steps of a byte are a linear map whose eighth power is the identity. The whole sum therefore is the
exclusive or of the bytes folded into eight columns, then eight table steps: that is how it is computed
here, some ten times faster than a step a byte. It also says how weak the code is: two bytes that stand
eight apart may be swapped unnoticed. Never take it as evidence of integrity.
"""

from __future__ import annotations

_POLYNOMIAL = 0xA001
_WORD_BITS = 64


def _step(register: int) -> int:
    for _ in range(8):
        register = (register >> 1) ^ (_POLYNOMIAL if register & 1 else 0)
    return register


_AFTER = [_step(byte) for byte in range(256)]
_STATE = bytes(value >> 8 for value in _AFTER)
_FULL = {value >> 8: value for value in _AFTER}  # the low byte is a function of the high one


def _initial_states() -> bytes:
    state, states = 0xFF, []
    for _ in range(8):
        states.append(state)
        state = _STATE[state]
    return bytes(states)


_INITIAL = _initial_states()


def crc16(data: bytes) -> int:
    """The check code of a data segment, over its bytes; print it as `%04X`."""
    if not data:
        return 0xFFFF
    folded = int.from_bytes(data, "big")
    words = (len(data) + 7) >> 3
    while words > 1:
        half = words >> 1
        bits = half * _WORD_BITS
        folded = (folded >> bits) ^ (folded & ((1 << bits) - 1))
        words -= half
    state = _INITIAL[len(data) & 7]
    for byte in folded.to_bytes(8, "big"):
        state = _STATE[state ^ byte]
    return _FULL[state]
