"""The counties and cities of Taiwan and what they are called. Codes are those of ISO 3166-2:TW, as sites carry them."""

from __future__ import annotations

from types import MappingProxyType

#: code -> names in Traditional Chinese, Simplified Chinese, English; north to south, islands last.
COUNTIES = MappingProxyType(
    {
        "KEE": ("基隆市", "基隆市", "Keelung"),
        "TPE": ("臺北市", "台北市", "Taipei"),
        "NWT": ("新北市", "新北市", "New Taipei"),
        "TAO": ("桃園市", "桃园市", "Taoyuan"),
        "HSZ": ("新竹市", "新竹市", "Hsinchu City"),
        "HSQ": ("新竹縣", "新竹县", "Hsinchu County"),
        "MIA": ("苗栗縣", "苗栗县", "Miaoli"),
        "TXG": ("臺中市", "台中市", "Taichung"),
        "CHA": ("彰化縣", "彰化县", "Changhua"),
        "NAN": ("南投縣", "南投县", "Nantou"),
        "YUN": ("雲林縣", "云林县", "Yunlin"),
        "CYI": ("嘉義市", "嘉义市", "Chiayi City"),
        "CYQ": ("嘉義縣", "嘉义县", "Chiayi County"),
        "TNN": ("臺南市", "台南市", "Tainan"),
        "KHH": ("高雄市", "高雄市", "Kaohsiung"),
        "PIF": ("屏東縣", "屏东县", "Pingtung"),
        "ILA": ("宜蘭縣", "宜兰县", "Yilan"),
        "HUA": ("花蓮縣", "花莲县", "Hualien"),
        "TTT": ("臺東縣", "台东县", "Taitung"),
        "PEN": ("澎湖縣", "澎湖县", "Penghu"),
        "KIN": ("金門縣", "金门县", "Kinmen"),
        "LIE": ("連江縣", "连江县", "Lienchiang"),
    }
)


def county_name(code: str, language: str = "zh_Hant_TW") -> str:
    """In the reader's language; a code that is none of these stays as it is."""
    names = COUNTIES.get(code)
    if names is None:
        return code
    return names[{"zh_Hans_CN": 1, "en": 2}.get(language, 0)]
