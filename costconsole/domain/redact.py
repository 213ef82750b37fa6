"""Masks what a prompt should not give away: e-mail addresses, phone and card numbers, keys."""

from __future__ import annotations

import re

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}"
    r"|\b(?:ghp|gho|ghu|ghs|ghr|github_pat|glpat|xox[abprs]|hf|npm|pypi)[-_][A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bAIza[A-Za-z0-9_-]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
    r"|(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*"
    r"|(?i:(?<=password=)|(?<=password: )|(?<=passwd=)|(?<=secret=)|(?<=api_key=)|(?<=token=))"
    r"[^\s,;&\"']{4,}",
    re.DOTALL,
)
_CARD = re.compile(r"(?<![\d-])(?:\d[ -]?){12,18}\d(?![\d-])")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}"
    r"|\(\d{2,5}\)[ .-]?\d{3,4}(?:[ .-]?\d{2,4}){1,2}"
    r"|\d{3}[ .-]\d{3,4}[ .-]\d{4}"
    r"|0\d{2,4}[ /-]\d{3,}(?:[ -]?\d{2,4})?)(?![\w-]|\.\d)"
)
_DIGIT = re.compile(r"\d")
_SIGNS = ("-", "_", "AKIA", "ASIA", "AIza", "eyJ", "earer ", "=", ": ")


def redact(text: str) -> str:
    """`text` with each e-mail address, key, card and phone number as `[email]`, `[key]`, `[card]`, `[phone]`.

    A card number has 13 to 19 digits and passes the Luhn check; a phone number starts with +, with an
    area code in brackets, or with 0, or is grouped like 555-123-4567. Doing it twice changes nothing.
    """
    if "@" in text:
        text = _EMAIL.sub("[email]", text)
    if any(sign in text for sign in _SIGNS):
        text = _KEY.sub("[key]", text)
    if _DIGIT.search(text):
        text = _PHONE.sub(_phone, _CARD.sub(_card, text))
    return text


def _card(match: re.Match[str]) -> str:
    return "[card]" if _luhn([int(c) for c in match.group() if c.isdigit()]) else match.group()


def _phone(match: re.Match[str]) -> str:
    return "[phone]" if 7 <= sum(c.isdigit() for c in match.group()) <= 15 else match.group()


def _luhn(digits: list[int]) -> bool:
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2])
    return total % 10 == 0
