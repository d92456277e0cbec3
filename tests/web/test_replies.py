"""Replies as they are drawn: what a model writes arrives as it was written, and bears no harm."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import arena.web
from arena.web.arena_tab import SCRIPTS, katex
from tests.web.replies import ASSETS, markup, sheet, show

TYPICAL = """# Steps

Take **two** of *these*, and `one` of ~~those~~:
a new line. Setext
===

1. First
2. Second, with code
   ```sh
   echo "$HOME"
   ```

   and a paragraph
   - nested
     - deeper
3. Third

- [ ] open
- [x] done

> quoted
goes on
> - with a list

| Name | Size |
|:-----|-----:|
| a\\|b | **2** |
| c<br>d | 3 |

$$
x = 1
$$

    indented

---
[link](https://example.org/a_(b)) and https://example.org/c_d.
"""
BOMBS = [
    "$" + r"\frac{1}{" * 150 + "1" + "}" * 150 + "$",
    "> " * 1000 + "x",
    "*a " * 700,
    "- " * 500,
    "_a__b" * 400,
    "[a](" * 500,
    "[" * 2000,
    "1. " * 800,
    "**a _b " * 1000 + "_ **" * 1000,
    "`" * 20_000,
    "$x$ " * 5000,
    r"$\sqrt" * 100 + r"\sqrt" * 900 + "2$",
    "|a" * 3000 + "|\n" + "|-" * 3000 + "|\n" + "|b" * 2000,
    "- x\n" * 5000,
    "a\n\n" * 6000,
]
MONEY = [
    "Plan A costs $20 a month and plan B costs $25.",
    "between $5-$10, US$20/US$30, ($20), $1,200 or 5$ and 6$",
    "set $HOME and $PATH, $HOME/$USER, $USER_NAME$x, $a = $b",
    "$20 + $30 = $50",
]


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    with sheet(browser) as page:
        yield page


# As it was written ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", MONEY)
def test_prices_and_variables_are_no_mathematics(page: Any, text: str) -> None:
    assert show(page, text).inner_text().strip() == text
    assert not page.locator(".maths").count()


def test_dollars_in_code_and_in_bold_stay(page: Any) -> None:
    drawn = markup(page, ["`$1` is first, `$2` second; **$1,200** and **$900** now"])
    assert drawn == (
        '<p><code dir="ltr">$1</code> is first, <code dir="ltr">$2</code> second; '
        "<strong>$1,200</strong> and <strong>$900</strong> now</p>"
    )


@pytest.mark.parametrize(
    ("text", "display"),
    [
        (r"$$c=\sqrt{2}$$", True),
        (r"\[c=\sqrt{2}\]", True),
        ("$$\nc=2\n$$", True),
        (r"\(c\)", False),
        ("$a^2+b^2$", False),
        ("$n$", False),
        (r"the set $\{x\}$", False),
        ("\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}", True),
        (r"so \begin{cases} x & y \end{cases} holds", True),
    ],
)
def test_mathematics_is_drawn(page: Any, text: str, display: bool) -> None:
    drawn = show(page, f"It is {text} here." if "\n" not in text else text)
    drawn.locator(".maths .katex").wait_for()
    assert bool(drawn.locator(".katex-display").count()) == display


def test_no_more_formulas_are_drawn_before_the_last_ones_are_seen(page: Any) -> None:
    """Nor at once after that: the page is whoever uses it for twice as long as they took."""
    text = " ".join(rf"$\sqrt{{\frac{{a_{{{n}}}}}{{b^{{{n}}}}}}}$ and" for n in range(200))
    between, drawn = page.evaluate(
        """async (text) => {
          const usual = requestAnimationFrame;
          let seen = [];
          window.requestAnimationFrame = (call) => seen.push(call);
          const task = () => new Promise((resolve) => setTimeout(resolve));
          const box = document.querySelector('.reply');
          box.replaceChildren();
          const drawn = () => box.getElementsByClassName('katex').length;
          new Replies(box).draw([text], ['?']);
          const between = [];
          for (let before = 0; drawn() < 200; before = drawn()) {
            while (!seen.length) await task();
            const first = drawn();
            for (let n = 0; n < 20; n += 1) await task();
            between.push([first > before, drawn() - first]);
            const [calls, now] = [seen, performance.now()];
            seen = [];
            calls.forEach((call) => call(now));
          }
          window.requestAnimationFrame = usual;
          return [between, drawn()];
        }""",
        text,
    )
    assert drawn == 200
    assert len(between) > 2 and between == [[True, 0]] * len(between)


def test_what_takes_long_is_done_in_turns_with_room_for_keys_between(page: Any) -> None:
    """Texts and formulas share the turns; work that fails does not end them."""
    gap, took, failed = page.evaluate(
        """async () => {
          const times = [];
          const busy = () => {
            const began = performance.now();
            while (performance.now() - began < 30);
            times.push([began, performance.now()]);
          };
          const failed = inTurn(() => { throw new Error("broken"); }).then(() => false, () => true);
          inTurn(busy);
          await inTurn(busy);
          const [[first, ended], [second]] = times;
          return [second - ended, ended - first, await failed];
        }"""
    )
    # A browser's timers come early by less than a millisecond.
    assert gap > 2 * took - 2
    assert failed


def test_the_library_for_mathematics_is_where_gradio_serves_it() -> None:
    script, style = katex()
    assert (ASSETS / script).is_file() and (ASSETS / style).is_file()


def test_blocks_become_what_they_are(page: Any) -> None:
    show(page, TYPICAL)
    tags = "h3 strong em s h3 ol figure ul blockquote table hr a .task .display br".split()
    for tag in tags:
        assert page.locator(f".answer {tag}").count(), tag
    assert page.locator(".answer ol li > p").all_inner_texts()[:2] == ["First", "Second, with code"]
    assert page.locator(".answer ol ul ul li").inner_text() == "deeper"
    assert page.locator(".answer td").first.inner_text() == "a|b"
    links = page.eval_on_selector_all(".answer a", "all => all.map(a => a.href)")
    assert links == ["https://example.org/a_(b)", "https://example.org/c_d"]


@pytest.mark.parametrize(
    "text",
    [
        "详见{}。然后继续。",
        "访问 {}，然后",
        "（见{}）后面",
        "「{}」です",
        "راجع {}، ثم",
        "هل زرت {}؟",
    ],
)
def test_an_address_ends_where_its_sentence_does_without_a_space(page: Any, text: str) -> None:
    show(page, text.format("https://example.org/b"))
    links = page.eval_on_selector_all(".answer a", "all => all.map(a => a.href)")
    assert links == ["https://example.org/b"]


def test_tasks_are_boxes_that_are_ticked_or_not(page: Any) -> None:
    boxes = show(page, "- [ ] open\n- [x] done").locator("input[type=checkbox]:disabled")
    assert [box.is_checked() for box in boxes.all()] == [False, True]
    assert page.locator(".answer .task").all_inner_texts() == ["open", "done"]


def test_a_table_scrolls_and_breaks_no_word(page: Any) -> None:
    words = [f"incomprehensibilities{n}" for n in range(6)]
    show(page, f"| {' | '.join(words)} |\n{'|---' * 6}|\n| {' | '.join(words)} |")
    lines, inner, outer, pane = page.evaluate(
        """() => {
          const [cell, box] = ['.answer td', '.answer .table'].map((it) => document.querySelector(it));
          const text = document.createRange();
          text.selectNodeContents(cell);
          const pane = document.querySelector('.reply');
          return [text.getClientRects().length, box.scrollWidth, box.clientWidth,
            pane.scrollWidth - pane.clientWidth];
        }"""
    )
    assert lines == 1 and inner > outer and pane == 0


def test_code_says_its_language_and_is_copied_as_it_was_written(page: Any) -> None:
    code = "def f():\n\treturn '<b>'\n\n\n" + "x = 1\n" * 100
    text = f"Thus:\n\n```python\n{code}```\n"
    show(page, text)
    assert page.inner_text(".code figcaption span") == "python"
    page.evaluate(
        "() => { globalThis.taken = []; navigator.clipboard.writeText = async (t) => taken.push(t); }"
    )
    page.click(".code .copy")
    page.click(".turn > .copy")
    page.wait_for_function("taken.length === 2")
    assert page.evaluate("taken") == [code, text]


def test_each_block_runs_its_own_way_and_code_never_turns(page: Any) -> None:
    show(page, "مرحبا 1\n\nHello\n\n- بند\n- item\n\n> اقتباس\n\n```\nمرحبا\n```\n\n`x` مرحبا")
    ways = page.evaluate(
        """() => [...document.querySelectorAll('.answer > p, .answer li, .answer blockquote, code')]
          .map((each) => [each.tagName, getComputedStyle(each).direction])"""
    )
    assert [way for _, way in ways] == ["rtl", "ltr", "rtl", "ltr", "rtl", "ltr", "rtl", "ltr"]


# Harmless ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '<div x style="position:fixed;inset:0">Sign in</div>',
        "<svg/onload=alert(1)><details open ontoggle=alert(1)>",
        '<p id="send">x</p><form><input name=status>',
        "<!-- <b> --><![CDATA[x]]><?php x ?>",
    ],
)
def test_markup_stays_text(page: Any, text: str) -> None:
    assert show(page, text).locator("p").inner_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt&colon;alert(1))",
        "[x](data:text/html,<b>)",
        "![x](http://127.0.0.1:9/pixel.png)",
        "[x](//evil.example)",
        r"$$\href{javascript:alert(1)}{x}\htmlId{send}{x}\includegraphics{http://127.0.0.1:9/}$$",
    ],
)
def test_links_lead_to_the_web_only_and_nothing_is_loaded(page: Any, text: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    show(page, text)
    page.wait_for_timeout(50)
    hrefs = page.eval_on_selector_all(".answer a", "all => all.map(a => a.protocol)")
    assert {*hrefs} <= {"http:", "https:"}
    assert not page.locator(".answer :is([id], img, [style*=fixed])").count()
    assert not [url for url in asked if "127.0.0.1" in url or "evil" in url]


# Whatever comes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 3, 7])
def test_a_reply_that_grows_ends_as_one_that_came_at_once(page: Any, cut: int) -> None:
    pieces = [TYPICAL[start : start + cut] for start in range(0, len(TYPICAL), cut)]
    assert markup(page, pieces) == markup(page, [TYPICAL])


SCRAPS = st.sampled_from(
    [
        *"ab \n\n|-*_`>#1.$~[]()\\",
        "\n\n",
        "```\n",
        "- ",
        "1. ",
        "> ",
        "$$",
        "| a | b |\n",
        "|-|-|\n",
    ]
)


@pytest.mark.slow
def test_any_text_ends_the_same_however_it_was_cut(page: Any) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(SCRAPS, min_size=1, max_size=40))
    def run(scraps: list[str]) -> None:
        assert markup(page, scraps) == markup(page, ["".join(scraps)])

    run()


SHORT = "# Steps\n\n1. First\n2. Second\n\n| A | B |\n|---|---|\n| c | d |\n\nSo much."


@pytest.mark.parametrize("text", [SHORT, "> " * 1000 + "x"])
def test_a_reply_that_is_told_again_stays_as_it_is(page: Any, text: str) -> None:
    whole = show(page, text).inner_html()
    for told in ("", text[:9], text[: len(text) // 2], text):
        page.evaluate("text => replies.draw([text], ['?'])", told)
        assert page.locator(".answer").inner_html() == whole


@pytest.mark.parametrize("text", [SHORT, "> " * 1000 + "x", "Short."])
def test_another_text_takes_the_place_of_the_one_before(page: Any, text: str) -> None:
    alone = show(page, text).inner_text()
    show(page, "Another.\n\n" * 40)
    page.evaluate("text => { while (!replies.draw([text], ['?'])); }", text)
    assert page.locator(".answer").inner_text() == alone


def test_finished_blocks_are_not_touched_again(page: Any) -> None:
    touched = page.evaluate(
        """() => {
          const text = 'Some words.\\n\\n```py\\nx = 1\\n```\\n\\n- a\\n- b\\n\\n'.repeat(40);
          show([text]);
          const before = [...document.querySelector('.answer').children];
          const pieces = Array.from('More **words** and `code`.\\n\\n- x\\n- y\\n');
          let now = text;
          for (const piece of pieces) {
            now += piece;
            replies.draw([now], ['?']);
          }
          const after = document.querySelector('.answer').children;
          return before.slice(0, -1).filter((each, n) => each !== after[n]).length;
        }"""
    )
    assert touched == 0


BLOCKED_S = 0.5
LONGEST = 20_000
DELIMITERS = [
    *"*_~`$[]()<>|#-+.\\!&\n ",
    *(
        "**",
        "***",
        "__",
        "$$",
        r"\(",
        r"\)",
        r"\[",
        r"\]",
        "](",
        "![",
        "```",
        "~~~",
        "<!--",
        "<br>",
    ),
    *(
        "&amp;",
        "&#9;",
        "http://",
        "mailto:",
        "> ",
        "- ",
        "1. ",
        "- [ ] ",
        "    ",
        "\t",
        "|-|",
        "\n|",
    ),
    *(
        r"\frac{",
        r"\sqrt",
        r"\left(",
        r"\begin{matrix}",
        "^{",
        "_{",
        "}",
        "{",
        r"\text{",
        r"\over ",
    ),
    *("a", "word ", "😀", "é", "漢", "ع", "\u200b", "\u0301", "\u202e"),
]


def blocked(page: Any, text: str) -> float:
    """Seconds of the longest time in which the page could do nothing else, formulas included."""
    told: float = page.evaluate(
        """async (text) => {
          let [longest, last, going] = [0, performance.now(), true];
          const channel = new MessageChannel();
          const beat = () => {
            const now = performance.now();
            longest = Math.max(longest, now - last);
            last = now;
            if (going) channel.port2.postMessage(0);
          };
          channel.port1.onmessage = beat;
          channel.port2.postMessage(0);
          const box = document.querySelector('.reply');
          box.replaceChildren();
          const own = new Replies(box);
          const rest = () => new Promise((resolve) => setTimeout(resolve));
          for (let whole = false; !whole;) {
            Object.assign(slice, { ms: SLICE_MS, since: 0 });
            whole = own.draw([text], ['?']);
            await rest();
          }
          slice.ms = Infinity;
          while (waiting.size || typesetting) await rest();
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          going = false;
          return longest / 1000;
        }""",
        text,
    )
    return told


def blocks(page: Any, text: str) -> bool:
    """Another program may have had the processor; whatever is slow is slow again."""
    return all(blocked(page, text) > BLOCKED_S for _ in range(4))


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS, ids=[bomb[:8].replace("\n", " ") for bomb in BOMBS])
def test_what_froze_the_tab_does_not(page: Any, bomb: str) -> None:
    assert not blocks(page, bomb)
    assert page.locator(".reply").inner_text().strip()


def generated(dice: random.Random) -> str:
    """A few kinds of signs in some rhythm, again and again, or the same closed in itself."""
    signs = dice.sample(DELIMITERS, dice.randint(1, 4))
    unit = "".join(dice.choices(signs, k=dice.randint(1, 8)))
    length = dice.choice([500, 5000, LONGEST])
    if dice.random() < 0.3:
        begin, end = dice.choice([("[", "]"), ("**a", "b**"), ("{", "}"), ("$$", "$$"), ("(", ")")])
        count = length // (len(begin + end) * 2)
        return (begin * count + unit + end * count)[:LONGEST]
    if dice.random() < 0.3:
        return "".join(dice.choices(DELIMITERS, k=length))[:LONGEST]
    return (unit * length)[:length]


@pytest.mark.slow
def test_no_text_blocks_the_page(page: Any) -> None:
    dice = random.Random(11)
    texts = [generated(dice) for _ in range(300)]
    assert not [text[:60] for text in texts if blocks(page, text)]


def test_what_is_too_deep_stands_as_it_was_written_with_a_note(page: Any) -> None:
    text = "Before\n\n" + "> " * 300 + "x"
    show(page, text)
    assert page.inner_text(".answer .plain").strip() == text
    assert "as it was written" in page.inner_text(".answer .pane-note")


# The person -------------------------------------------------------------------------------------


def test_who_scrolls_up_stays_there_and_who_is_at_the_end_follows(page: Any) -> None:
    tops = page.evaluate(
        """async () => {
          const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          const box = document.querySelector('.reply');
          box.replaceChildren();
          const own = new Replies(box);
          let text = '';
          const more = async () => {
            text += 'Some more words.\\n\\n'.repeat(30);
            own.draw([text], ['?']);
            await frame();
            return Math.round(box.scrollHeight - box.clientHeight - box.scrollTop);
          };
          const followed = [await more(), await more()];
          box.scrollTop = 200;
          await frame();
          await more();
          const stayed = box.scrollTop;
          box.scrollTop = box.scrollHeight;
          await frame();
          followed.push(await more());
          own.toTop();
          return [followed, stayed, box.scrollTop];
        }"""
    )
    assert tops == [[0, 0, 0], 200, 0]


def test_formulas_below_the_view_are_laid_out_when_the_top_has_been_seen(page: Any) -> None:
    """A browser would lay out some screens of them at once, while nobody is answered."""
    text = "\n\n".join(f"Line {n} says $a_{{{n}}}$." for n in range(300))
    left_out, out_of_view, in_turns, at_the_end = page.evaluate(
        """async (text) => {
          const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          const box = document.querySelector('.reply');
          box.replaceChildren();
          const own = new Replies(box);
          while (!own.draw([text], ['?'])) await frame();
          await frame();
          const bottom = box.getBoundingClientRect().bottom;
          const below = own.toTop();
          const hidden = (block) => block.style.contentVisibility === 'hidden';
          const told = [
            below.filter(hidden).length,
            below.filter((block) => block.getBoundingClientRect().top >= bottom - 1).length,
          ];
          const seen = [];
          const laying = layOut([...below]);
          for (let done = false; !done; laying.then(() => { done = true; })) {
            await frame();
            seen.push(below.filter(hidden).length);
          }
          return [...told, new Set(seen).size, below.filter(hidden).length];
        }""",
        text,
    )
    assert left_out == out_of_view > 10
    assert in_turns > 2 and at_the_end == 0


def test_no_two_scripts_of_the_page_use_one_name(page: Any) -> None:
    """They are put together into one; the later would silently be taken for the earlier."""
    folder = Path(arena.web.__file__).parent
    scripts = [(folder / name).read_text(encoding="utf-8") for name in SCRIPTS]
    names = page.evaluate(
        r"(all) => all.flatMap((s) => [...s.matchAll(/^(?:async )?function (\w+)/gm)].map((m) => m[1]))",
        scripts,
    )
    assert len(names) > 50 and sorted(names) == sorted({*names})
