"""Chapters of ICD-10 (WHO, 10th revision; GB/T 14396-2016), by the first three characters."""

from functools import cache
from typing import NamedTuple

UNKNOWN = "unknown"


class Chapter(NamedTuple):
    """One chapter: Roman numeral, first and last three-character category, both names."""

    numeral: str
    first: str
    last: str
    name_zh: str
    name_en: str


CHAPTERS = (
    Chapter("I", "A00", "B99", "某些传染病和寄生虫病", "Infectious and parasitic diseases"),
    Chapter("II", "C00", "D48", "肿瘤", "Neoplasms"),
    Chapter("III", "D50", "D89", "血液及造血器官疾病和免疫疾病", "Blood and immune diseases"),
    Chapter("IV", "E00", "E90", "内分泌、营养和代谢疾病", "Endocrine and metabolic diseases"),
    Chapter("V", "F00", "F99", "精神和行为障碍", "Mental and behavioural disorders"),
    Chapter("VI", "G00", "G99", "神经系统疾病", "Diseases of the nervous system"),
    Chapter("VII", "H00", "H59", "眼和附器疾病", "Diseases of the eye"),
    Chapter("VIII", "H60", "H95", "耳和乳突疾病", "Diseases of the ear"),
    Chapter("IX", "I00", "I99", "循环系统疾病", "Diseases of the circulatory system"),
    Chapter("X", "J00", "J99", "呼吸系统疾病", "Diseases of the respiratory system"),
    Chapter("XI", "K00", "K93", "消化系统疾病", "Diseases of the digestive system"),
    Chapter("XII", "L00", "L99", "皮肤和皮下组织疾病", "Diseases of the skin"),
    Chapter("XIII", "M00", "M99", "肌肉骨骼系统疾病", "Musculoskeletal diseases"),
    Chapter("XIV", "N00", "N99", "泌尿生殖系统疾病", "Genitourinary diseases"),
    Chapter("XV", "O00", "O99", "妊娠、分娩和产褥期", "Pregnancy, childbirth, puerperium"),
    Chapter("XVI", "P00", "P96", "起源于围生期的情况", "Perinatal conditions"),
    Chapter("XVII", "Q00", "Q99", "先天性畸形和染色体异常", "Congenital malformations"),
    Chapter("XVIII", "R00", "R99", "症状、体征和检验异常", "Symptoms and abnormal findings"),
    Chapter("XIX", "S00", "T98", "损伤、中毒和外因的后果", "Injury and poisoning"),
    Chapter("XX", "V01", "Y98", "疾病和死亡的外因", "External causes"),
    Chapter("XXI", "Z00", "Z99", "影响健康状态的因素", "Factors influencing health status"),
    Chapter("XXII", "U00", "U99", "特殊目的编码", "Codes for special purposes"),
)


@cache
def _chapter(category: str) -> str:
    for chapter in CHAPTERS:
        if chapter.first <= category <= chapter.last:
            return chapter.numeral
    return UNKNOWN


def chapter(code: str) -> str:
    """Roman numeral of the chapter of a code, ``unknown`` in the gaps between chapters."""
    return _chapter(code[:3])


def is_delivery(code: str) -> bool:
    """Whether a diagnosis says that a child was delivered: Z37 or O80–O84."""
    category = code[:3]
    return category == "Z37" or "O80" <= category <= "O84"
