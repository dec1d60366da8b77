"""Names of months and weekdays, in English and in other languages of customers."""

from __future__ import annotations

from typing import Final

from arf_programs.text import word_set

MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_SHORT: Final = {month[:3]: number for number, month in enumerate(MONTHS, start=1)}
_FOREIGN: Final = (
    "januar jan januari janvier janv enero gennaio janeiro stycznia января січня ocak "
    "tammikuuta ledna január ianuarie ιανουαρίου يناير जनवरी",
    "februar febr februari février févr febrero febbraio fevereiro lutego февраля лютого şubat "
    "helmikuuta února február februarie φεβρουαρίου فبراير फरवरी",
    "märz maerz mrz mars marzo maart março marca марта березня mart "
    "maaliskuuta března március martie μαρτίου مارس मार्च",
    "abril avril avr aprile kwietnia апреля квітня nisan huhtikuuta dubna április aprilie απριλίου أبريل अप्रैल",
    "mai mayo mei maggio maio maja maj мая травня mayıs toukokuuta května május μαΐου مايو मई",
    "juni juin junio giugno junho czerwca июня червня haziran kesäkuuta června június iunie ιουνίου يونيو जून",
    "juli juillet juil julio luglio julho lipca июля липня temmuz heinäkuuta července július iulie ιουλίου يوليو जुलाई",
    "août agosto augustus augusti sierpnia августа серпня ağustos elokuuta srpna augusztus αυγούστου أغسطس अगस्त",
    "septembre septiembre settembre setembro września сентября вересня eylül "
    "syyskuuta září szeptember septembrie σεπτεμβρίου سبتمبر सितंबर",
    "oktober okt octobre octubre ottobre outubro października октября жовтня ekim "
    "lokakuuta října október octombrie οκτωβρίου أكتوبر अक्टूबर",
    "novembre noviembre novembro listopada ноября листопада kasım "
    "marraskuuta listopadu noiembrie νοεμβρίου نوفمبر नवंबर",
    "dezember dez décembre déc diciembre dicembre dezembro desember grudnia декабря грудня aralık "
    "joulukuuta prosince decembrie δεκεμβρίου ديسمبر दिसंबर",
)
MONTH_NUMBERS: Final = {
    **{name: number for number, names in enumerate(_FOREIGN, start=1) for name in names.split()},
    **{month: number for number, month in enumerate(MONTHS, start=1)},
    **_SHORT,
    "sept": 9,
}
ENGLISH_MONTH: Final = "|".join(
    [*(f"{month[:3]}(?:{month[3:]})?" for month in MONTHS if len(month) > 3), "may", "sept"]
)
ANY_MONTH: Final = "|".join(sorted(MONTH_NUMBERS, key=len, reverse=True))

_ALSO_WORDS: Final = word_set("mars mart mai mayo mei maio maja maj marca nisan jan febr avr juil okt dez déc")
LONE_MONTH: Final = "|".join(
    [ENGLISH_MONTH, *(name for name in MONTH_NUMBERS if name not in _ALSO_WORDS and name not in MONTHS)]
)
"""Months that are no other word, so that they need no day beside them."""

WEEKDAYS: Final = {
    form: day
    for day, forms in enumerate(
        [
            "monday mon montag lundi lunes lunedì maandag segunda-feira poniedziałek понедельник",
            "tuesday tues tue dienstag martes martedì dinsdag terça-feira wtorek вторник",
            "wednesday weds wed mittwoch mercredi miércoles mercoledì woensdag quarta-feira środa среда среду",
            "thursday thurs thur thu donnerstag jeudi jueves giovedì donderdag quinta-feira czwartek четверг",
            "friday fri freitag vendredi viernes venerdì vrijdag sexta-feira piątek пятница пятницу",
            "saturday sat samstag sonnabend samedi sábado sabato zaterdag sobota суббота субботу",
            "sunday sun sonntag dimanche domingo domenica zondag niedziela воскресенье",
        ]
    )
    for form in forms.split()
}
