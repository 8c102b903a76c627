"""The options of a magic's line, and the split of a one-line ask."""

from __future__ import annotations

import pytest

from nbconvo.errors import InputError, UnknownName
from nbconvo.magics.arguments import overrides, parse, split_text, variable
from nbconvo.magics.options import MODEL_OPTIONS, Options, option
from nbconvo.session import Session


@Options(
    option("names", nargs="*", help="names"),
    option("--to", help="a variable"),
    option("--quiet", action="store_true", help="no output"),
    *MODEL_OPTIONS,
)
def magic(self, line):
    """A magic like ours."""


@pytest.mark.parametrize(
    ("line", "names", "to"),
    [
        ("a b --to x", ["a", "b"], "x"),
        ("--to x a b", ["a", "b"], "x"),
        ("a --to=x b", ["a", "b"], "x"),
        ("a b --to x;", ["a", "b"], "x"),
        ("a --to 'x y' ;", ["a"], "x y"),
        ('"a b"', ["a b"], None),
        ("it's", ["it's"], None),
        ("", [], None),
    ],
)
def test_names_and_options_stand_in_any_order(line, names, to):
    args = parse(magic, line)
    assert (args.names, args.to) == (names, to)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("--quite", "unknown option '--quite'; did you mean '--quiet'?"),
        ("--qui", "unknown option '--qui'; did you mean '--quiet'?"),
        ("--zzz=1", "unknown option '--zzz'; %magic? lists all"),
        ("--temperature", "--temperature needs a value: --temperature T"),
        ("--max-tokens 1.5", "--max-tokens must be a whole number, or none, not '1.5'"),
    ],
)
def test_a_mistake_is_one_line_with_the_remedy(line, text):
    with pytest.raises(InputError) as caught:
        parse(magic, line)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("", {}),
        ("--temperature 0", {"temperature": 0.0}),
        ("--temperature -0.5", {"temperature": -0.5}),
        ("--model a:b --service c", {"model": "a:b", "service": "c"}),
        ("--option seed=7", {"seed": 7}),
        ("--option user=me --option user=you", {"user": "you"}),
        ("--option stop='a b'", {"stop": "a b"}),
        ("--option 'stop=a b'", {"stop": "a b"}),
        ("""--option stop='["a", "b"]'""", {"stop": ["a", "b"]}),
        ("""--option extra_body='{"k": {"l": 1}}'""", {"extra_body": {"k": {"l": 1}}}),
        ("--option stream=false", {"stream": False}),
        ("--option seed=null", {"seed": None}),
        ("--temperature none --reasoning None", {"temperature": None, "reasoning": None}),
        ("--option user=a=b", {"user": "a=b"}),
        ("--option user=", {"user": ""}),
        ("--temperature 1 --option temperature=0", {"temperature": 0}),
    ],
)
def test_options_become_keyword_arguments(line, given):
    assert overrides(parse(magic, line)) == given


def test_an_old_name_of_an_option_warns():
    with pytest.warns(UserWarning, match="'max_token' is taken as 'max_tokens'"):
        assert overrides(parse(magic, "--option max_token=5")) == {"max_tokens": 5}


@pytest.mark.parametrize("pair", ["seed", "=7", "="])
def test_an_option_that_is_no_pair_is_refused(pair):
    with pytest.raises(InputError, match="is not of the form key=value"):
        overrides(parse(magic, f"--option {pair}"))


def test_a_key_is_no_option_and_its_place_is_told():
    with pytest.raises(InputError, match="'%convo key SERVICE' asks for a key") as raised:
        overrides(parse(magic, "--option api_key=sk-test-0000"))
    assert "0000" not in str(raised.value)


@pytest.mark.parametrize("name", ["system", "context", "instruction", "name", "begin", "tools"])
def test_only_options_of_the_request_can_be_given_so(name):
    with pytest.raises(UnknownName, match=f"no option '{name}'"):
        overrides(parse(magic, f"--option {name}=x"))


@pytest.mark.parametrize(
    ("line", "options", "text"),
    [
        ("hello there", "", "hello there"),
        ("bob hello bob", "bob", "hello bob"),
        ("bob  --to x   hello -- there  ", "bob  --to x", "hello -- there"),
        ("--to=x bob hello", "--to=x bob", "hello"),
        ("--quiet bob hello", "--quiet bob", "hello"),
        ("bob", "bob", ""),
        ("", "", ""),
        ('bob it\'s "quoted  twice"', "bob", 'it\'s "quoted  twice"'),
        ("bob -1 is a number", "bob", "-1 is a number"),
        ("--quite bob hello", "--quite bob", "hello"),
        ("bob --to", "bob --to", ""),
        ("ann bob is a nice name", "ann", "bob is a nice name"),
        ("ann --to x bob --quiet", "ann --to x", "bob --quiet"),
    ],
)
def test_a_one_line_ask_is_split_where_its_text_begins(line, options, text):
    assert split_text(magic, line, {"ann", "bob"}.__contains__) == (options, text)


@pytest.mark.parametrize("name", ["joke", "_x1", "élan", None])
def test_a_variable_that_python_can_have(name):
    variable(name, {"joke": "an older one"})


@pytest.mark.parametrize("name", ["1x", "a b", "a.b", "a[0]", "class", "None", ""])
def test_a_variable_that_python_cannot_have(name):
    with pytest.raises(InputError, match="is not a name for a Python variable"):
        variable(name, {})


@pytest.mark.parametrize("name", ["print", "comedian"])
def test_a_variable_does_not_hide_a_session_or_a_builtin(name):
    with pytest.raises(InputError, match=f"--to {name} would hide"):
        variable(name, {"comedian": Session()})
