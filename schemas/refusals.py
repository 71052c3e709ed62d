"""Why an event is refused: every reason code, in the order in which they apply."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Reason codes; of several the first in this order is given."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    PLAIN_IDENTITY = "plain_identity"
    SCHEMA = "schema"
    WRONG_TOPIC = "wrong_topic"
    UNKNOWN_SOURCE = "unknown_source"
    SOURCE_MISMATCH = "source_mismatch"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_DISTRICT = "unknown_district"
    IMPOSSIBLE_DATE = "impossible_date"
    FORGOTTEN = "forgotten"


TITLES: dict[Code, tuple[str, str]] = {
    Code.TOO_LARGE: ("消息过大", "too large"),
    Code.NOT_JSON: ("不是 JSON", "not JSON"),
    Code.PLAIN_IDENTITY: ("含明文身份证号码", "plain identity number"),
    Code.SCHEMA: ("字段不符", "fields do not fit"),
    Code.WRONG_TOPIC: ("主题不符", "wrong topic"),
    Code.UNKNOWN_SOURCE: ("来源未登记", "unknown source"),
    Code.SOURCE_MISMATCH: ("来源与发送者不符", "source is not the sender"),
    Code.BAD_SIGNATURE: ("签名无效", "bad signature"),
    Code.UNKNOWN_DISTRICT: ("区划代码未知", "unknown district"),
    Code.IMPOSSIBLE_DATE: ("日期不可能", "impossible date"),
    Code.FORGOTTEN: ("已被遗忘的人", "forgotten person"),
}

MENDS: dict[Code, tuple[str, str]] = {
    Code.TOO_LARGE: (
        "每个事件一条消息，不超过 64 KiB。",
        "Send one event a message, of at most 64 KiB.",
    ),
    Code.NOT_JSON: (
        "请发送一个 UTF-8 编码的完整 JSON 对象。",
        "Send one whole JSON object in UTF-8.",
    ),
    Code.PLAIN_IDENTITY: (
        "请在发送前用假名替换身份证号码，见 producers/README。",
        "Replace the identity number by its pseudonym before sending (producers/README).",
    ),
    Code.SCHEMA: (
        "请按 schemas/README 更正字段后重发。",
        "Correct the field as schemas/README says and send the event again.",
    ),
    Code.WRONG_TOPIC: ("请发送到该类事件的主题。", "Send the event to the topic of its kind."),
    Code.UNKNOWN_SOURCE: (
        "请先登记来源：popflow source add 名称 --priority 数字。",
        "Register the source first: popflow source add NAME --priority N.",
    ),
    Code.SOURCE_MISMATCH: (
        "请以自己的来源名称发送。",
        "Send under the source that belongs to the sender.",
    ),
    Code.BAD_SIGNATURE: (
        "请用登记的密钥重新签名后发送。",
        "Sign with the registered key and send the event again.",
    ),
    Code.UNKNOWN_DISTRICT: (
        "请使用 GB/T 2260 代码；可用代码见 schemas/README。",
        "Use a GB/T 2260 code; schemas/README lists the city's.",
    ),
    Code.IMPOSSIBLE_DATE: ("请更正日期后重发。", "Correct the date and send the event again."),
    Code.FORGOTTEN: (
        "此人的记录已依法删除，请停止报送。",
        "This person's records were erased on request: send nothing more about the person.",
    ),
}


@dataclass(frozen=True)
class Refusal:
    """One refused event: the code and what exactly was wrong, without any value of the event.

    Attributes:
        detail_zh: a sentence in Chinese.
        detail: the same in English.
    """

    code: Code
    detail_zh: str
    detail: str

    @property
    def english(self) -> str:
        """What is wrong and how to mend it."""
        return f"{self.detail} {MENDS[self.code][1]}"

    @property
    def chinese(self) -> str:
        """The same in Chinese, with the code's name."""
        return f"{TITLES[self.code][0]}：{self.detail_zh}{MENDS[self.code][0]}"

    @property
    def reason(self) -> str:
        """What is wrong and how to mend it, in English and Chinese."""
        return f"{self.english} {self.chinese}"
