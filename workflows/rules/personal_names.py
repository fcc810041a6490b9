"""Names of people as they are shown (P1)."""

import re
from typing import Final

from workflows.rules.chinese_scripts import in_simplified
from workflows.rules.typed_text import in_one_width


def masked_name(name: str) -> str:
    """``张**``: the surname only, with two stars for however much follows it (P1).

    - A name with a dot in it (买买提·吐尔逊) and one in Latin letters (Zhang San, San Zhang) do not tell which part
      is the surname. Of either the first character is shown, ``买**`` and ``Z**``: less than any surname.
    - Whatever is not known as a name comes out as stars alone: one character (it may be all of the name), a company,
      a nickname, digits, other scripts.
    - What is masked already stays as it is: a surname or a first character, and two stars.
    """
    name = in_one_width(name)
    masked = _MASKED.fullmatch(name)
    if masked and (masked["compound"] is None or in_simplified(masked["compound"]) in COMPOUND_SURNAMES):
        return name
    if _LATIN_NAME.fullmatch(name) or _DOTTED_NAME.fullmatch(name):
        return f"{name[0]}{_STARS}"
    return f"{_surname(''.join(name.split()))}{_STARS}"


def _surname(name: str) -> str:
    """The surname of a Chinese name, or nothing where it is none."""
    if not _CHINESE_NAME.fullmatch(name):
        return ""
    front = in_simplified(name[:2])
    # 欧阳 alone is somebody called 欧 with the given name 阳.
    if len(name) > 2 and front in COMPOUND_SURNAMES:
        return name[:2]
    return name[0] if front[0] in SURNAMES and len(name) <= _LONGEST_AFTER_ONE_CHARACTER else ""


SURNAMES: Final = frozenset(
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方"
    "俞任袁柳酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧尹姚邵湛汪祁毛禹狄米贝明臧"
    "计伏成戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯昝管卢莫"
    "经房裘缪干解应宗丁宣贲邓郁单杭洪包诸左石崔吉钮龚程嵇邢滑裴陆荣翁荀羊惠甄曲家封芮羿储靳汲邴糜松井段富巫乌焦巴弓"
    "牧隗山谷车侯宓蓬全郗班仰秋仲伊宫宁仇栾暴甘钭厉戎祖武符刘景詹束龙叶幸司韶郜黎蓟薄印宿白怀蒲邰从鄂索咸籍赖卓蔺屠蒙"
    "池乔阴胥能苍双闻莘党翟谭贡劳逄姬申扶堵冉宰郦雍郤璩桑桂濮牛寿通边扈燕冀郏浦尚农温别庄晏柴瞿阎充慕连茹习宦艾鱼容向"
    "古易慎戈廖庾终暨居衡步都耿满弘匡国文寇广禄阙东欧殳沃利蔚越夔隆师巩厍聂晁勾敖融冷訾辛阚那简饶空曾毋沙乜养鞠须丰巢"
    "关蒯相查后荆红游竺权逯盖益桓公商牟佘佴伯赏墨哈谯笪年爱阳佟言福岳帅缑亢况郈琴肖闫付尧仝代覃侬冼丘区卿占岩苟兰苑揭"
    "芦练粟辜迟兀操朴户母且郄邸么麦楼涂晋原邝谌迪奉初宾展修栗税禤腾黑蹇隋鹿竹线仉佐俸刀普化杞汝潭盘矫磨禚秘綦英虎贠赫"
    "运郇铁隽青仵仡冶买亓宛尉"
)
"""Surnames of one character, simplified: the Hundred Family Names (百家姓), and those that have become common since.

A traditional one is known by its simplified form: 麥 by 麦, 蕭 by 萧 as well as 肖.
"""

COMPOUND_SURNAMES: Final = frozenset((
    "欧阳", "上官", "皇甫", "令狐", "诸葛", "司徒", "司马", "申屠", "夏侯", "贺兰", "完颜", "慕容",
    "尉迟", "长孙", "宇文", "钟离", "轩辕", "端木", "濮阳", "淳于", "公孙", "鲜于", "闾丘", "太史",
    "南宫", "东方", "西门", "呼延", "澹台", "赫连", "拓跋", "独孤", "万俟", "司空", "司寇", "亓官",
    "闻人", "公冶", "太叔", "仲孙", "漆雕", "公西", "东郭", "第五", "百里", "微生", "纳兰", "叶赫",
    "那拉", "达奚", "羊舌", "公羊", "颛孙", "壤驷", "公良", "子车", "夹谷", "即墨", "归海",
))  # fmt: skip
"""复姓 in use, simplified. Left out are those rarer than their characters as surname and given name, such as 宗政."""

_STARS: Final = "**"
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_LATIN = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_LONGEST_AFTER_ONE_CHARACTER: Final = 4

_MASKED = re.compile(rf"(?:[{_HAN}{_LATIN}]|(?P<compound>[{_HAN}]{{2}}))?\*\*")
_CHINESE_NAME = re.compile(rf"[{_HAN}][{_HAN}*]{{1,4}}")
_DOTTED_NAME = re.compile(rf"[{_HAN}]+(?: ?[·•‧・∙.] ?[{_HAN}]+)+")
_LATIN_NAME = re.compile(rf"[{_LATIN}](?:[ '’.,-]*[{_LATIN}])+[.]?")
