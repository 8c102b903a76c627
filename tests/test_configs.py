"""The default options, and what is accepted as one."""

from __future__ import annotations

import warnings

import pytest

from nbconvo import services
from nbconvo.configs import checked_options, default_options, oai_schema
from nbconvo.errors import InputError, UnknownName


def test_the_defaults_can_be_read_where_the_ancestor_had_them():
    config = oai_schema["chat"]["config"]
    assert config["n"] == 1
    assert config["stream"] is True
    assert {"model", "temperature", "top_p", "max_tokens", "stop", "seed"} <= set(config)


def test_the_defaults_leave_every_choice_about_the_reply_to_the_service():
    told = {name for name, value in default_options().items() if value is not None}
    assert told == {"n", "stream"}


def test_default_options_are_a_copy_through_and_through(monkeypatch):
    monkeypatch.setitem(oai_schema["chat"]["config"], "stop", ["x"])
    default_options()["stop"].append("y")
    assert oai_schema["chat"]["config"]["stop"] == ["x"]


def test_every_default_is_itself_accepted():
    assert checked_options(default_options()) == default_options()


@pytest.mark.parametrize(
    "options",
    [
        {"max_tokens": 1},
        {"n": 3, "top_logprobs": 2},
        {"temperature": 0},
        {"top_p": 0.5, "presence_penalty": -2, "frequency_penalty": 2.0},
        {"stream": False, "logprobs": True},
        {"stop": ["a", "b"], "seed": 7, "response_format": {"type": "json_object"}},
        {"extra_body": {"my_field": 1}},
        {"temperature": None, "max_tokens": None},
    ],
)
def test_options_that_fit_pass_as_they_are(options):
    assert checked_options(options) == options


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_tokens": 0}, "max_tokens must be a whole number above 0, not 0"),
        ({"max_tokens": 1.5}, "max_tokens must be a whole number above 0, not 1.5"),
        ({"max_tokens": True}, "max_tokens must be a whole number above 0, not True"),
        ({"n": "2"}, "n must be a whole number above 0, not '2'"),
        ({"temperature": "hot"}, "temperature must be a number, not 'hot'"),
        ({"temperature": False}, "temperature must be a number, not False"),
        ({"stream": 1}, "stream must be True or False, not 1"),
        ({"extra_body": "x"}, "extra_body must be a dict of request fields, not 'x'"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_would(options, text):
    with pytest.raises(InputError) as caught:
        checked_options(options)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("temprature", "no option 'temprature'; did you mean 'temperature'?"),
        ("MaxTokens", "no option 'MaxTokens'; did you mean 'max_tokens'?"),
        (
            "zzz",
            "no option 'zzz'; fields that only your service knows go in extra_body={...}",
        ),
    ],
)
def test_an_unknown_option_names_the_nearest_or_the_way_to_pass_it_on(name, text):
    with pytest.raises(UnknownName) as caught:
        checked_options({name: 1})
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("name", "given", "elsewhere"),
    [
        ("rpm", "max_requests_per_minute=5", "%session NAME --rpm 5"),
        ("max_tokens_per_minute", "max_tokens_per_minute=5", "%session NAME --tpm 5"),
        ("timeout", "timeout=5", "nbconvo.services.get('NAME').timeout = 5"),
        ("max_concurrent", "max_concurrent=5", "nbconvo.services.get('NAME').max_concurrent = 5"),
    ],
)
def test_a_limit_is_refused_with_how_it_is_set_on_the_service(name, given, elsewhere):
    with pytest.raises(InputError) as caught:
        checked_options({name: 5})
    assert str(caught.value) == (
        f"{name} is no option of a request, but set on the service: "
        f"service=ChatService(..., {given}), or {elsewhere}"
    )


@pytest.mark.parametrize("setting", ["max_concurrent", "timeout", "total_timeout"])
def test_what_is_said_to_be_set_on_a_service_can_be(setting):
    assert hasattr(services.get("openai"), setting)


@pytest.mark.parametrize("old", ["max_token", "max_completion_tokens"])
def test_an_old_name_is_taken_as_the_present_one_with_a_warning_each_time(old):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            assert checked_options({old: 50}) == {"max_tokens": 50}
    assert [str(w.message) for w in caught] == [f"{old!r} is taken as 'max_tokens'"] * 2


def test_the_value_of_an_old_name_is_checked_too():
    with (
        pytest.warns(UserWarning, match="is taken as"),
        pytest.raises(InputError, match="max_tokens must be"),
    ):
        checked_options({"max_token": "many"})
