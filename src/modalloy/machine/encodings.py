"""In which encoding a text file without a mark is written: UTF-8, or GB18030, that of Chinese."""

import codecs
import unicodedata

GB18030 = "gb18030"  # GBK and GB2312 are parts of it
LOOKED_AT = 2000  # Chinese characters that a file is judged by
LEAST_KNOWN = 3  # different frequent ones, below which nothing can be told
USUAL_SHARE = 0.6  # of its characters that are frequent ones; texts reach 0.8, other encodings 0.3
CHINESE_SHARE = 0.9  # of all letters beyond ASCII that are Chinese ones, or signs as they use them
SHOWN = 12  # characters of a file that a note quotes
# Characters that are frequent in Chinese texts, and in tables of plants.
FREQUENT = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事"
    "成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已"
    "工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信"
    "表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才"
    "结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像"
    "难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运验收温型单低组线"
    "热转压速检测质裂纹缺陷划痕孔毛刺合良废料轴承齿轮泵阀油液漏焊缝铸锻漆锈蚀磨损振噪音频率图片照号码备注描述载荷负温湿流"
    "尺寸厚宽径班线站车床铣钻刀具夹换修维护停故障报警异常正停转启装配零部件材钢铁铝铜胶塑橡板管筒壳盖盘螺栓钉弹簧皮带链左右"
    "深浅粗细软硬轻脏净亮暗黑红黄蓝绿圆角端根侧底顶外观级批次供应商客户订单货仓库日期间早晚夜测试记录结果未否待抽样严轻微较"
    "小时分钟秒米克吨千百度伏安瓦兆帕毫升转每约超差偏移松动断折弯变疲劳泡砂眼夹渣烧点伤碰脱落堵塞卡滞抖冒烟味响声器传感控"
)


def read_as(data: bytes, *, ended: bool = False, least: int = LEAST_KNOWN) -> str | None:
    """The encoding of a file's first bytes: `utf-8`, `gb18030`, or None where it is neither.

    ended: nothing follows them; otherwise a character that is cut off at their end is none. least:
    different frequent Chinese characters that it takes.
    UTF-8 is told by its form, which other encodings rarely have. GB18030 has no such form, and
    Korean, Russian or Greek bytes are valid in it too; so its characters must be those that
    Chinese texts consist of.
    """
    if decoded(data, "utf-8", ended=ended) is not None:
        return "utf-8"
    text = decoded(data, GB18030, ended=ended)
    return GB18030 if text is not None and is_chinese(text, least) else None


def decoded(data: bytes, encoding: str, *, ended: bool) -> str | None:
    """Bytes as text, None where some are none in this encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data, ended)
    except UnicodeDecodeError:
        return None


def is_chinese(text: str, least: int = LEAST_KNOWN) -> bool:
    """Whether a text looks like Chinese as it is written, not like the letters of another one."""
    letters = [c for c in text if not c.isascii()]
    found = [c for c in letters if is_han(c)][:LOOKED_AT]
    known = [c for c in found if c in FREQUENT]
    fitting = sum(is_han(c) or unicodedata.east_asian_width(c) in "WFA" for c in letters)
    if any("\u3041" <= c <= "\u30fe" for c in letters):  # kana: Japanese
        return False
    return (
        len(set(known)) >= least
        and len(known) >= USUAL_SHARE * len(found)
        and fitting >= CHINESE_SHARE * len(letters)
    )


def is_han(letter: str) -> bool:
    """Whether it is a Chinese character."""
    return "\u4e00" <= letter <= "\u9fff" or "\u3400" <= letter <= "\u4dbf"


def chinese_in(data: bytes) -> str:
    """Some Chinese words of GB18030 bytes, quoted, by which a reader sees what was understood."""
    text = data.decode(GB18030, errors="replace")
    words = "".join(c if is_han(c) else " " for c in text).split()
    return f"'{' '.join(dict.fromkeys(words))[:SHOWN].strip()}'"
