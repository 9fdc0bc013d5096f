"""HJ 212: data transmission of pollution monitoring, editions 2017 and 2025 (without SM4).

Pure: bytes to frames and back. Strict in what it writes, tolerant in what it reads, and every tolerated
difference is kept beside the frame. Not supported: SM4 encryption of the 2025 edition, joining of received
packets.
"""

from protocols.hj212.answers import answer_data, answer_execution, answer_notice, answer_request
from protocols.hj212.checksum import crc16
from protocols.hj212.codec import RejectedBytes, StreamDecoder, decode_frame, encode_frame, wrap
from protocols.hj212.codes import Command, Deviation, ExeRtn, QnRtn, Version
from protocols.hj212.frame import (
    DataSegmentError,
    Frame,
    FrameContentError,
    FrameCrcError,
    FrameHeadError,
    FrameLengthError,
    Group,
    Hj212Error,
    ReceivedFrame,
    format_qn,
)
from protocols.hj212.packets import split_packets

__all__ = [
    "Command",
    "DataSegmentError",
    "Deviation",
    "ExeRtn",
    "Frame",
    "FrameContentError",
    "FrameCrcError",
    "FrameHeadError",
    "FrameLengthError",
    "Group",
    "Hj212Error",
    "QnRtn",
    "ReceivedFrame",
    "RejectedBytes",
    "StreamDecoder",
    "Version",
    "answer_data",
    "answer_execution",
    "answer_notice",
    "answer_request",
    "crc16",
    "decode_frame",
    "encode_frame",
    "format_qn",
    "split_packets",
    "wrap",
]
