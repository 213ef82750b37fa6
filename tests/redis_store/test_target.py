"""URLs: what they may be, what is said of one that is wrong, and that no password is ever shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain.errors import UsageProblem
from costconsole.redis_store.target import parse_target


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("redis://", "localhost:6379/0"),
        ("redis://prod-cache", "prod-cache:6379/0"),
        ("redis://prod-cache:6380/3", "prod-cache:6380/3"),
        ("  redis://prod-cache/2 ", "prod-cache:6379/2"),
        ("rediss://user:pw@h.example.com:6380", "h.example.com:6380/0"),
        ("redis://[::1]:7000/1", "[::1]:7000/1"),
        ("redis://h?db=4", "h:6379/4"),
        ("unix:///run/redis.sock", "unix:/run/redis.sock"),
        ("unix://user:pw@/run/re%20dis.sock?db=2", "unix:/run/re dis.sock db 2"),
        ("redis+sentinel://a,b:26380/mymaster/2", "mymaster@a:26379,b:26380/2 (sentinel)"),
        ("redis+cluster://a:7000,b:7001", "a:7000,b:7001 (cluster)"),
        ("rediss+cluster://a", "a:6379 (cluster)"),
        ("REDIS://Host", "Host:6379/0"),
        ("unix:///run/%1b[2J.sock", "unix:/run/␛[2J.sock"),
        ("redis+sentinel://h/%1b[2J", "␛[2J@h:26379/0 (sentinel)"),
    ],
)
def test_a_url_and_its_label(url: str, label: str):
    assert parse_target(url).label == label


def test_user_and_password_are_decoded():
    target = parse_target("redis://al%40ice:p%3Aw%2F%40%25@h:1/2")
    assert (target.username, target.password) == ("al@ice", "p:w/@%")
    assert (target.hosts, target.db) == ((("h", 1),), 2)
    assert parse_target("redis://:only@h").password == "only"
    assert parse_target("redis://:only@h").username is None
    assert parse_target("redis://solo@h").username == "solo"


def test_a_password_that_was_not_encoded_is_understood_where_that_is_possible():
    assert parse_target("redis://:p@ss/w#rd@h:1").password == "p@ss/w#rd"


def test_what_the_url_says_wins_over_the_settings():
    target = parse_target("redis://u:p@h", username="other", password="other", ca_file="ca")
    assert (target.username, target.password) == ("u", "p")
    target = parse_target("redis://h", username="u", password="p")
    assert (target.username, target.password) == ("u", "p")


def test_tls_parameters_of_redis_py():
    target = parse_target(
        "rediss://h?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem&ssl_check_hostname=false"
        "&socket_timeout=2.5&decode_responses=True&protocol=3"
    )
    assert target.tls
    assert (target.ca_file, target.cert_file, target.key_file) == ("/ca.pem", "/c.pem", "/k.pem")
    assert target.verify
    assert not target.check_hostname
    assert target.timeout_s == 2.5
    assert not parse_target("rediss://h?ssl_cert_reqs=none").verify


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("localhost:6379", "has no scheme: write redis://localhost:6379"),
        ("/run/redis.sock", "has no scheme: write unix:///run/redis.sock"),
        ("http://h:6379", "'http'://, which is not known: use one of redis://"),
        ("reddis://h", "did you mean redis"),
        ("redis+sentinal://h/m", "did you mean redis+sentinel"),
        ("redis://h:99999", "port that is not a number from 1 to 65535"),
        ("redis://h:port", "port that is not a number"),
        ("redis://h:0", "port that is not a number"),
        ("redis://h/db1", "database that is not a number: 'db1'"),
        ("redis://a,b", "names several hosts"),
        ("redis://bad host", "no usable host name"),
        ("redis://[::1", "IPv6"),
        ("unix://run/redis.sock", "whole path of a socket"),
        ("unix://", "whole path of a socket"),
        ("redis+sentinel://h", "needs the name of the service"),
        ("redis+cluster://h/1", "a cluster has only database 0"),
        ("redis://h?ssl_ca_certs=x", "begin it with rediss"),
        ("rediss://h?ssl_ca_cert=x", "did you mean ssl_ca_certs"),
        ("redis://h?socket_timeout=soon", "timeout that is not a number"),
        ("redis://h?socket_timeout=0", "timeout that is not a number"),
        ("redis://:pa?word@h", "%3F"),
        ("", "has no scheme"),
    ],
)
def test_a_wrong_url_is_named(url: str, says: str):
    with pytest.raises(UsageProblem) as caught:
        parse_target(url, origin="--redis")
    assert says in str(caught.value)
    assert "from --redis" in str(caught.value)


SECRET = "s3cr3t!hush"


@pytest.mark.parametrize(
    "url",
    [
        f"redis://u:{SECRET}@h:1/0",
        f"rediss://u:{SECRET}@h",
        f"unix://u:{SECRET}@/s.sock",
        f"redis://h?password={SECRET}",
        f"redis+sentinel://u:{SECRET}@h/m?sentinel_password={SECRET}",
        f"redis+cluster://:{SECRET}@h",
    ],
)
def test_nothing_that_shows_a_target_shows_its_password(url: str):
    target = parse_target(url)
    shown = [repr(target), str(target), target.label, target.url, f"{target}"]
    assert all(SECRET not in text for text in shown)
    assert target.password == SECRET
    again = parse_target(target.url)
    assert (again.kind, again.hosts, again.path, again.service, again.db, again.tls) == (
        (target.kind, target.hosts, target.path, target.service, target.db, target.tls)
    )


@pytest.mark.parametrize(
    "url",
    [
        f"redis://u:{SECRET}@h:port",
        f"redis//u:{SECRET}@h",
        f"u:{SECRET}@h:6379",
        f"redis:/u:{SECRET}@h",
        f"http://u:{SECRET}@h",
        f"redis://u:{SECRET}@h/x",
        f"redis://u:{SECRET}@bad host",
        f"redis://u:?{SECRET}@h",
        f"redis://u:{SECRET}@h?pasword=x",
        f"redis+cluster://u:{SECRET}@h/4",
    ],
)
def test_no_complaint_about_a_url_shows_its_password(url: str):
    with pytest.raises(UsageProblem) as caught:
        parse_target(url, origin="--redis")
    assert SECRET not in str(caught.value)


@given(
    st.text(max_size=40),
    st.sampled_from(["redis://", "unix://", "redis+sentinel://", "redis+cluster://", ""]),
)
def test_any_text_is_a_target_or_a_usage_problem(rest: str, scheme: str):
    try:
        label = parse_target(scheme + rest).label
    except UsageProblem as problem:
        label = str(problem)
    assert label.isprintable()
