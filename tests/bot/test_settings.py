"""Settings: each variable taken as it is meant or refused by its name, and secrets never shown."""

import traceback
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.settings import VARIABLES, Secret, Settings, settings_of
from ledger.errors import SettingsError
from tests.support.strategies import hostile_texts

TOKEN = "123456789:AAE_canary-Canary0123456789abcdefgh"  # noqa: S105 - made up
SECRET = "canary_" + "S3cret-" * 5
LINEAR_KEY = "lin_api_canary0123456789"


def setting(name: str, value: str) -> object:
    """The settings from a single variable."""
    return getattr(settings_of({name: value}), VARIABLES[name])


def refusal(name: str, value: str) -> str:
    """Why the value of a variable is refused."""
    with pytest.raises(SettingsError) as refused:
        settings_of({name: value})
    return str(refused.value)


def test_there_are_defaults_for_all():
    assert settings_of({}) == Settings("sqlite:///./engagement-data/ledger.db")
    assert settings_of(dict.fromkeys(VARIABLES, "")) == settings_of({})


def test_what_belongs_to_others_is_ignored():
    assert settings_of({"PATH": "/bin", "TELEGRAM_API_ID": "1", "engagement_home": "x"}) == (
        settings_of({})
    )


def test_an_unknown_name_is_refused_with_those_there_are():
    message = refusal("ENGAGEMENT_TIMEZON", "UTC")
    assert message.startswith("ENGAGEMENT_TIMEZON is not a setting; the settings are ")
    assert all(name in message for name in VARIABLES)


GOOD = [
    ("ENGAGEMENT_HOME", "/srv/it's here", "/srv/it's here"),
    ("ENGAGEMENT_DATABASE_URL", "sqlite:///x.db", "sqlite:///x.db"),
    ("ENGAGEMENT_TIMEZONE", "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    ("ENGAGEMENT_LOG_LEVEL", "debug", "debug"),
    ("ENGAGEMENT_ISSUE_PATTERN", r"#\d+", r"#\d+"),
    ("ENGAGEMENT_TEAM_KEYS", "AI", ("AI",)),
    ("ENGAGEMENT_TEAM_KEYS", " AI, DMD ,,PLA4,", ("AI", "DMD", "PLA4")),
    ("ENGAGEMENT_TEAM_KEYS", f"4U,2ENG,601F,{'A' * 48}", ("4U", "2ENG", "601F", "A" * 48)),
    ("ENGAGEMENT_CONTEXT_DAYS", "0", 0),
    ("ENGAGEMENT_CONTEXT_DAYS", "36500", 36_500),
    ("ENGAGEMENT_CHATS", "-1001234567890, 42", {-1_001_234_567_890, 42}),
    ("ENGAGEMENT_ADMINS", "1,1,2,", {1, 2}),
    *(
        ("ENGAGEMENT_LINEAR_URL", url, url)
        for url in (
            "https://api.linear.app/graphql",
            "https://linear.example:8443/x",
            "http://127.0.0.1:8090/graphql",
            "http://localhost/graphql",
            "http://[::1]:1/",
        )
    ),
]


@pytest.mark.parametrize(("name", "value", "meant"), GOOD)
def test_a_good_value_is_taken_as_it_is_meant(name, value, meant):
    assert setting(name, value) == meant


BAD = [
    ("ENGAGEMENT_HOME", "/srv/\udcff"),
    ("ENGAGEMENT_DATABASE_URL", "sqlite:///\ud800"),
    ("ENGAGEMENT_TIMEZONE", "Mars/Olympus"),
    ("ENGAGEMENT_TIMEZONE", "../../etc/passwd"),
    ("ENGAGEMENT_TIMEZONE", "America"),
    ("ENGAGEMENT_TIMEZONE", "a\0b"),
    ("ENGAGEMENT_TIMEZONE", "\udcff"),
    ("ENGAGEMENT_LOG_LEVEL", "DEBUG"),
    ("ENGAGEMENT_LOG_LEVEL", "loud"),
    ("ENGAGEMENT_ISSUE_PATTERN", "["),
    ("ENGAGEMENT_ISSUE_PATTERN", "A*"),
    ("ENGAGEMENT_ISSUE_PATTERN", r"A-\d)|(?:B-\d"),
    ("ENGAGEMENT_TEAM_KEYS", "ai"),
    ("ENGAGEMENT_TEAM_KEYS", "AI;DMD"),
    ("ENGAGEMENT_TEAM_KEYS", "2026"),
    ("ENGAGEMENT_TEAM_KEYS", "A" * 49),  # no issue id has room for a number behind it
    ("ENGAGEMENT_TEAM_KEYS", "ÄI"),
    ("ENGAGEMENT_CONTEXT_DAYS", "-1"),
    ("ENGAGEMENT_CONTEXT_DAYS", "36501"),
    ("ENGAGEMENT_CONTEXT_DAYS", "1.5"),
    ("ENGAGEMENT_CONTEXT_DAYS", "٣"),
    ("ENGAGEMENT_CONTEXT_DAYS", "9" * 5000),
    ("ENGAGEMENT_CONTEXT_DAYS", " 9"),
    ("ENGAGEMENT_CHATS", "@team"),
    ("ENGAGEMENT_CHATS", "1;2"),
    ("ENGAGEMENT_CHATS", "1_000"),
    ("ENGAGEMENT_CHATS", "٣"),
    ("ENGAGEMENT_CHATS", "9" * 5000),
    ("ENGAGEMENT_ADMINS", "ana"),
    ("ENGAGEMENT_ADMINS", "1 2"),
    ("TELEGRAM_BOT_TOKEN", "canary"),
    ("TELEGRAM_BOT_TOKEN", "12345:canary/../x"),
    ("TELEGRAM_BOT_TOKEN", "١٢٣:canary"),
    ("TELEGRAM_BOT_TOKEN", TOKEN.replace(":", ";")),
    ("ENGAGEMENT_WEBHOOK_SECRET", SECRET[:31]),
    ("ENGAGEMENT_WEBHOOK_SECRET", SECRET + "!"),
    ("ENGAGEMENT_WEBHOOK_SECRET", "canary" * 43),
    ("ENGAGEMENT_WEBHOOK_SECRET", SECRET + "\n"),
    ("ENGAGEMENT_LINEAR_API_KEY", "canary"),
    ("ENGAGEMENT_LINEAR_API_KEY", "lin_api canary"),
    ("ENGAGEMENT_LINEAR_API_KEY", "lin_api_canary\r\nX: y"),
    ("ENGAGEMENT_LINEAR_API_KEY", "lin_api_canary_ü"),
    ("ENGAGEMENT_LINEAR_API_KEY", "canary" * 43),
    ("ENGAGEMENT_LINEAR_URL", "http://api.linear.app/graphql"),
    ("ENGAGEMENT_LINEAR_URL", "http://127.0.0.1.example/graphql"),
    ("ENGAGEMENT_LINEAR_URL", "http://10.0.0.1/graphql"),
    ("ENGAGEMENT_LINEAR_URL", "ftp://localhost/graphql"),
    ("ENGAGEMENT_LINEAR_URL", "https://me:canary@linear.example/"),
    ("ENGAGEMENT_LINEAR_URL", "https://"),
    ("ENGAGEMENT_LINEAR_URL", "https://[::1"),
    ("ENGAGEMENT_LINEAR_URL", "https://x:99999/"),
    ("ENGAGEMENT_LINEAR_URL", "https://x/\ny"),
    ("ENGAGEMENT_LINEAR_URL", "api.linear.app"),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=range(len(BAD)))
def test_a_bad_value_is_refused_in_one_line_that_names_the_variable(name, value):
    message = refusal(name, value)
    assert message.startswith(f"{name} ")
    assert message.isprintable()


SECRETS = [
    ("TELEGRAM_BOT_TOKEN", TOKEN),
    ("ENGAGEMENT_WEBHOOK_SECRET", SECRET),
    ("ENGAGEMENT_LINEAR_API_KEY", LINEAR_KEY),
]


@pytest.mark.parametrize(("name", "value"), SECRETS)
def test_a_secret_is_shown_only_where_it_is_asked_for_by_name(name, value):
    settings = settings_of({name: value})
    secret = getattr(settings, VARIABLES[name])
    assert isinstance(secret, Secret)
    assert secret.reveal() == value
    for shown in (secret, settings, [secret]):
        assert "anary" not in f"{shown}{shown!r}"
        assert "anary" not in f"{shown!s:>200}"


BAD_SECRETS = [(name, value) for name, value in BAD if "anary" in value]


@pytest.mark.parametrize(("name", "value"), BAD_SECRETS, ids=range(len(BAD_SECRETS)))
def test_a_bad_secret_is_in_no_error_and_no_traceback(name, value):
    with pytest.raises(SettingsError) as refused:
        settings_of({name: value})
    told = "".join(traceback.format_exception(refused.value))
    assert "anary" not in told


def test_blanks_around_a_token_are_a_slip_of_the_hand():
    settings = settings_of({"TELEGRAM_BOT_TOKEN": f" {TOKEN}\n"})
    assert settings.telegram_bot_token is not None
    assert settings.telegram_bot_token.reveal() == TOKEN


def test_the_settings_name_a_zone_and_what_finds_issues():
    settings = settings_of(
        {
            "ENGAGEMENT_TIMEZONE": "Europe/Berlin",
            "ENGAGEMENT_ISSUE_PATTERN": r"[A-Z]+-\d+",
            "ENGAGEMENT_TEAM_KEYS": "AI",
        }
    )
    assert settings.zone == ZoneInfo("Europe/Berlin")
    assert settings.issue_keys.found_in("AI-1 DMD-2") == ["AI-1"]


def test_a_database_without_an_address_lies_in_the_home_whatever_that_is_called():
    settings = settings_of({"ENGAGEMENT_HOME": "/srv/a?b #1"})
    assert settings.database_url == "sqlite:////srv/a%3Fb%20%231/ledger.db"


@given(st.sampled_from(sorted(VARIABLES)), hostile_texts | st.text(max_size=20))
def test_any_text_is_taken_or_refused_in_one_line(name, value):
    try:
        settings = settings_of({name: value})
    except SettingsError as error:
        message = str(error)
        assert message.startswith(name)
        if any(word in name for word in ("TOKEN", "SECRET", "API_KEY")):
            assert len(value) <= 10 or value not in message
    else:
        assert settings.zone
        assert settings.issue_keys
