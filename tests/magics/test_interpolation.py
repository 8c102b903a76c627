"""``{{expression}}`` in a cell: expanded once, and nothing else is touched."""

from __future__ import annotations

import pytest

from nbconvo.errors import InputError
from nbconvo.magics.interpolation import interpolate


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("hello {{name}}", "hello Ada"),
        ("{{ name }} and {{name}}", "Ada and Ada"),
        ("{{1 + 1}}", "2"),
        ("{{', '.join(n for n in [name, name])}}", "Ada, Ada"),
        ("{{\n    name\n}}", "Ada"),
        ("{{{'a': 1}['a']}}", "1"),
        ("{{f'{name}!'}}", "Ada!"),
    ],
)
def test_an_expression_becomes_its_value(text, expanded):
    assert interpolate(text, {"name": "Ada"}) == expanded


@pytest.mark.parametrize(
    "text",
    [
        '{"json": 1}',
        '{"a": {"b": {"c": 1}}}',
        r"\frac{a}{b} and \frac{\sqrt{a}}{b}",
        "f'{name}' % {x}",
        "$name and ${name}",
        "{ {name} }",
        "{{}} and }} and {{",
        "",
    ],
)
def test_single_braces_and_empty_ones_pass_untouched(text):
    assert interpolate(text, {"name": "Ada", "x": 1}) == text


def test_empty_double_braces_do_not_reach_over_to_a_later_expression():
    assert interpolate("{{}} and {{name}}", {"name": "Ada"}) == "{{}} and Ada"


@pytest.mark.parametrize("value", ["{{secret}}", "{secret}", "{{{{secret}}}}", "$secret"])
def test_a_value_is_never_expanded_again(value):
    names = {"value": value, "secret": "sk-made-up"}
    assert interpolate("{{value}}", names) == value


def test_a_value_cannot_complete_an_expression():
    names = {"open": "{{", "close": "}}", "secret": "sk-made-up"}
    assert interpolate("{{open}}secret{{close}}", names) == "{{secret}}"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("nobody", "{{nobody}} raised NameError: name 'nobody' is not defined"),
        ("1/0", "{{1/0}} raised ZeroDivisionError: division by zero"),
        ("no python", "{{no python}} raised SyntaxError: "),
        ("x = 1", "{{x = 1}} raised SyntaxError: "),
    ],
)
def test_an_expression_that_raises_is_told_of_with_the_way_round(expression, reason):
    with pytest.raises(InputError) as caught:
        interpolate(f"say {{{{{expression}}}}}", {})
    assert str(caught.value).startswith(reason)
    assert str(caught.value).endswith("; --raw passes double braces untouched")


def test_an_expression_does_not_change_the_notebook():
    names = {"name": "Ada"}
    interpolate("{{(name := 'Bob')}}", names)
    assert names == {"name": "Ada"}


def test_raw_passes_double_braces_untouched(notebook, provider):
    notebook.run("%%ask --raw\n{{nobody}} {{1/0}}")
    assert provider.requests[0].json["messages"][0]["content"] == "{{nobody}} {{1/0}}"


def test_what_a_cell_sends_was_expanded_once(notebook, provider):
    notebook.names.update(poem="{{key}} {key} \\frac{a}{b}", key="sk-made-up")
    notebook.run('%%ask\n{{poem}} {"json": 1}')
    assert provider.requests[0].json["messages"][0]["content"] == (
        '{{key}} {key} \\frac{a}{b} {"json": 1}'
    )
