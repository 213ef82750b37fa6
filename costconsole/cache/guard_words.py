"""Words that the guards know: numbers, negations, opposites. All in lower case.

Words that mean something else in English ("due", "once", "sin") are left out of the other languages.
"""

from __future__ import annotations

from functools import lru_cache

UNITS = {
    word: number
    for words in (
        "two three four five six seven eight nine ten eleven twelve",
        "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "deux trois quatre cinq six sept huit neuf dix onze douze",
        "dos tres cuatro cinco seis siete ocho nueve diez - doce",
        "- - quattro cinque sei sette otto nove dieci undici dodici",
        "dois três quatro cinco seis sete oito nove dez onze doze",
        "twee drie vier vijf zes zeven acht negen tien elf twaalf",
    )
    for number, word in enumerate(words.split(), start=2)
    if word != "-"
} | {"zwo": 2, "duas": 2}
"""Two to twelve. "One" is too often no number: it is among the WEAK."""

_TEENS = "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
TEENS = {word: number for number, word in enumerate(_TEENS.split(), start=13)}
TENS = {word: number * 10 for number, word in enumerate(_TENS.split(), start=2)}
SCALES = {
    "hundred": 100,
    "thousand": 1_000,
    "lakh": 100_000,
    "lakhs": 100_000,
    "million": 1_000_000,
    "millions": 1_000_000,
    "crore": 10_000_000,
    "crores": 10_000_000,
    "billion": 1_000_000_000,
    "billions": 1_000_000_000,
    "trillion": 1_000_000_000_000,
}
"""What a number before it is multiplied by. Without one it is WEAK."""

WEAK = {
    "one": 1, "once": 1, "single": 1, "first": 1, "eins": 1, "second": 2, "twice": 2, "double": 2, "pair": 2,
    "couple": 2, "both": 2, "third": 3, "thrice": 3, "triple": 3, "fourth": 4, "fifth": 5, "sixth": 6,
    "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "dozen": 12, "zero": 0,
    "hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000,
    "january": 1, "february": 2, "march": 3, "april": 4, "may": 5, "june": 6, "july": 7, "august": 8,
    "september": 9, "october": 10, "november": 11, "december": 12, "jan": 1, "feb": 2, "mar": 3, "apr": 4,
    "jun": 6, "jul": 7, "aug": 8, "sep": 9, "sept": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
"""Words that may stand for a number: they answer one on the other side, and ask for none."""

_NEGATIONS = """
not no never without cannot nor none except dont doesnt didnt isnt arent wasnt werent cant couldnt shouldnt
wouldnt havent hasnt hadnt
nicht kein keine keinen keinem keiner ohne niemals
jamais sans aucun aucune
nunca jamás ninguno ninguna
não nunca
niet geen zonder nooit
"""
NEGATIONS = frozenset(_NEGATIONS.split())
"""Beside all that ends in n't."""

_GERMAN = "der die das und ich ist nicht ein eine mein meine wie für mit auf den von zu kann"
GERMAN = frozenset(_GERMAN.split())
"""Words of which two make a text German."""

_OPPOSITES = """
able/unable accept/reject accept/decline accept/refuse activate/deactivate add/remove add/delete
advantage/disadvantage agree/disagree allow/forbid allow/block allow/prevent allow/disallow allowed/banned
always/never appear/disappear approve/reject approve/deny arrival/departure arrive/depart arrive/leave
ascending/descending asleep/awake attach/detach back/front beautiful/ugly before/after begin/end
begin/finish begin/stop beginning/end benefit/drawback benefit/harm best/worst better/worse big/small
big/little black/white block/unblock bottom/top bright/dark bright/dim brother/sister buy/sell buyer/seller
cause/prevent cheap/expensive clean/dirty clockwise/anticlockwise close/open cold/hot cold/warm
compatible/incompatible complete/incomplete compress/decompress compress/extract connect/disconnect
continue/stop correct/incorrect correct/wrong create/delete create/destroy credit/debit dead/alive
decode/encode decrease/increase decrypt/encrypt deep/shallow demand/supply deposit/withdraw
deposit/withdrawal difficult/easy dinner/breakfast disable/enable discourage/encourage domestic/international
domestic/foreign down/up downgrade/upgrade download/upload downstairs/upstairs dry/wet early/late east/west
eastern/western easy/hard empty/full enemy/friend enter/exit entrance/exit even/odd exclude/include
excluding/including expand/collapse export/import external/internal fail/succeed fail/pass failure/success
failed/successful false/true far/near fast/slow fat/thin father/mother female/male few/many first/last
follow/unfollow forget/remember forward/backward free/paid freeze/unfreeze freeze/thaw gain/lose gain/loss
give/take good/bad grow/shrink guilty/innocent happy/sad happy/unhappy hate/love hate/like heavy/light
hide/show hide/unhide high/low higher/lower highest/lowest hire/fire husband/wife import/export
income/expense indoor/outdoor inner/outer input/output inside/outside install/uninstall interior/exterior
join/leave junior/senior king/queen large/small larger/smaller largest/smallest left/right legal/illegal
less/more least/most lend/borrow like/dislike link/unlink literate/illiterate load/unload lock/unlock
login/logout long/short longer/shorter longest/shortest loose/tight loud/quiet major/minor man/woman
men/women boy/girl max/min maximum/minimum maximize/minimize merge/split minus/plus mount/unmount
multiply/divide mute/unmute natural/artificial negative/positive new/old newer/older newest/oldest
night/day normal/abnormal north/south northern/southern obey/disobey offline/online old/young on/off
optional/required optional/mandatory over/under pack/unpack parent/child pause/resume
permanent/temporary physical/virtual pin/unpin poor/rich possible/impossible powerful/weak present/absent
private/public profit/loss pros/cons pull/push raise/lower read/write real/fake recent/old receive/send
receiver/sender regular/irregular reliable/unreliable remote/local remote/onsite reward/punish
right/wrong rise/fall rough/smooth safe/unsafe safe/dangerous save/spend saved/deleted secure/insecure
sharp/blunt sick/healthy simple/complex single/married smart/stupid soft/hard start/stop start/end
start/finish strength/weakness strong/weak stronger/weaker subscribe/unsubscribe sunrise/sunset
summer/winter tall/short taller/shorter teach/learn tie/untie today/tomorrow today/yesterday together/apart
trust/distrust undo/redo unlike/like useful/useless vertical/horizontal victory/defeat
visible/invisible wanted/unwanted warm/cool wide/narrow win/lose winner/loser within/outside
yes/no debit/credit checkin/checkout inbound/outbound incoming/outgoing morning/evening weekday/weekend
lenient/strict cancel/confirm cancel/renew cancel/keep shut/open ingress/egress client/server
introvert/extrovert optimistic/pessimistic acid/base urban/rural war/peace victim/attacker
overweight/underweight employed/unemployed employer/employee landlord/tenant lender/borrower
gross/net prefix/suffix synonym/antonym theist/atheist predator/prey plaintiff/defendant
"""


@lru_cache(maxsize=1)
def opposites() -> dict[str, frozenset[str]]:
    """The opposites of a word, in each form that a verb, noun or adjective of the list takes."""
    found: dict[str, set[str]] = {}
    for pair in _OPPOSITES.split():
        one, other = pair.split("/")
        forms, others = _forms(one), _forms(other)
        for word in forms:
            found.setdefault(word, set()).update(others)
        for word in others:
            found.setdefault(word, set()).update(forms)
    return {word: frozenset(others - {word}) for word, others in found.items()}


_IRREGULAR = {
    "buy": "bought", "sell": "sold", "begin": "began begun", "give": "gave given", "take": "took taken",
    "win": "won", "lose": "lost", "send": "sent", "spend": "spent", "lend": "lent", "teach": "taught",
    "rise": "rose risen", "fall": "fell fallen", "grow": "grew grown", "shrink": "shrank shrunk",
    "forget": "forgot forgotten", "hide": "hid hidden", "freeze": "froze frozen", "leave": "left",
    "withdraw": "withdrew withdrawn", "write": "wrote written", "keep": "kept", "forbid": "forbade forbidden",
    "split": "", "shut": "", "child": "children", "wife": "wives", "loss": "losses",
}  # fmt: skip
_DOUBLING = ("stop", "begin", "win", "split", "shut", "forget", "forbid", "pin", "unpin")
_FIXED = """
on off out up down with without over under before after within inside outside yes no never always more less
most least few many top back front best worst better worse right wrong left first last today tomorrow
yesterday both men women far near base cons pros early late free north south east west long short old new
young hot cold like
"""
_NOT_INFLECTED = frozenset(_FIXED.split())


def _forms(word: str) -> frozenset[str]:
    """The word with the endings -s, -ed and -ing as they are spelled, where it takes them."""
    if word in _NOT_INFLECTED:
        return frozenset((word,))
    if word.endswith("e"):
        made = {word + "s", word + "d", word[:-1] + "ing"}
    elif word.endswith("y") and word[-2] not in "aeiou":
        made = {word[:-1] + "ies", word[:-1] + "ied", word + "ing"}
    elif word in _DOUBLING:
        made = {word + "s", word + word[-1] + "ed", word + word[-1] + "ing"}
    elif word.endswith(("s", "x", "ch", "sh")):
        made = {word + "es", word + "ed", word + "ing"}
    else:
        made = {word + "s", word + "ed", word + "ing"}
    return frozenset((word, *made, *_IRREGULAR.get(word, "").split()))
