"""Districts of the city, their earlier codes, and which outside codes can be real (GB/T 2260).

Changes: 沧浪 320502, 平江 320503 and 金阊 320504 became 姑苏 320508 and 吴江市 320584 became
吴江区 320509 on 2012-09-01 (国函〔2012〕102号). The industrial park has no code in GB/T 2260;
publishers use 320571 or 320576 for it.
"""

from dataclasses import dataclass
from datetime import date

CITY = "320500"
"""The whole city, in readings; never the district of an event."""
NOWHERE = "000000"
"""Unknown or abroad; only the ends of a move may be there."""
CITY_PREFIX = "3205"
MERGED_ON = date(2012, 9, 1)


@dataclass(frozen=True)
class District:
    """One code, the name it goes by, and the present-day code it is counted under."""

    code: str
    name_zh: str
    name_en: str
    counted_as: str
    valid_from: date | None = None
    valid_to: date | None = None


DISTRICTS = (
    District("320505", "虎丘区（高新区）", "Huqiu (SND)", "320505"),
    District("320506", "吴中区", "Wuzhong", "320506"),
    District("320507", "相城区", "Xiangcheng", "320507"),
    District("320508", "姑苏区", "Gusu", "320508", valid_from=MERGED_ON),
    District("320509", "吴江区", "Wujiang", "320509", valid_from=MERGED_ON),
    District("320571", "苏州工业园区", "Suzhou Industrial Park", "320571"),
    District("320581", "常熟市", "Changshu", "320581"),
    District("320582", "张家港市", "Zhangjiagang", "320582"),
    District("320583", "昆山市", "Kunshan", "320583"),
    District("320585", "太仓市", "Taicang", "320585"),
    District("320502", "沧浪区", "Canglang", "320508", valid_to=MERGED_ON),
    District("320503", "平江区", "Pingjiang", "320508", valid_to=MERGED_ON),
    District("320504", "金阊区", "Jinchang", "320508", valid_to=MERGED_ON),
    District("320584", "吴江市", "Wujiang (county-level city)", "320509", valid_to=MERGED_ON),
    District("320576", "苏州工业园区", "Suzhou Industrial Park", "320571"),
)

COUNTED_AS = {district.code: district.counted_as for district in DISTRICTS}
"""Present-day code of every code of the city, at any date."""

INSIDE = frozenset(COUNTED_AS.values())
"""The ten districts, present-day codes."""

PROVINCES = frozenset(
    f"{region}{number}"
    for region, provinces in {1: 5, 2: 3, 3: 7, 4: 6, 5: 4, 6: 5, 7: 1, 8: 2}.items()
    for number in range(0 if region == 5 else 1, provinces + 1)
)
"""First two digits of every province-level code of GB/T 2260."""


def is_known(code: str) -> bool:
    """Whether a code can be somebody's residence: inside, or outside with a real province."""
    if code in COUNTED_AS:
        return True
    return code[:2] in PROVINCES and not code.startswith(CITY_PREFIX)


def counted_as(code: str) -> str:
    """Present-day code; a code outside the city stays what it is."""
    return COUNTED_AS.get(code, code)
