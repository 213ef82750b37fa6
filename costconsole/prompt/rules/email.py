"""Mail without what mail programs and lawyers add: quoted replies, signatures, disclaimers, pleasantries.

Lossy, so `strong` only; and only in text that shows what it is: two header lines, or a line such as
"On Monday, Ann wrote:". A last paragraph that asks for something is never taken for part of a mail.
"""

from __future__ import annotations

import re

from costconsole.prompt.document import Context, Document, Rule
from costconsole.prompt.rules.stretches import over_text

_HEADER = re.compile(
    r"[*> ]*(?:From|To|Cc|Bcc|Sent|Date|Subject|Reply-To|Von|An|Gesendet|Datum|Betreff|De|À|Envoyé|Objet|Para"
    r"|Enviado|Fecha|Asunto|Da|A|Inviato|Data|Oggetto)\**[ ]?:\**[ \t]\S"
)
_SUBJECT = re.compile(
    r"[*> ]*(?:Subject|Betreff|Objet|Asunto|Oggetto)\**[ ]?:\**[ \t]*"
    r"(?:(?:re|aw|fwd?|wg|tr|rv|sv|antw)[ ]?:[ \t]*)*(.*)\Z",
    re.IGNORECASE,
)
_WROTE = re.compile(
    r"(?:On|Am|Le|El|Il|Op|Em|Den|W dniu)\b.{4,200}?"
    r"(?:wrote|schrieb.{0,80}|a écrit|escribió|ha scritto|schreef.{0,80}|escreveu|skrev.{0,80}"
    r"|napisał.{0,40})\s?:\s*\Z"
)
_NAMES_A_MAIL = re.compile(r"[\d@<]")
_BEGINS_WROTE = re.compile(r"(?:On|Am|Le|El|Il|Op|Em|Den|W dniu)\b.{4,160}\Z")
_ORIGINAL = re.compile(
    r"[-_ ]{3,}\s*(?:Original Message|Ursprüngliche Nachricht"
    r"|Message d'origine|Mensaje original|Messaggio originale)\s*[-_ ]{3,}\s*\Z|_{20,}\s*\Z",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"(?:(?:with )?(?:best|kind|warm|kindest|warmest|many) (?:regards|wishes|thanks)|regards|best|cheers"
    r"|sincerely(?: yours)?|yours (?:sincerely|faithfully|truly)|thanks(?: again| in advance"
    r"| and regards)?|thank you"
    r"(?: very much)?|all the best|mit (?:freundlichen|besten|herzlichen) grüßen"
    r"|(?:viele|beste|liebe|herzliche) grüße|cordialement|bien à vous|saludos(?: cordiales)?|atentamente"
    r"|distinti saluti|cordiali saluti"
    r"|met vriendelijke groet(?:en)?|atenciosamente)\s*[,.!]?\s*\Z",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-ZÀ-ÞŁŚŽČŠ(][^\s.:;!?]*\.?(?: [^\s:;!?]+){0,4}(?<![.,])\Z|[A-Z]\.?\Z")
_SENT_FROM = re.compile(
    r"(?:sent|gesendet|envoyé|enviado|inviato) (?:from|von|mit|depuis|desde|da) .{2,60}\Z", re.IGNORECASE
)
_LEGAL = re.compile(
    r"\b(?:confidential\w*|privileged|intended (?:solely |only |exclusively )?(?:for|recipient)"
    r"|(?:not|other than) the (?:intended|named) (?:recipient|addressee)|in error|unauthori[sz]ed"
    r"|dissemination|strictly prohibited"
    r"|disclos\w+|delete (?:this|it|the)|free (?:of|from) (?:viruses|malware)"
    r"|virus(?:es)?\b.{0,40}(?:liab|scann)|accepts? no liability|registered (?:office|in)"
    r"|consider the environment|vertraulich\w*|bestimmungsgemäße\w*|unbefugt\w*|irrtümlich"
    r"|confidentiel\w*|destinataire|confidencial\w*|destinatario|riservat[oei])\b",
    re.IGNORECASE,
)
_OF_A_MAIL = re.compile(
    r"\b(?:e-?mails?|messages?|communication|transmission|nachricht|courriel|mensaje|correo|messaggio)\b",
    re.IGNORECASE,
)
_ENVIRONMENT = re.compile(
    r"[^\n]{0,20}(?:consider|think about|think of) the environment before printing", re.IGNORECASE
)
_PLEASANTRY = re.compile(
    r"(?:(?:I|we) (?:really )?hope (?:that )?(?:this|you|all|everything|your)\b[^.!?\n]{0,90}"
    r"(?:well|fine|great|safe|good (?:week|weekend|day)|weekend)\b[^.!?\n]{0,20}[.!]"
    r"|(?:thanks|thank you)(?: so much| very much)? (?:in advance )?"
    r"for your (?:time|patience|understanding|kind attention)[^.!?\n]{0,60}[.!]"
    r"|(?:please )?(?:do not|don't) hesitate to [^.!?\n]{0,80}[.!]"
    r"|(?:please )?(?:feel free to (?:contact|reach|call)|let me know if you have any (?:further )?questions)"
    r"[^.!?\n]{0,60}[.!]"
    r"|(?:I am |I'm |we are )?looking forward to (?:hearing|your)[^.!?\n]{0,60}[.!]"
    r"|have a (?:great|nice|good|lovely|wonderful) (?:day|week|weekend|evening)[^.!?\n]{0,30}[.!]) ?",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\?\s*\Z|(?:please |now |then |can you |could you )?(?:summari[sz]e|reply|answer|respond|draft|write"
    r"|translate|classify|extract|list|tell|explain|rewrite|find|give|what|who|when|where|why|how|is|are"
    r"|does|do|question"
    r"|task|instructions?)\b",
    re.IGNORECASE,
)
_STOPS = re.compile(r"\s*(?:</?[A-Za-z][\w-]*>|#{1,6} |\"\"\"|'''|`{3}|={5,}|-{3,}\s*\Z)")


def _apply(document: Document, context: Context) -> Document | None:
    return over_text(document, _shortened)


def _shortened(text: str) -> str:
    lines = text.split("\n")
    plain = [line.strip() if len(line) <= 400 else "" for line in lines]
    headers = sum(map(_is_header, plain))
    quotes = [at for at in range(len(plain)) if _quotes_from(plain, at)]
    if headers < 2 and not quotes:
        return text
    keep = [True] * len(lines)
    for at in quotes:
        if keep[at] and _answered(plain, at):
            _drop_quote(plain, keep, at)
    _drop_signatures(plain, keep)
    _drop_legal(plain, keep)
    kept = [
        _PLEASANTRY.sub("", line) if len(line) <= 2_000 else line
        for line, wanted in zip(lines, keep, strict=True)
        if wanted
    ]
    kept = [line for at, line in enumerate(kept) if line.strip() or at == 0 or kept[at - 1].strip()]
    return "\n".join(kept) + ("\n" if text.endswith("\n") and kept and kept[-1] else "")


def _quotes_from(plain: list[str], at: int) -> int:
    """How many lines introduce a quoted mail here: 0 where none begins."""
    line = plain[at]
    if not line:
        return 0
    if line[-1] == ":" and _WROTE.match(line):
        return 1 if _NAMES_A_MAIL.search(line) or _next(plain, at + 1).startswith(">") else 0
    if line[0] in "-_" and _ORIGINAL.match(line):
        return 1
    after = plain[at + 1] if at + 1 < len(plain) else ""
    if (
        after[-1:] == ":"
        and len(after) < 100
        and _BEGINS_WROTE.match(line)
        and _WROTE.match(f"{line} {after}")
    ):
        return 2
    # Outlook's header block, below the mail that answers it.
    if at and _is_header(line) and not _is_header(plain[at - 1]):
        subject = _subject(plain, at)
        if subject and subject in {_subject(plain, above) for above in range(max(0, at - 80), at)}:
            return 3
    return 0


def _next(plain: list[str], at: int) -> str:
    """The next line from `at` on that is not blank; "" if there is none near."""
    return next((line for line in plain[at : at + 10] if line), "")


def _answered(plain: list[str], at: int) -> bool:
    """Whether the mail says something of its own above the quotation that begins here."""
    above = next((line for line in reversed(plain[max(0, at - 10) : at]) if line), "")
    return bool(above) and not _is_header(above)


def _is_header(line: str) -> bool:
    return ":" in line[:24] and _HEADER.match(line) is not None


def _subject(plain: list[str], at: int) -> str:
    """What the mail is about whose headers, three or more, begin here; else ""."""
    if not _is_header(plain[at]) or (at and _is_header(plain[at - 1])):
        return ""
    block = plain[at : at + 8]
    end = next((n for n, line in enumerate(block) if not _is_header(line)), len(block))
    found = [_SUBJECT.match(line) for line in block[:end]]
    return next((match[1].strip().lower() for match in found if match), "") if end >= 3 else ""


def _drop_quote(plain: list[str], keep: list[bool], at: int) -> None:
    end = at + max(1, _quotes_from(plain, at))
    first = end
    while first < len(plain) and not plain[first]:
        first += 1
    if first < len(plain) and plain[first].startswith(">"):
        end = first
        while end < len(plain) and (plain[end].startswith(">") or not plain[end]):
            end += 1
    elif _WROTE.match(plain[at]) and not _HEADER.match(plain[first] if first < len(plain) else ""):
        if first >= len(plain):
            return
        end = _end_of_mail(plain, first)
    else:
        end = _end_of_mail(plain, first)
    while end > at and not plain[end - 1]:
        end -= 1
    keep[at:end] = [False] * (end - at)


def _end_of_mail(plain: list[str], at: int) -> int:
    """Where a quoted mail without marks ends: at the next delimiter, or before what the prompt asks."""
    end = at
    about = _subject(plain, at)
    while end < len(plain) and not _STOPS.match(plain[end]):
        if end > at and _subject(plain, end) not in ("", about):
            break  # Another mail, not the one that was answered.
        end += 1
    last = end
    while last > at and not plain[last - 1]:
        last -= 1
    start = last
    while start > at and plain[start - 1]:
        start -= 1
    if start > at and _ASKS.search(" ".join(plain[start:last])[:400]) and not _HEADER.match(plain[start]):
        return start
    return end


def _drop_signatures(plain: list[str], keep: list[bool]) -> None:
    at = 0
    while at < len(plain):
        line = plain[at]
        signs = bool(line) and keep[at] and len(line) < 60
        if signs and line in ("--", "—", "__"):
            end = _signature_end(plain, keep, at + 1, 12)
            keep[at:end] = [False] * (end - at)
            at = end
        elif signs and _SENT_FROM.match(line):
            keep[at] = False
            at += 1
        elif signs and _SIGN_OFF.match(line):
            name = at + 1
            while name < len(plain) and not plain[name]:
                name += 1
            if name < len(plain) and keep[name] and len(plain[name]) <= 60 and _NAME.match(plain[name]):
                end = _signature_end(plain, keep, name + 1, 10)
                keep[at] = False
                keep[name + 1 : end] = [False] * (end - name - 1)
                at = end
                continue
            at += 1
        else:
            at += 1


def _signature_end(plain: list[str], keep: list[bool], at: int, most: int) -> int:
    end = at
    blank = False
    while end < len(plain) and end - at < most and keep[end]:
        line = plain[end]
        if len(line) > 90 or _STOPS.match(line) or (line and _HEADER.match(line) and "@" not in line):
            break
        if blank and line and (_ASKS.match(line) or line.endswith("?") or len(line.split()) > 9):
            break
        blank = blank or not line
        end += 1
    while end > at and not plain[end - 1]:
        end -= 1
    return end


def _drop_legal(plain: list[str], keep: list[bool]) -> None:
    start = 0
    for at in range(len(plain) + 1):
        if at < len(plain) and plain[at]:
            continue
        paragraph = " ".join(plain[start : min(at, start + 100)])[:4_000]
        hits = {match.group().lower() for match in _LEGAL.finditer(paragraph)}
        if (len(hits) >= 3 and _OF_A_MAIL.search(paragraph)) or _ENVIRONMENT.match(paragraph):
            keep[start:at] = [False] * (at - start)
        start = at + 1


RULE = Rule("e-mail", _apply, frozenset({"strong"}), unless=frozenset({"thread"}))
