"""Markdown to blocks and formulas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.stages.ingestion.documents.markdown import parse_markdown
from dlcc.stages.ingestion.documents.page import split_sentences

PAGE = """# Method

A GAN, e.g. Goodfellow et al. 2014. It maps $z$ to
$G(z)$. The loss is

$$
L_D = -\\log D(x)
$$

## Settings

| key | value |
|---|---|
| lr | $10^{-3}$ |

- one item. Two sentences.

```python
x = 1
```
"""


def test_blocks_come_in_order_with_lines_and_sections() -> None:
    blocks, _ = parse_markdown("m.md", PAGE)
    assert [(b.kind, b.line) for b in blocks] == [
        ("heading", 1), ("paragraph", 3), ("formula", 6), ("heading", 10), ("table", 12),
        ("list", 16), ("code", 18),
    ]  # fmt: skip
    assert blocks[4].section == "Method > Settings"
    assert blocks[4].rows == (("key", "value"), ("lr", "$10^{-3}$"))


def test_formulas_have_their_line_and_the_sentence_that_brings_them_in() -> None:
    _, formulas = parse_markdown("m.md", PAGE)
    assert [(f.latex, f.line, f.displayed) for f in formulas[:3]] == [
        ("z", 3, False),
        ("G(z)", 4, False),
        ("L_D = -\\log D(x)", 6, True),
    ]
    assert formulas[2].context == "The loss is"
    assert formulas[0].context == "It maps $z$ to $G(z)$."


@pytest.mark.parametrize(
    ("text", "count"),
    [("One. Two.", 2), ("See e.g. this one.", 1), ("By G. Hinton et al. in 2012.", 1), ("", 0)],
)
def test_abbreviations_end_no_sentence(text: str, count: int) -> None:
    assert len(split_sentences(text)) == count


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    blocks, _ = parse_markdown("x.md", text)
    assert all(b.line >= 1 for b in blocks)


def test_double_dollars_within_a_paragraph_are_displayed() -> None:
    text = "We minimise\n$$L_D = -E[D(x)]$$\nwith $D$ as before.\n"
    blocks, formulas = parse_markdown("m.md", text)
    assert [(b.kind, b.line) for b in blocks] == [
        ("paragraph", 1),
        ("formula", 2),
        ("paragraph", 2),
    ]
    assert [(f.latex, f.displayed) for f in formulas] == [("L_D = -E[D(x)]", True), ("D", False)]
