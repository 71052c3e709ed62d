"""What can be wrong with a cell: a closed list, each with its way out, in both languages."""

from enum import Enum
from typing import NamedTuple

_DAY = "write it like 2016-03-05, 2016/3/5, 20160305 or 2016年3月5日"
_DAY_ZH = "请写成 2016-03-05、2016/3/5、20160305 或 2016年3月5日"
_TEXT = "format the column as text and enter the numbers again"
_TEXT_ZH = "请把该列设为文本格式后重新录入"


class _Words(NamedTuple):
    english: str
    mend: str
    chinese: str
    mend_zh: str


class Problem(Enum):
    """One thing that can be wrong; ``{}`` stands for what exists instead, never for the cell."""

    EMPTY = _Words("is empty", "every row needs it", "为空", "此项必填")
    EMPTY_PART = _Words(
        "has an empty part",
        "each part belongs to the record number",
        "有一部分为空",
        "各部分均必填",
    )
    NO_DATE = _Words("is no date", _DAY, "不是日期", _DAY_ZH)
    NO_DAY = _Words("names a month and no day", _DAY, "只有年月没有日", _DAY_ZH)
    DAY_FIRST = _Words(
        "has a year of two digits, or begins with the day",
        _DAY,
        "年份不是四位或未写在最前",
        _DAY_ZH,
    )
    NO_SUCH_DAY = _Words(
        "is a day or a time that does not exist", "correct it", "日期或时间不存在", "请更正"
    )
    NO_OFFSET = _Words(
        "has an offset from UTC that does not exist", "correct it", "时区偏移不存在", "请更正"
    )
    NO_WHOLE = _Words("is no whole number", "write digits only", "不是整数", "请只写数字")
    NO_AMOUNT = _Words(
        "is no amount in yuan", "write it like 8123.50", "不是以元计的金额", "请写成 8123.50"
    )
    PART_OF_FEN = _Words(
        "has parts of a fen", "write two decimals at most", "小数超过两位", "最多两位小数"
    )
    NO_WEEKS = _Words(
        "is no number of weeks", "write it like 39 or 39+2", "不是孕周", "请写成 39 或 39+2"
    )
    NO_NUMBER = _Words("is no number", "correct it", "不是数", "请更正")
    DIGITS_LOST = _Words(
        "is a number whose last digits the spreadsheet has dropped",
        _TEXT,
        "号码的末几位已被电子表格舍去",
        _TEXT_ZH,
    )
    BYTES = _Words(
        "holds bytes, not text", "have the view convert it", "是二进制数据", "请在视图中转换为文本"
    )
    DAMAGED = _Words(
        "shows an error of the spreadsheet", "mend the formula there", "公式出错", "请更正公式"
    )
    NESTED = _Words(
        "holds a list or an object", "one value belongs in a cell", "含多个值", "一格只放一个值"
    )
    NO_CODE = _Words(
        "is none of {}",
        "correct it, or add its spelling to the mapping",
        "不在代码表中",
        "请更正，或在映射文件中补充写法",
    )
    IDENTITY = _Words(
        "holds an identity number",
        "leave it out of the mapping, or have the number removed",
        "含身份证号码",
        "请勿映射该列，或先去掉号码",
    )
    NO_DOMAIN = _Words(
        "is of a kind that the column {} does not say in the words of the table document",
        "correct that column",
        "的证件类别（{}列）不在代码表 document 中",
        "请更正该列",
    )


class CellError(ValueError):
    """A cell that cannot be read; says why and how to mend it, not what it held."""

    def __init__(self, problem: Problem, instead: str = "") -> None:
        words = problem.value
        self.problem = problem
        self.english = words.english.format(instead)
        self.chinese = words.chinese.format(instead)
        self.mend = f"{words.mend[:1].upper()}{words.mend[1:]}. {words.mend_zh}。"
        super().__init__(f"{self.english}: {words.mend}")
