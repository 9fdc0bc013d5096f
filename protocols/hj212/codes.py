"""Command and result codes of HJ 212-2017 (Table 9, Annex) and what the 2025 edition adds."""

from __future__ import annotations

from enum import IntEnum, StrEnum

INTERACTION_ST = "91"


class Version(IntEnum):
    """The edition named by the upper six bits of Flag."""

    V2005 = 0
    V2017 = 1
    V2025 = 2


class QnRtn(IntEnum):
    """Answer to a request (9011)."""

    READY = 1
    REFUSED = 2
    PASSWORD_ERROR = 3
    MN_ERROR = 4
    ST_ERROR = 5
    FLAG_ERROR = 6
    QN_ERROR = 7
    CN_ERROR = 8
    CRC_ERROR = 9
    UNKNOWN = 100


class ExeRtn(IntEnum):
    """Result of carrying a request out (9012)."""

    SUCCESS = 1
    FAILED = 2
    CONDITION_ERROR = 3
    TIMEOUT = 4
    BUSY = 5
    SYSTEM_FAULT = 6
    NO_DATA = 100


class Command(StrEnum):
    """Command code, CN."""

    SET_TIMEOUT_AND_RETRIES = "1000"
    UPLOAD_HARDWARE_SERIALS = "1001"
    SET_MN = "1002"
    SITE_TIME = "1011"
    SET_SITE_TIME = "1012"
    ASK_FOR_TIME = "1013"
    ENCRYPTION_KEY = "1014"
    GET_REAL_TIME_INTERVAL = "1061"
    SET_REAL_TIME_INTERVAL = "1062"
    GET_MINUTE_INTERVAL = "1063"
    SET_MINUTE_INTERVAL = "1064"
    SET_PASSWORD = "1072"  # noqa: S105 - the command's name, no secret
    REAL_TIME = "2011"
    STOP_REAL_TIME = "2012"
    PERIODIC_RAW = "2013"
    EQUIPMENT_STATE = "2021"
    STOP_EQUIPMENT_STATE = "2022"
    DAY = "2031"
    EQUIPMENT_DAY = "2041"
    MINUTE = "2051"
    NOISE_EVENT = "2052"
    HOUR = "2061"
    STANDARD_CHECK = "2062"
    LOGGER_START = "2081"
    FURNACE_TEMPERATURE = "2111"
    CALIBRATE = "3011"
    SAMPLE_NOW = "3012"
    CLEAN = "3013"
    COMPARE = "3014"
    KEEP_SAMPLE = "3015"
    SET_SAMPLING_CYCLE = "3016"
    GET_SAMPLING_CYCLE = "3017"
    GET_SAMPLE_OUT_TIME = "3018"
    INSTRUMENT_ID = "3019"
    SITE_INFORMATION = "3020"
    SET_SITE_PARAMETER = "3021"
    RETAIN_SAMPLE_NOW = "3022"
    START_STANDARD_CHECK = "3024"
    REQUEST_ANSWER = "9011"
    EXECUTION_RESULT = "9012"
    NOTICE_ANSWER = "9013"
    DATA_ANSWER = "9014"
    HEARTBEAT = "9015"


COMMANDS = frozenset(Command)
ANSWERS = frozenset(
    (Command.REQUEST_ANSWER, Command.EXECUTION_RESULT, Command.NOTICE_ANSWER, Command.DATA_ANSWER)
)


class Deviation(StrEnum):
    """What a frame that could be read does otherwise than the standard says."""

    LOWER_CASE_CRC = "lower_case_crc"
    MISSING_TAIL = "missing_tail"
    NOT_UTF8 = "not_utf8"
    SEGMENT_TOO_LONG = "segment_too_long"
    CP_TOO_LONG = "cp_too_long"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    REPEATED_FIELD = "repeated_field"
    FIELD_ORDER = "field_order"
    FIELD_SEPARATOR = "field_separator"
    QN_FORMAT = "qn_format"
    ST_FORMAT = "st_format"
    CN_UNKNOWN = "cn_unknown"
    PW_FORMAT = "pw_format"
    MN_FORMAT = "mn_format"
    FLAG_FORMAT = "flag_format"
    FLAG_VERSION = "flag_version"
    PACKET_NUMBERS = "packet_numbers"
    ANSWER_FIELDS = "answer_fields"
    ITEM_FORMAT = "item_format"
    TRAILING_SEPARATOR = "trailing_separator"
    BLANKS = "blanks"
