"""Chinese in GB18030 is told from UTF-8 and from what other languages write in their encodings."""

import pytest

from modalloy.machine.encodings import chinese_in, read_as

CHINESE = {
    "table": "照片,备注,载荷,缺陷\n图/1.png,表面有裂纹,12,裂纹\n",
    "two classes": "a,b\n1,合格\n2,不合格\n",
    "names": "订单号,客户,金额\n1,上海机床厂有限公司,3\n2,王丽娟,4\n",
    "units": "时间,温度(℃),振动(μm/s²)\n",
}
OTHERS = {
    "latin1": "Größe,Präfix\nöl,Späne\nÜberlänge,Maß\nnuméro,fêlée\n",
    "cp1252": "Temp °C,Weg µm,Fläche m²\n",
    "cp1250": "część,wada\npęknięcie,dobra ąśćż\n",
    "cp1251": "Деталь,Дефект\nтрещина,царапина\nнет,ДА\nвтулка подшипника\n",
    "koi8-r": "Деталь,Дефект\nтрещина,царапина\nнет,ДА\nвтулка подшипника\n",
    "cp1253": "Εξάρτημα,Βλάβη\nρωγμή,καλό\n",
    "euc-kr": "부품,불량,하중\n균열이 있음,양호,표면에 긁힘\n모터 소음이 크다\n",
    "euc-jp": "部品,欠陥,番号,重量,作業者,良品,不良品,検査済\n表面にひび割れ\n",
    "shift_jis": "部品,欠陥\n表面にひび割れ,良品\n",
    "big5": "零件,缺陷\n表面有裂紋,合格\n馬達噪音過大,不合格\n",
}


@pytest.mark.parametrize("text", CHINESE.values(), ids=CHINESE)
def test_chinese_is_known_in_either_encoding(text: str) -> None:
    assert read_as(text.encode("gb18030"), ended=True) == "gb18030"
    assert read_as(text.encode()) == read_as(text.encode("utf-8-sig")) == "utf-8"


@pytest.mark.parametrize("encoding", OTHERS)
def test_other_encodings_are_not_taken_for_it(encoding: str) -> None:
    assert read_as(OTHERS[encoding].encode(encoding), ended=True) is None
    assert read_as(OTHERS[encoding].encode()) == "utf-8"


def test_a_letter_cut_off_at_the_end_is_one_only_where_the_file_goes_on() -> None:
    whole = CHINESE["table"].encode("gb18030")
    cut = whole.removesuffix(b"\n")[:-1]
    assert (read_as(cut), read_as(cut, ended=True)) == ("gb18030", None)


def test_few_characters_tell_nothing_unless_asked_for_few() -> None:
    few = "a,电流\n".encode("gb18030")
    assert (read_as(few), read_as(few, least=1)) == (None, "gb18030")
    assert read_as("Temp °C,Weg µm\n".encode("cp1252"), least=1) is None


def test_words_are_quoted_for_the_reader() -> None:
    assert chinese_in(CHINESE["table"].encode("gb18030")) == "'照片 备注 载荷 缺陷'"
