"""Where settings come from, and which wins."""

import pytest

from chrysalis_memory.hub.settings import HubSettings
from chrysalis_memory.hub.sources import as_toml, gather


@pytest.fixture
def file(tmp_path):
    def written(text):
        path = tmp_path / "hub.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_flags_win_over_the_environment_over_the_file_over_the_defaults(file):
    path = file('port = 1\nhttp_port = 1\nspace = "file"\nlinks_max = 7\n')
    environment = {"CHRYSALIS_HUB_PORT": "2", "CHRYSALIS_HUB_HTTP_PORT": "2", "OTHER": "x"}
    settings, told = gather({"port": 3, "space": None}, environment, path)
    assert (settings.port, settings.http_port, settings.space, settings.links_max) == (3, 2, "file", 7)
    assert settings.request_timeout_s == HubSettings().request_timeout_s
    assert told == {"port": "flag", "http_port": "environment", "space": f"file {path}", "links_max": f"file {path}"}


def test_texts_of_flags_and_environment_become_what_the_setting_takes():
    settings, _ = gather({"links_max": "9", "request_timeout_s": "2.5"}, {"CHRYSALIS_HUB_OPEN_SPACE": "Yes"}, None)
    assert (settings.links_max, settings.request_timeout_s, settings.open_space) == (9, 2.5, True)
    assert gather({}, {"CHRYSALIS_HUB_OPEN_SPACE": "0", "CHRYSALIS_HUB_SPACE": ""}, None)[0] == HubSettings()


@pytest.mark.parametrize(
    ("flags", "environment", "text", "named"),
    [
        ({"links_max": "many"}, {}, None, "links_max"),
        ({"colour": "red"}, {}, None, "colour"),
        ({}, {"CHRYSALIS_HUB_COLOUR": "red"}, None, "CHRYSALIS_HUB_COLOUR"),
        ({}, {"CHRYSALIS_HUB_OPEN_SPACE": "perhaps"}, None, "open_space"),
        ({}, {}, "colour = 1", "colour"),
        ({}, {}, "port = ", "no TOML"),
        ({}, {}, 'port = "4444"', "port"),
        ({}, {}, "x = " + "[" * 5000, "no TOML"),
        ({}, {}, "#" * (2 << 20), "larger"),
    ],
)
def test_what_can_not_be_used_is_named(flags, environment, text, named, file):
    with pytest.raises(ValueError, match=named):
        gather(flags, environment, None if text is None else file(text))


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        gather({}, {}, tmp_path / "missing.toml")


def test_what_is_printed_gives_the_same_settings_again(file):
    settings, told = gather({"space": 'a "team"\nof \\ two', "links_max": 5, "open_metrics": True}, {}, None)
    printed = as_toml(settings, told)
    assert "links_max = 5  # flag" in printed
    assert gather({}, {}, file(printed))[0] == settings
