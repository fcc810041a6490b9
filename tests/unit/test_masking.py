"""What is shown of a person's data, on which surface and to whom (P1)."""

import re
from collections.abc import Callable
from importlib import resources
from typing import cast

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from workflows.messages.actors import Role
from workflows.messages.addresses import Region
from workflows.messages.surfaces import Field, Surface
from workflows.rules.bank_accounts import masked_account
from workflows.rules.masking import MASKS, shown
from workflows.rules.personal_names import COMPOUND_SURNAMES, SURNAMES, masked_name
from workflows.rules.phone_numbers import masked_phone
from workflows.rules.postal_addresses import masked_address, masked_region

FULL = {
    Field.NAME: "张三丰",
    Field.PHONE: "13812345678",
    Field.ADDRESS: "广东省广州市天河区中山大道西12号",
    Field.ACCOUNT_NUMBER: "6222020200001234567",
    Field.ACCOUNT_NAME: "欧阳娜娜",
}
MASKED = {
    Field.NAME: "张**",
    Field.PHONE: "1******5678",
    Field.ADDRESS: "广东省广州市天河区****",
    Field.ACCOUNT_NUMBER: "****4567",
    Field.ACCOUNT_NAME: "欧阳**",
}

# P1 as a reader may check it: "-" is masked. Whatever has no line here is masked.
PHONE_REAL, PHONE_MASKED, ALL_MASKED = "name phone address", "name - address", "- - -"
TABLE = {
    (Surface.DEFAULT, Role.BUYER): ALL_MASKED,
    (Surface.DEFAULT, Role.MERCHANT): ALL_MASKED,
    (Surface.ORDER_CHECK, Role.BUYER): PHONE_REAL,
    (Surface.ORDER_CHECK, Role.MERCHANT): ALL_MASKED,
    (Surface.ADDRESS_CHECK, Role.BUYER): PHONE_MASKED,
    (Surface.ADDRESS_CHECK, Role.MERCHANT): PHONE_MASKED,
    (Surface.SEND_USER, Role.BUYER): PHONE_MASKED,
    (Surface.SEND_USER, Role.MERCHANT): PHONE_MASKED,
    (Surface.INVOICE, Role.BUYER): ALL_MASKED,
    (Surface.INVOICE, Role.MERCHANT): ALL_MASKED,
    (Surface.WAYBILL, Role.BUYER): PHONE_REAL,
    (Surface.WAYBILL, Role.MERCHANT): PHONE_REAL,
    (Surface.WAYBILL, Role.CARRIER): PHONE_REAL,
}


@pytest.mark.parametrize("surface", Surface)
@pytest.mark.parametrize("viewer", Role)
def test_every_surface_shows_each_viewer_what_the_table_says(surface: Surface, viewer: Role) -> None:
    in_full = TABLE.get((surface, viewer), ALL_MASKED).split()

    seen = {field: shown(surface, viewer, field, FULL[field]) for field in Field}

    assert seen == {field: FULL[field] if field in in_full else MASKED[field] for field in Field}


def test_a_surface_without_a_line_masks_everything() -> None:
    coming = cast("Surface", "coming_surface")

    assert {field: shown(coming, Role.BUYER, field, FULL[field]) for field in Field} == MASKED


han = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)
any_text = st.text() | st.text(
    st.sampled_from("张欧阳司马·*＊ A’.-+()0123456789１２转#北京市朝阳区路\u200b"), max_size=30
)


class TestNames:
    @given(surname=st.sampled_from(sorted(SURNAMES)), given_name=st.text(han, min_size=1, max_size=3))
    def test_of_a_name_nothing_but_the_surname_is_shown(self, surname: str, given_name: str) -> None:
        assume(len(given_name) == 1 or surname + given_name[0] not in COMPOUND_SURNAMES)

        assert masked_name(surname + given_name) == f"{surname}**"

    @given(surname=st.sampled_from(sorted(COMPOUND_SURNAMES)), given_name=st.text(han, min_size=1, max_size=3))
    def test_a_compound_surname_is_shown_whole(self, surname: str, given_name: str) -> None:
        assert masked_name(surname + given_name) == f"{surname}**"

    @given(st.lists(st.text(han, min_size=2, max_size=6), min_size=2, max_size=3), st.sampled_from("·•・"))
    def test_of_a_name_with_a_dot_one_character_is_shown(self, parts: list[str], dot: str) -> None:
        assert masked_name(dot.join(parts)) == f"{parts[0][0]}**"

    @given(st.from_regex("[A-Z][a-z]{0,9}(?: [A-Z][a-z]{1,9}){1,2}", fullmatch=True))
    def test_of_a_latin_name_one_letter_is_shown(self, name: str) -> None:
        assert masked_name(name) == f"{name[0]}**"

    @given(any_text)
    def test_of_any_text_no_more_than_a_surname_or_one_letter_is_shown(self, text: str) -> None:
        front = masked_name(text).removesuffix("**")

        assert front in COMPOUND_SURNAMES or front == "" or (len(front) == 1 and front.isalpha())

    @given(st.text(han, min_size=6) | han)
    def test_what_is_too_long_or_too_short_for_a_name_is_hidden(self, text: str) -> None:
        assert masked_name(text) == "**"

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("张三", "张**"),
            ("张三丰", "张**"),
            ("张 三", "张**"),
            ("张\u200b三", "张**"),
            ("张三先生", "张**"),
            ("張三", "張**"),
            ("麥家琪", "麥**"),
            ("歐志明", "歐**"),
            ("歐陽娜娜", "歐陽**"),
            ("歐陽**", "歐陽**"),
            ("欧阳娜娜", "欧阳**"),
            ("欧阳", "欧**"),
            ("宗政伟", "宗**"),
            ("司马", "司**"),
            ("阿卜杜拉·买买提", "阿**"),
            ("买买提·吐尔逊", "买**"),
            ("John Smith", "J**"),
            ("ZHANG San", "Z**"),
            ("Ｊａｎｅ Ｏ’Ｎｅｉｌ", "J**"),
            ("张", "**"),
            ("J", "**"),
            ("小明", "**"),
            ("张13812345678", "**"),
            ("张三😀", "**"),
            ("÷A", "**"),
            ("张三小吃店", "**"),
            ("广州某某科技有限公司", "**"),
            ("jane@example.com", "**"),
            ("Иван Петров", "**"),
            ("😀", "**"),
            ("", "**"),
            (" ", "**"),
        ],
    )
    def test_examples(self, name: str, expected: str) -> None:
        assert masked_name(name) == expected


digit = st.sampled_from("0123456789")


def _digits(start: str, count: int) -> st.SearchStrategy[str]:
    return st.text(digit, min_size=count, max_size=count).map(lambda rest: start + rest)


mobile = st.sampled_from("3456789").flatmap(lambda second: _digits(f"1{second}", 9))
landline = (
    st.sampled_from(["010", "020", "029"]).flatmap(lambda area: _digits(area, 8))
    | st.sampled_from(["0311", "0755", "0991"]).flatmap(lambda area: _digits(area, 7))
    | st.sampled_from(["0311", "0755", "0991"]).flatmap(lambda area: _digits(area, 8))
)
service = _digits("400", 7)
neighbours = _digits("852", 8) | _digits("853", 8) | _digits("8869", 8)
home_country = st.sampled_from(["", "+86", "0086", "86", "+86 ", "+86-", "(+86)", "86 "])
country = st.sampled_from(["", "+", "00"])
between = st.sampled_from(["", "", "", " ", "-", ".", " - "])
extension = st.sampled_from(
    ["", "转123", " 分机 8", " ext. 12", "x12", "#1234", ",1234#", "[1234]", "(1234)", "分機 8", "（转123）"]
)


@st.composite
def phones(draw: st.DrawFn) -> tuple[str, str]:
    """A phone as somebody may write it, and its digits as they count for P1."""
    if draw(st.booleans()):
        number, prefix = draw(mobile | landline | service), draw(home_country)
    else:
        number, prefix = draw(neighbours), draw(country)
    # The code of a place is written in one piece.
    grouped = number[:4] + "".join(draw(between) + each for each in number[4:])
    typed = prefix + grouped + draw(extension)
    if draw(st.booleans()):
        typed = "".join(chr(ord(each) + 0xFEE0) if each.isdigit() else each for each in typed)
    return typed, number


@pytest.mark.parametrize(
    ("region", "country", "shown_as"),
    [
        (("Berlin", "Berlin", "Mitte"), "DE", "Berlin****"),
        (("Baden-Württemberg", "Freiburg im Breisgau", None), "DE", "Baden-Württemberg****"),
        (("Brandenburg", "Frankfurt (Oder)", None), "DE", "Brandenburg****"),
        (("Invalidenstraße", "Berlin", None), "DE", "****"),
        (("11", "11000", None), "DE", "****"),  # the code of Berlin; in China it is Beijing's
        (("Wien", "Wien", "Leopoldstadt"), "AT", "****"),
        (("广东省", "广州市", "天河区"), "CN", "广东省广州市天河区****"),
        (("11", "01", None), None, "北京市****"),
    ],
)
def test_of_an_address_abroad_no_more_than_the_province_is_shown(
    region: tuple[str, str, str | None], country: str | None, shown_as: str
) -> None:  # P1, G6
    province, city, district = region

    assert masked_region(Region(province=province, city=city, district=district), country) == shown_as


@pytest.mark.parametrize(
    "address",
    [
        "Invalidenstraße 117, 10115 Berlin",
        "10115 Berlin, Invalidenstr. 117",
        "110101 Berlin",
        "An der Alster 3/4, 20099 Hamburg",
        "Straße des 17. Juni 135",
    ],
)
def test_of_a_german_address_nothing_is_shown_that_could_be_a_street(address: str) -> None:  # P1, G6
    assert masked_address(address) == "****"


class TestPhones:
    @given(phones())
    def test_the_first_digit_and_the_last_four_are_shown(self, phone: tuple[str, str]) -> None:
        typed, number = phone

        assert masked_phone(typed) == f"{number[0]}******{number[-4:]}"

    @given(mobile, _digits("", 4), st.sampled_from(["-", "转", " ext ", ","]))
    @example("17900100001", "0000", "-")
    def test_of_a_virtual_number_the_extension_is_hidden(self, number: str, more: str, lead: str) -> None:
        assert masked_phone(f"{number}{lead}{more}") == f"1******{number[-4:]}"

    @given(st.text(st.sampled_from("0123456789 -+()"), max_size=14))
    def test_what_is_too_short_to_hide_anything_is_hidden_whole(self, text: str) -> None:
        assume(sum(each.isdigit() for each in text) < 9)

        assert masked_phone(text) == "******"

    @given(any_text | phones().map(lambda phone: phone[0] + phone[0]))
    def test_of_any_text_no_more_than_five_digits_are_shown(self, text: str) -> None:
        assert re.fullmatch(r"\*{6}|[0-9]\*{6}[0-9]{4}", masked_phone(text))

    @pytest.mark.parametrize(
        ("phone", "expected"),
        [
            ("13812345678", "1******5678"),
            ("+86 138-1234-5678", "1******5678"),
            ("020-12345678", "0******5678"),
            ("(020) 87654321", "0******4321"),
            ("0571-8888777-123", "0******8777"),
            ("0571-88887777转12", "0******7777"),
            ("17012345678-1234", "1******5678"),
            ("400-123-4567", "4******4567"),
            ("+852 9123 4567", "8******4567"),
            ("+853 6612 3456", "8******3456"),
            ("+886 912 345 678", "8******5678"),
            ("+1 415 555 2671", "1******2671"),
            # The number's own first digit, not its country's: +86 is what everybody here has.
            ("+86 20 8765 4321", "2******4321"),
            ("+86-10-12345678", "1******5678"),
            ("+86 (0)10 12345678", "0******5678"),
            ("86 138 1234 5678", "1******5678"),
            ("(+86)13812345678", "1******5678"),
            ("tel:13812345678", "1******5678"),
            ("13812345678[1234]", "1******5678"),
            ("13812345678(1234)", "1******5678"),
            ("0912-345-678", "0******5678"),
            ("\u202d13812345678\u202c", "1******5678"),
            ("138－1234－5678", "1******5678"),
            ("138\u20111234\u20115678", "1******5678"),
            ("138−1234−5678", "1******5678"),
            ("138/1234/5678", "1******5678"),
            ("9123 4567", "******"),
            ("852 9123", "******"),
            ("95588", "******"),
            ("138123456789", "******"),
            ("170123456781234", "******"),
            ("13812345678 13912345678", "******"),
            ("138****5678", "******"),
            ("王先生13812345678", "******"),
            ("", "******"),
        ],
    )
    def test_examples(self, phone: str, expected: str) -> None:
        assert masked_phone(phone) == expected


def _listed() -> dict[tuple[str, ...], str]:
    """The divisions of the list, each by the names down to it, with its code."""
    listed: dict[tuple[str, ...], str] = {}
    above: tuple[str, ...] = ()
    text = resources.files("workflows.rules").joinpath("divisions.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            depth = (len(line) - len(line.lstrip(" "))) // 2
            code, name, *_ = line.split()
            above = (*above[:depth], name)
            listed[above] = code
    return listed


DIVISIONS = _listed()
SHORT_FORMS = {name[:-1] for path in DIVISIONS for name in path if len(name) < 6}
paths = st.sampled_from(sorted(DIVISIONS))
streets = st.builds(
    "{}{}{}".format,
    st.sampled_from(sorted(SHORT_FORMS)),
    st.sampled_from(["路", "街", "北路", "大道", "小区", "新村", "花园", "市场", "商场区", "公寓"]),
    st.text(st.sampled_from("0123456789号楼栋单元室 -A区张三"), max_size=12),
)


class TestAddresses:
    @given(path=paths, street=streets, separator=st.sampled_from(["", " ", "，", "-", "/"]))
    def test_the_region_is_shown_and_nothing_of_the_street(
        self, path: tuple[str, ...], street: str, separator: str
    ) -> None:
        # 九龙 is a name in full, and 九龙坡路 begins with it.
        assume(path not in {("香港特别行政区",), ("澳门特别行政区",)})

        assert masked_address(separator.join((*path, street))) == f"{''.join(path)}****"

    @example("沙县路")  # a county until it became a district
    @given(streets)
    def test_a_street_alone_is_hidden(self, street: str) -> None:
        assert masked_address(street) == "****"

    @given(any_text | st.lists(st.sampled_from(sorted({n for path in DIVISIONS for n in path}))).map("".join))
    def test_of_any_text_no_more_than_a_division_of_the_list_is_shown(self, text: str) -> None:
        masked = masked_address(text)

        assert masked == "****" or masked in EVERY_MASK

    def test_every_division_of_the_list_is_known_by_its_names_and_by_its_code(self) -> None:
        for path, code in DIVISIONS.items():
            expected = f"{''.join(path)}****"
            assert masked_address("".join(path)) == expected
            assert masked_address(expected) == expected
            province, city, district = [*path, *[path[-1]] * 2][:3]
            assert masked_region(Region(province=province, city=city, district=district)) == expected
            if code != "-":
                assert masked_region(Region(province=code[:2], city=code)) == expected

    def test_the_list_is_whole(self) -> None:
        levels = [sum(len(path) == level for path in DIVISIONS) for level in (1, 2, 3)]
        codes = [code for code in DIVISIONS.values() if code != "-"]

        assert levels[0] == 34
        assert levels[1] > 450
        assert levels[2] > 2900
        assert len(codes) == len(set(codes)) == 3212
        for path, code in DIVISIONS.items():
            assert code == "-" or code.startswith(DIVISIONS[path[:1]][:2])

    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("广东省广州市天河区中山大道西12号", "广东省广州市天河区"),
            ("中国广东省深圳市南山区科技园", "广东省深圳市南山区"),
            ("广东 广州 天河区 体育西路", "广东省广州市天河区"),
            # Municipalities, and the ways in which lists fill the missing level.
            ("北京朝阳区建国路88号", "北京市朝阳区"),
            ("北京市北京市朝阳区三里屯", "北京市朝阳区"),
            ("北京市 市辖区 东城区 王府井", "北京市东城区"),
            ("上海上海市浦东新区世纪大道", "上海市浦东新区"),
            ("重庆市县城口县葛城街道", "重庆市城口县"),
            # Autonomous regions, prefectures, counties; leagues and banners.
            ("广西南宁市青秀区", "广西壮族自治区南宁市青秀区"),
            ("新疆维吾尔自治区昌吉回族自治州昌吉市延安路", "新疆维吾尔自治区昌吉回族自治州昌吉市"),
            ("湖北恩施州利川市", "湖北省恩施土家族苗族自治州利川市"),
            ("宜昌市长阳县龙舟坪镇", "湖北省宜昌市长阳土家族自治县"),
            ("内蒙古锡林郭勒盟正蓝旗上都镇", "内蒙古自治区锡林郭勒盟正蓝旗"),
            ("内蒙古鄂伦春旗", "内蒙古自治区呼伦贝尔市鄂伦春自治旗"),
            # Counties below a province, cities without districts, a level left out.
            ("湖北省仙桃市干河", "湖北省仙桃市"),
            ("湖北省省直辖县级行政区划天门市", "湖北省天门市"),
            ("新疆石河子市北四路", "新疆维吾尔自治区石河子市"),
            ("广东省东莞市长安镇", "广东省东莞市"),
            ("中山市古镇", "广东省中山市"),
            ("海南省儋州市那大镇", "海南省儋州市"),
            ("甘肃嘉峪关市新华街", "甘肃省嘉峪关市"),
            ("浙江义乌市北苑街道", "浙江省金华市义乌市"),
            ("义乌市北苑街道", "浙江省金华市义乌市"),
            # Hong Kong, Macao, Taiwan.
            ("香港九龙尖沙咀", "香港特别行政区九龙"),
            ("香港特别行政区观塘区", "香港特别行政区九龙观塘区"),
            ("香港九龙城区", "香港特别行政区九龙九龙城区"),
            ("澳门氹仔", "澳门特别行政区氹仔"),
            ("台湾台北市大安区", "台湾省台北市大安区"),
            # Names that two divisions have.
            ("吉林省吉林市昌邑区", "吉林省吉林市昌邑区"),
            ("吉林吉林昌邑区", "吉林省吉林市昌邑区"),
            ("青海海南州共和县", "青海省海南藏族自治州共和县"),
            ("江苏省鼓楼区中山路", "江苏省"),
            ("朝阳区建国路", ""),
            ("东区1号", ""),
            # Streets and estates that bear the name of a division.
            ("广东省中山路12号", "广东省"),
            ("广东省广州市朝阳路小区", "广东省广州市"),
            ("吉林省吉林市场街", "吉林省"),
            ("河北路12号", ""),
            ("上海南京路100号", ""),
            ("香港中路10号", ""),
            ("北京朝阳路小区", ""),
            ("湖滨区花园", ""),
            # Words before it, short forms before a town, and what is called a short form and is a street.
            ("收货地址：广东省深圳市南山区科苑路1号", "广东省深圳市南山区"),
            ("地址: 中国 广东省深圳市南山区", "广东省深圳市南山区"),
            ("收货地址：", ""),
            ("广东东莞长安镇霄边1号", "广东东莞"),
            ("江苏昆山张浦镇1号", "江苏昆山"),
            ("广东中山北路街道1号", ""),
            ("广东中山路12号", ""),
            # Traditional characters, as they are written.
            ("臺北市大安區和平東路1號", "臺北市大安區"),
            ("收貨地址：廣東省深圳市南山區科苑路", "廣東省深圳市南山區"),
            ("廣東東莞長安鎮霄邊1號", "廣東東莞"),
            ("中山北路一段", ""),
            # Abolished, set up since, and both of one name.
            ("重庆市渝北区龙溪街道1号", "重庆市渝北区"),
            ("新疆岑岭县1号", "新疆维吾尔自治区喀什地区岑岭县"),
            ("山东省莱芜市莱城区凤城街道", "山东省莱芜市莱城区"),
            ("山东省钢城区", "山东省济南市钢城区"),
            ("陕西乾县城关镇", "陕西省咸阳市乾县"),
            # A division of another province, one that is not on the list, no address at all.
            ("广东省长沙市岳麓区", "广东省"),
            ("广东省广州市高新区", "广东省广州市"),
            ("张三 13812345678 广东省广州市", ""),
            ("北京" * 2_000, ""),
            ("1600 Amphitheatre Parkway", ""),
            ("", ""),
        ],
    )
    def test_examples(self, address: str, expected: str) -> None:
        assert masked_address(address) == f"{expected}****"

    @pytest.mark.parametrize(
        ("province", "city", "district", "expected"),
        [
            ("广东省", "广州市", "天河区", "广东省广州市天河区"),
            ("广东", "中山", None, "广东省中山市"),
            ("440000", "441900", None, "广东省东莞市"),
            ("44", "4401", "440106", "广东省广州市天河区"),
            ("北京市", "北京市", "朝阳区", "北京市朝阳区"),
            ("北京", "市辖区", "朝阳区", "北京市朝阳区"),
            ("吉林", "吉林", "昌邑区", "吉林省吉林市昌邑区"),
            ("香港", "香港", "观塘区", "香港特别行政区九龙观塘区"),
            ("广东省", "长沙市", "岳麓区", "广东省"),
            ("440000", "430100", "430104", "广东省"),
            ("江苏省", "江苏省", "鼓楼区", "江苏省"),
            ("440000", "440100", "440106011", "广东省广州市"),
            ("张三", "广州市", "天河区", ""),
            ("臺灣省", "臺北市", "大安區", "臺灣省臺北市大安區"),
            ("重庆市", "重庆市", "渝北区", "重庆市渝北区"),
            ("50", "5001", "500112", "重庆市渝北区"),
        ],
    )
    def test_regions(self, province: str, city: str, district: str | None, expected: str) -> None:
        assert masked_region(Region(province=province, city=city, district=district)) == f"{expected}****"


EVERY_MASK = {f"{''.join(path)}****" for path in DIVISIONS}


class TestAccounts:
    @given(st.text(digit, min_size=9, max_size=30), st.sampled_from([" ", "-", ""]))
    def test_the_last_four_digits_are_shown(self, number: str, separator: str) -> None:
        grouped = separator.join(number[at : at + 4] for at in range(0, len(number), 4))

        assert masked_account(grouped) == f"****{number[-4:]}"

    @given(st.text(st.sampled_from("0123456789 -"), max_size=8) | st.text(st.characters(exclude_characters="*＊")))
    def test_what_is_too_short_or_no_number_is_hidden(self, text: str) -> None:
        digits = re.sub("[ -]", "", text)
        assume(not re.fullmatch("[0-9０-９]{9,}", digits))

        assert masked_account(text) == "****"

    @given(any_text)
    def test_of_any_text_no_more_than_four_digits_are_shown(self, text: str) -> None:
        assert re.fullmatch(r"\*{4}(?:[0-9]{4})?", masked_account(text))


def _some(field: Field) -> st.SearchStrategy[str]:
    """Values of a field, real and not."""
    real = {
        Field.PHONE: phones().map(lambda phone: phone[0]),
        Field.ADDRESS: st.builds("{}{}".format, paths.map("".join), streets),
        Field.ACCOUNT_NUMBER: st.text(digit, min_size=9, max_size=20),
    }
    names = st.builds("{}{}".format, st.sampled_from(sorted(SURNAMES | COMPOUND_SURNAMES)), st.text(han, max_size=3))
    return any_text | real.get(field, names | st.builds("{}·{}".format, st.text(han), st.text(han)))


@given(st.sampled_from(Field).flatmap(lambda field: st.tuples(st.just(MASKS[field]), _some(field))))
def test_masking_what_is_masked_changes_nothing(case: tuple[Callable[[str], str], str]) -> None:
    mask, value = case

    assert mask(mask(value)) == mask(value)
