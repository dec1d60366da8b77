"""Quoted mails within a conversation: header lines and lines such as "On Monday Joe wrote:". They never begin a turn.

A header is a run of lines `Label: value` without other text between them. The labels are words for a mail's sender,
receiver, date or subject in one of many languages. A short word such as `A` or `De` counts only beside others, since it
may be a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from arf_programs.corpus.speakers.words import ROLE

# The words for each part of a header, in the languages of common mail programs.
_PARTS: Final = {
    "sender": """
        from von de da van från fra lähettäjä od от від expéditeur remitente mittente
        absender afzender avsender kimden gönderen feladó expeditor odesílatel από من מאת از
        dari từ จาก kutoka szerző šalje pošiljatelj siuntėjas sūtītājs saatja
        pengirim फ्रॉम प्रेषक 发件人 寄件者 寄件人 差出人 送信者 보낸사람
    """,
    "receiver": """
        to an à a para aan till til vastaanottaja do komu кому до destinataire destinatario
        empfänger ontvanger kime alıcı címzett către προς إلى אל به kepada đến ถึง 收件人 收件者
        宛先 받는사람 cc cci cco bcc kopie kópia copie copia cópia kopia kopi kopio копия копія
        prima prejemnik gavėjas saņēmējs saaja प्रति bilgi másolat 抄送 副本 参照
    """,
    "date": """
        date sent datum gesendet envoyé fecha enviado enviada data inviato verzonden skickat
        dato sendt lähetetty päivämäärä päiväys wysłano odesláno odosláno dátum дата
        отправлено відправлено tarih gönderilme gönderildi elküldve trimis ημερομηνία
        στάλθηκε надіслано изпратено poslano posláno послано išsiųsta nosūtīts saadetud ส่ง ส่งเมื่อ
        التاريخ تاريخ נשלח תאריך tanggal dikirim ngày วันที่ 发送时间 发送日期 日期 寄件日期 日時 送信日時 날짜
        보낸날짜
    """,
    "subject": """
        subject betreff objet asunto assunto oggetto onderwerp ämne emne aihe temat předmět
        předmet predmet тема konu tárgy subiect θέμα الموضوع موضوع נושא subjek perihal
        относно naslov zadeva tema tēma teema विषय เรื่อง 主题 主旨 件名 제목
    """,
    "other": """
        attachments attachment importance priority reply-to message-id in-reply-to return-path
        delivered-to x-mailer mime-version content-type anlagen anhänge priorität
        wichtigkeit adjuntos importancia allegati bijlagen bilagor bilag vedlegg liitteet
        załączniki přílohy вложения ekler 附件 添付ファイル 첨부
    """,
}
_WORDS: Final = {word.casefold(): part for part, words in reversed(_PARTS.items()) for word in words.split()}
# Words of two letters and names of people are headers only beside others.
_NAMES: Final = "a an à da data date de do da el al fra para till til van от до"
# A date may also be that of a journey: `From: Berlin`, `To: Rome`, `Date: ...`. `Sent: ...` is of mails alone.
_GENERAL_DATES: Final = """
    date datum data fecha päivämäärä päiväys dato dátum дата tarih ημερομηνία
    التاريخ تاريخ תאריך tanggal ngày วันที่ 日期 日時 날짜
"""
_ANY_DATE: Final = frozenset(_GENERAL_DATES.split())
_MAY_BE_NAMES: Final = frozenset(_NAMES.split())
_LINE = re.compile(r"\s{0,3}\*?(?P<label>[^\W\d_][\w .-]{0,29}?)\s*\*?[:：]\*?[ \t]*(?P<value>.*)")
_MOST_LINES = 8
_SPOKEN = re.compile(r"\s*[^\W\d_][^:：\d\n]{0,39}[:：]\s+\S")
_ENDS_IN_ADDRESS = re.compile(r"<[^<>\s]+@[^<>\s]+>\s*$")
ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+\.\w+")
WROTE = re.compile(
    r"(?:\b(?:wrote|writes|schrieb|écrit|escribió|escreveu|scritto|scrive|schreef|skrev|kirjoitti|napisała?|napsala?|пишет|"
    r"написала?|написав|yazdı|írta|a scris|έγραψε|menulis|đã viết)\b|كتب|כתב|写道|寫道|書きました|작성).*[:：]\s*$",
    re.IGNORECASE,
)
FORWARDED = re.compile(
    r"\W*(?:begin\s+)?(?:forwarded|original|weitergeleitete|ursprüngliche|doorgestuurd|oorspronkelijk|vidarebefordrat|"
    r"ursprungligt|videresendt|opprinnelig|oprindelig|пересылаемое|исходное|przekazana|oryginalna)\w*\s+"
    r"(?:message|e-?mail|nachricht|bericht|meddelande|melding|meddelelse|besked|сообщение|wiadomość)\W*|"
    r"\W*(?:message|mensaje|mensagem|messaggio)\s+"
    r"(?:d['’]origine|transféré|original|reenviado|encaminhada|originale|inoltrato)\W*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Header:
    """The header of a mail: its first line, the line after it, and the name of the sender if it has one.

    `values` are those of sender, receiver, date and subject, as far as it has them.
    """

    start: int
    end: int
    sender: str
    is_mail: bool
    values: Mapping[str, str] = field(default_factory=dict)


def find_headers(lines: list[str]) -> list[Header]:
    """Return the headers of mails among the lines, in their order."""
    filled = [number for number, line in enumerate(lines) if line.strip()]
    parts = [_part(lines[number]) for number in filled]
    headers: list[Header] = []
    place = 0
    while place < len(filled):
        stop = place
        while stop < len(filled) and parts[stop]:
            stop += 1
        numbers = filled[place:stop] or _foreign_lines(lines, filled[place : place + _MOST_LINES])
        header = _header(lines, numbers, parts[place:stop])
        if header:
            headers.append(header)
        place += max(1, len(numbers) if header else stop - place)
    return headers


def says_who_wrote(line: str) -> bool:
    """Say whether a line is like "On Monday Joe wrote:". In "Customer: On Monday she wrote:" a turn begins."""
    return WROTE.search(line) is not None and _SPOKEN.match(line) is None


def is_quotation(line: str) -> bool:
    """Say whether a line introduces a mail that is quoted or forwarded: "On Monday Joe wrote:"."""
    return says_who_wrote(line) or FORWARDED.fullmatch(line.strip()) is not None


def is_header_word(label: str) -> bool:
    """Say whether a label is a word of headers and no name. Such a word counts even without others beside it."""
    word = label.casefold()
    return (word in _WORDS and word not in _MAY_BE_NAMES) or word in _PHRASES


def _header(lines: list[str], numbers: list[int], parts: list[str]) -> Header | None:
    """Return the header of lines whose labels are words of headers (`parts`), unless they may be names of people."""
    header = [lines[number] for number in numbers]
    if parts and (len(set(parts)) < 2 or all(_label(line) in _MAY_BE_NAMES for line in header)):
        return None
    if not header:
        return None
    sender = (
        next((line for line, part in zip(header, parts, strict=True) if part == "sender"), "") if parts else header[0]
    )
    is_sent = bool(sender) and any(
        part == "date" and _label(line) not in _ANY_DATE for part, line in zip(parts, header, strict=False)
    )
    is_mail = "subject" in parts or is_sent or any(ADDRESS.search(line) for line in header)
    named = reversed(list(zip(parts, header, strict=True))) if parts else [("sender", sender)]
    values = {part: _value(line) for part, line in named}
    return Header(numbers[0], numbers[-1] + 1, sender_name(_value(sender)), is_mail, values)


def _foreign_lines(lines: list[str], numbers: list[int]) -> list[int]:
    """Return the lines of a header in a language that is not listed; None if it is not certain that they are one.

    They are a header if they have at least three different labels, one a line, and `<joe@example.org>` ends the first
    line.
    """
    if not _ENDS_IN_ADDRESS.search(lines[numbers[0]]):
        return []
    labels: list[str] = []
    for line in lines[numbers[0] : numbers[0] + _MOST_LINES]:
        label = _label(line)
        if not label or label in labels or ROLE.fullmatch(label.split()[-1]):
            break
        labels.append(label)
    return list(range(numbers[0], numbers[0] + len(labels))) if len(labels) > 2 else []


def sender_name(value: str) -> str:
    """Return the name in `Joe Miller <joe@example.org>`, or the address if there is no name."""
    name = re.sub(r"<[^<>]*>|\[mailto:[^\]]*\]|\(mailto:[^)]*\)|[\"*]", " ", value)
    address = ADDRESS.search(value)
    return " ".join(name.split()) or (address.group() if address else "")


def _label(line: str) -> str:
    match = _LINE.match(line)
    return " ".join(match["label"].casefold().split()) if match else ""


def _value(line: str) -> str:
    match = _LINE.match(line)
    return match["value"].strip() if match else ""


def _part(line: str) -> str:
    label = _label(line)
    part = _WORDS.get(label, "") or _PHRASES.get(label, "")
    # `Enviado el`, `Data de envio`
    return part or ("date" if len(label.split()) < 4 and _WORDS.get(label.split(" ")[0]) == "date" else "")


# Labels of two words, which the lists above cannot hold.
_PHRASES: Final = {
    "від кого": "sender",
    "보낸 사람": "sender",
    "받는 사람": "receiver",
    "보낸 날짜": "date",
    "дата отправки": "date",
    "gönderilme tarihi": "date",
    "antwort an": "other",
    "répondre à": "other",
    "reply to": "other",
    "pièces jointes": "other",
    "chủ đề": "subject",
    "đã gửi": "date",
    "ngày gửi": "date",
    "de la": "sender",
    "în atenția": "receiver",
    "sent at": "date",
    "date sent": "date",
}
