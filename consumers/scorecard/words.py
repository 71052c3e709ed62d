"""What the scorecard says, in Chinese and English: every word a reader sees comes from here."""

from __future__ import annotations

from typing import Literal

from pipeline.catalogue.targets import COMPARATORS, Target
from pipeline.catalogue.vocabulary import BASES, NOTES, REASONS, UNITS, WINDOWS
from schemas.districts import CITY, DISTRICTS

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
Pair = tuple[str, str]
"""中文, English."""

WORDS: dict[str, Pair] = {
    "title": ("人口发展规划计分卡", "Scorecard of the population plan"),
    "plan": (
        "目标：苏府办〔2017〕33号，2015年至2020年",
        "Targets: 苏府办〔2017〕33号, 2015 to 2020",
    ),
    "as_of": ("截至", "as of"),
    "known_on": ("按当日所知", "as known on"),
    "all_known": ("按现有全部数据", "all that is known"),
    "simulated": ("模拟数据，并非真实人口", "simulated data, nobody in it is real"),
    "indicator": ("指标", "indicator"),
    "start": ("2015年", "2015"),
    "target": ("2020年目标", "target 2020"),
    "present": ("现值（95%区间）", "present (95 % interval)"),
    "trend": ("趋势（每年）", "trend (a year)"),
    "verdict": ("结论", "verdict"),
    "outlook": ("中期评估", "mid-term evaluation"),
    "status": ("状态", "status"),
    "completeness": ("完整度", "completeness"),
    "window": ("窗口", "window"),
    "base": ("口径", "base"),
    "unit": ("单位", "unit"),
    "needed": ("仍需每年", "still needed a year"),
    "nothing_needed": ("保持即可", "hold it"),
    "projected": ("按趋势到2020年末", "at this trend by the end of 2020"),
    "notes": ("说明", "Notes"),
    "limit": ("目标线", "limit"),
    "no_trend": ("尚无趋势", "no trend yet"),
    "numerator": ("分子", "numerator"),
    "denominator": ("分母", "denominator"),
    "value": ("值", "value"),
    "low": ("下限", "low"),
    "high": ("上限", "high"),
    "day": ("截止日", "last day"),
    "used": ("用于趋势", "in the slope"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "why": ("理由", "why"),
    "from": ("来自 popflow", "from popflow"),
}
OUTCOMES: dict[str, Pair] = {
    "met": ("达到", "met"),
    "not_met": ("未达到", "not met"),
    "cannot_tell": ("尚不能判断", "cannot tell yet"),
    "watched": ("仅关注", "watched"),
}
COURSES: dict[str, Pair] = {
    "on_course": ("按趋势可达", "on course"),
    "off_course": ("按趋势不可达", "not on course"),
    "cannot_tell": ("尚不能判断", "cannot tell yet"),
    "over": ("规划期已满", "the plan is over"),
    "watched": ("无目标", "no target"),
}
WHYS: dict[str, Pair] = {
    "inside": ("全部在目标之内", "all of it within the target"),
    "below": ("全部低于目标", "all of it below the target"),
    "above": ("全部高于目标", "all of it above the target"),
    "straddles": ("区间跨过目标线", "the interval straddles the limit"),
    "incomplete": ("未报事件可能改变结论", "what is not yet reported could change it"),
    "approaching": ("在目标之外，但正在靠近", "outside, but moving towards it"),
    "no_target": ("规划未设目标", "the plan sets no target"),
    "of_the_city": ("目标只针对全市", "the target is the whole city's"),
    "unreliable": NOTES["unknown_sex"],
    "no_value": ("没有数值", "there is no value"),
    **REASONS,
}
STATUSES: dict[str, Pair] = {
    "provisional": ("初步", "provisional"),
    "final": ("最终", "final"),
    "revised": ("已修订", "revised"),
}
DIRECTIONS: dict[str, Pair] = {
    "up": ("上升", "rising"),
    "down": ("下降", "falling"),
    "level": ("无明显变化", "no clear change"),
}
TARGET_NOTES: dict[str, Pair] = {
    "natural_growth_rate": (
        "与出生率目标不能同时起约束：死亡率为6.88‰时，自然增长率≤4‰即要求出生率≤10.88‰",
        (
            "cannot bind together with the birth rate: at a death rate of 6.88 ‰ growth of at most"
            " 4 ‰ means at most 10.88 births per thousand"
        ),
    ),
    "maternal_mortality_ratio": (
        "每年65,846例活产时，目标值相当于3.3例死亡：区间必然很宽",
        "3.3 expected deaths a year at 65,846 births: the interval is wide by nature",
    ),
    "sex_ratio_at_birth": ("规划只说“趋于正常”", "the plan says “towards normal” only"),
    "share_60_plus": (
        "15.44%为常住人口口径；流动人口年龄未知，此处为户籍人口",
        "15.44 % is of residents; ages of migrants are not known, ours is of the registered",
    ),
}
"""What has to be known beside a target."""
CONTRADICTION: Pair = (
    (
        "规划自相矛盾：按现有死亡率{death}‰，自然增长率≤4‰只允许出生率≤{births}‰，"
        "“出生率≤14‰”因此{binds}起约束作用。"
    ),
    (
        "The plan contradicts itself: at the present death rate of {death} ‰, natural growth of at"
        " most 4 ‰ allows at most {births} births per thousand, so the limit of 14 {binds}."
    ),
)
BINDS: dict[bool, Pair] = {True: ("才", "does bind"), False: ("不", "never binds")}
RULES: tuple[Pair, ...] = (
    (
        "达到、未达到：整个95%区间（连同尚未报告部分的余地）都在目标线一侧；否则尚不能判断。",
        (
            "Met, not met: the whole 95 % interval, with room for what is not reported yet, lies on"
            " one side of the limit; else nobody can tell yet."
        ),
    ),
    (
        "“约”：与目标值相差不超过5%，且不超过2015年到目标值距离的四分之一。",
        "About: within 5 % of the figure and a quarter of the way from the figure of 2015.",
    ),
    (
        "趋势：互不重叠的364天窗口（存量取当日）的最小二乘斜率；区间只含计数的随机误差。",
        (
            "Trend: least squares over windows of 364 days that do not overlap (stocks: the day);"
            " its interval holds the chance in the counts only."
        ),
    ),
    (
        "年度窗口在12月31日之前为年初至今、折算为全年。",
        "Before 31 December the calendar year is the year to date, annualised.",
    ),
    (
        "流动人口服务管理率没有公开的官方公式：在管人数÷各来源已知的流动人口。",
        (
            "There is no official formula of the management rate in public text: migrants managed ÷"
            " migrants known from any source."
        ),
    ),
)


def say(pair: Pair, language: Language) -> str:
    """One language of a pair."""
    return pair[LANGUAGES.index(language)]


def word(key: str, language: Language) -> str:
    """One of :data:`WORDS`."""
    return say(WORDS[key], language)


def place(district: str, language: Language) -> str:
    """Name of a district or of the city."""
    if district == CITY:
        return say(("苏州市", "Suzhou"), language)
    named = next(each for each in DISTRICTS if each.code == district)
    return say((named.name_zh, named.name_en), language)


def unit(name: str, language: Language) -> str:
    """A unit as it stands behind a number."""
    _, chinese, english = UNITS[name]
    return say((chinese, english), language)


def window(name: str, language: Language) -> str:
    """What a window is called."""
    return say(WINDOWS[name], language)


def base(name: str, language: Language) -> str:
    """Whose counts they are."""
    return say(BASES[name], language)


def aim(target: Target, language: Language) -> str:
    """What the plan asks, without the unit: ``≤ 14``, ``≈ 1.6``, ``趋于 103–107``."""
    if target.low is None or target.high is None:
        return say(COMPARATORS[target.comparator], language)
    sign = {"<=": "≤", ">=": "≥", "~=": "≈"}.get(target.comparator)
    ends = dict.fromkeys(f"{float(end):,.12g}" for end in (target.low, target.high))
    ends_shown = "–".join(ends)
    if sign:
        return f"{sign}\u00a0{ends_shown}"
    return f"{say(COMPARATORS[target.comparator], language)} {ends_shown}"


def start(target: Target) -> str:
    """The figure of 2015 as the plan prints it."""
    plain = target.baseline.replace("<=", "≤ ").replace(">=", "≥ ").replace(">", "> ")
    plain = plain.replace("<", "< ")
    return f"{int(plain):,}" if plain.isdigit() else plain or "–"
