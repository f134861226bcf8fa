"""The people of the stories, as hands and eyes in a browser: a nurse at a counter, and what their page shows.

Steps are sentences. They find things by what the page promises to keep: the screen's name, ids, codes, and the words
on a button where the word is the point.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.plugins.browser import COUNTER as DESK_SIZE
from tests.plugins.browser import on_screen

#: Browser language, the program's name of it, and what the primary button says in it.
LANGUAGES = {"zh-TW": "zh_Hant_TW", "en": "en", "zh-CN": "zh_Hans_CN"}
PREPARE = {"zh-TW": "備藥", "en": "Prepare", "zh-CN": "备药"}
SWALLOWED = {"zh-TW": "已服下", "en": "Swallowed", "zh-CN": "已服下"}
PATIENCE_MS = 90_000  # a touch is drawn, extracted and matched first; on a busy machine that takes a while
REACTION_MS = 450  # nobody is quicker; the page takes no tap on a button that came up 0.4 s ago
LOCKED = re.compile("/locked")
AS_A_SCANNER = """() => {
    let at = performance.now();
    const stamps = new WeakMap();
    Object.defineProperty(KeyboardEvent.prototype, "timeStamp", {
        configurable: true,
        get() { if (!stamps.has(this)) stamps.set(this, (at += 5)); return stamps.get(this); },
    });
}"""
AS_A_HAND = "() => { delete KeyboardEvent.prototype.timeStamp; }"
SHOTS = os.environ.get("STORY_SHOTS")  # a folder: every step leaves a picture there


def mg(dose_ug: int) -> str:
    """As a page writes it: number and unit never part."""
    return f"{dose_ug / 1000:g}\N{NO-BREAK SPACE}mg"


class Person:
    """Somebody with an account and a browser of their own."""

    def __init__(self, story, page: Page, username: str, language: str = "zh-TW"):
        self.story, self.page, self.account, self.language = story, page, story.account(username), language
        self.touches = page.evaluate("navigator.maxTouchPoints > 0")

    # --- hands ----------------------------------------------------------------------

    def press(self, what: str | Locator) -> None:
        """A tap on a touch screen, a click elsewhere."""
        target = self.page.locator(what) if isinstance(what, str) else what
        if self.touches:
            target.tap()
        else:
            target.click()

    def sign_in(self) -> None:
        self.page.goto(f"{self.story.url}/language/{LANGUAGES[self.language]}?next=/sign-in")
        self.page.fill("input[name=username]", self.account.username)
        self.page.fill("input[name=password]", self.account.password)
        self.page.fill("input[name=totp]", self.story.code(self.account.username))
        self.press("main form button[data-primary]")
        self.page.wait_for_url(lambda url: "/sign-in" not in url)
        self.speak(self.language)

    def speak(self, language: str) -> None:
        """Choose the language of the pages."""
        here = self.page.url.removeprefix(self.story.url)
        self.page.goto(f"{self.story.url}/language/{LANGUAGES[language]}?next={here}")
        self.language = language

    def returns_with_pin(self) -> None:
        """On the lock page: the PIN leads back to where one was."""
        self.page.wait_for_url(LOCKED)
        self.page.fill("input[name=pin]", self.account.pin)
        self.press("form[data-pinpad] [data-primary]")
        self.page.wait_for_url(lambda url: "/locked" not in url)

    def go(self, address: str) -> None:
        self.page.goto(self.story.url + address)

    # --- eyes -------------------------------------------------------------------------

    def shot(self, name: str) -> None:
        if SHOTS:
            size = "desk" if self.page.viewport_size == DESK_SIZE else "phone"
            self.page.screenshot(path=Path(SHOTS) / f"{name}-{size}-{self.language}.png")

    def reads(self, text: str) -> None:
        expect(self.page.locator("body")).to_contain_text(text)


class Nurse(Person):
    """At one counter."""

    def __init__(
        self, story, page: Page, username: str = "hua.nurse1", language: str = "zh-TW", counter: str = "HUA1-1"
    ):
        super().__init__(story, page, username, language)
        self.counter = counter

    def opens_the_counter(self) -> None:
        self.sign_in()
        self.takes_the_counter()

    def takes_the_counter(self, finds: str = "idle") -> None:
        self.go("/workplace")
        self.press(f"button[name=counter][value='{self.counter}']")
        self.sees(finds)

    def sees(self, screen: str) -> Locator:
        """The person zone, once it shows this screen."""
        zone = self.page.locator(f'#person[data-screen="{screen}"]')
        try:
            zone.wait_for(timeout=PATIENCE_MS)
        except PlaywrightTimeout:
            there = self.page.locator("#person, main").first
            said = f"{there.get_attribute('data-screen')}: {there.inner_text()} | {self._said()}"
            raise AssertionError(f"waited for the screen {screen!r}, stands at {said}") from None
        self.page.wait_for_timeout(REACTION_MS)
        return zone

    def _said(self) -> str:
        return " ".join(self.page.locator("#toasts").all_inner_texts())

    @property
    def primary(self) -> Locator:
        return self.page.locator("#primary")

    def can_press_primary(self) -> None:
        """The one button of this step is in sight without scrolling, and it can be pressed."""
        expect(self.primary).not_to_have_attribute("aria-disabled", "true")
        assert on_screen(self.page, "#primary"), "the primary button is not on the screen"

    # --- the reader of the demo ------------------------------------------------------------

    def touch(self, who: object) -> None:
        """A finger on the practice reader: a person, or "wet", "wrong", "stranger"."""
        code = who if isinstance(who, str) else who.id
        self.press("[data-opens=demo-reader]")
        self.press(f"#demo-reader button[name=finger][value='{code}']")
        expect(self.page.locator("#demo-reader")).to_be_hidden()

    def scan(self, code: str) -> None:
        """A scanner of the keyboard kind: its keys come faster than anybody's, Enter last.

        The page tells it from a hand by the time between two keys. On a busy machine a key of the browser's driver
        is late at times, a scanner's never: so they are stamped 5 ms apart.
        """
        self.page.evaluate(AS_A_SCANNER)
        self.page.keyboard.type(code)
        self.page.keyboard.press("Enter")
        self.page.evaluate(AS_A_HAND)

    def shows_card(self, person) -> None:
        """The card under the scanner, the person's PIN on the keypad, Enter."""
        self.scan(person.card)
        self.sees("pin")
        self.page.keyboard.type(person.pin)
        self.page.keyboard.press("Enter")

    def types_number(self, number: str) -> Locator:
        """The dialog with the ways that begin with a number."""
        self.page.fill("#find-text", number)
        self.page.keyboard.press("Enter")
        dialog = self.page.locator("#identity-dialog")
        dialog.wait_for()
        return dialog

    # --- one dose, step by step ----------------------------------------------------------------

    def calls(self, person) -> None:
        """The person touches, and their card is there."""
        self.touch(person)
        self.sees("card")
        expect(self.page.locator("#person h2")).to_have_text(person.number)

    def sees_no_signs(self) -> None:
        self.press(self.page.locator("label", has=self.page.locator("#no-signs")))

    def confirms_the_bottle(self) -> None:
        self.press("#bottle-seen")
        expect(self.page.locator("#bottle-seen")).to_have_count(0)

    def checks(self) -> None:
        """No signs of intoxication, and the bottle in the hand is the one on the page."""
        if self.page.locator("#bottle-seen").count():
            self.confirms_the_bottle()
        self.sees_no_signs()

    def prepares(self) -> None:
        self.can_press_primary()
        self.press(self.primary)
        self.sees("poured")

    def checks_and_prepares(self, person) -> None:
        self.calls(person)
        self.checks()
        self.prepares()

    def checks_again_at_hand_over(self, person) -> None:
        self.touch(person)
        self.sees("handed")

    def lets_sign(self) -> None:
        """The person draws on the pad."""
        pad = self.page.locator("canvas[data-sign]")
        pad.scroll_into_view_if_needed()
        box = pad.bounding_box()
        x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        for step in range(1, 9):
            self.page.mouse.move(x + step * box["width"] / 20, y + (-1) ** step * box["height"] / 5)
        self.page.mouse.up()
        assert self.page.locator("[data-signature]").input_value()

    def says_swallowed(self) -> None:
        self.can_press_primary()
        self.press(self.primary)
        self.sees("idle")

    def gives(self, person) -> None:
        """The whole dose."""
        self.checks_and_prepares(person)
        self.checks_again_at_hand_over(person)
        self.lets_sign()
        self.says_swallowed()

    # --- otherwise ---------------------------------------------------------------------------------

    def chooses_other_outcome(self, kind: str) -> Locator:
        self.press("#other-outcomes summary")
        self.press(f"#other-outcomes button[hx-get$='/outcome/{kind}']")
        dialog = self.page.locator("#outcome-dialog")
        dialog.wait_for()
        return dialog

    def picks(self, dialog: Locator, name: str, value: str) -> None:
        self.press(dialog.locator("label", has=self.page.locator(f"input[name='{name}'][value='{value}']")))

    def hears(self, code_or_text: str) -> None:
        """A message in the corner."""
        expect(self.page.locator("#toasts")).to_contain_text(code_or_text)


# --- the language of a page -----------------------------------------------------------------------

#: Latin letters that belong on a Chinese page: units, keys, and names that have no other form.
_CODES = {
    "mg", "mL", "µL", "km", "OST", "PIN", "Esc", "F2", "F4", "QR", "ID", "TOTP", "UTC", "PNG", "JPEG", "dpi", "HUA1", "s",
    "English",
}  # fmt: skip
_WORD = re.compile(r"[A-Za-zµ][A-Za-z0-9µ'.-]*[A-Za-z0-9]")
_CODE = re.compile(r"[A-Z]{1,3}-?[A-Z0-9]*\d[A-Z0-9-]*|\d")
_HAN = re.compile(r"[\u4e00-\u9fff]+")
#: Characters that only one of the two Chinese scripts has, of words these pages use.
_TRADITIONAL = re.compile("[備藥櫃請觸讀號碼劑紀錄個與對應點擊麼樣從動選輸確認這開關處條結過無現時間護師醫機構簽會員鎖變級數單]")
_SIMPLIFIED = re.compile("[备药柜请触读号码剂纪录个与对应点击么样从动选输确认这开关处条结过无现时间护师医机构签会员锁变级数单]")

# Everything a person can see or hear of the page, piece by piece; not the names of people and of languages.
_PIECES = """() => {
  const seen = (el) => el.checkVisibility({visibilityProperty: true});
  const skip = "[data-masked], [lang]:not(html), .menu, noscript, script, style, .who__home";
  const found = [document.title];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const el = walk.currentNode.parentElement;
    if (!el.closest(skip) && seen(el)) found.push(walk.currentNode.data.trim());
  }
  document.querySelectorAll("[aria-label], [placeholder], [title], [alt]").forEach((el) => {
    if (el.closest(skip) || !seen(el)) return;
    for (const name of ["aria-label", "placeholder", "title", "alt"]) found.push(el.getAttribute(name) || "");
  });
  return found.filter((text) => text);
}"""


def foreign_words(page: Page, language: str, names: list[str]) -> list[str]:
    """What stands on the page as it is now in another language than `language`. `names`: of people, left out."""
    found = []
    for piece in page.evaluate(_PIECES):
        text = piece
        for name in names:
            text = text.replace(name, "")
        if language == "en":
            wrong = _HAN.findall(text)
        else:
            other = _SIMPLIFIED if language == "zh-TW" else _TRADITIONAL
            wrong = [w for w in _WORD.findall(text) if w not in _CODES and not _CODE.match(w)]
            wrong += other.findall(text)
        found += [f"{w!r} in {piece!r}" for w in wrong]
    return sorted(set(found))
