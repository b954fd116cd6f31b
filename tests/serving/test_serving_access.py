"""Who may ask for what: routes that are not listed are denied, as are wrong and lesser tokens."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from modalloy.deployment.deployment import Deployment
from modalloy.errors import JobError, RequestError, RunError
from modalloy.serving.access import ROUTES, TYPES, Rule
from modalloy.serving.app import routes_of
from modalloy.serving.serve_run import is_loopback, refuse_half, refuse_open
from modalloy.serving.tokens import ROLES, Tokens, refuse_role
from served import rows_of, serving, small_run

FORBIDDEN = ("Traceback", "/tmp", "site-packages")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("access"))


@pytest.fixture(scope="module")
def tokens(run: Path) -> dict[str, str]:
    """Role -> a token for it."""
    kept = Tokens(Deployment.of(run).path)
    return {role: kept.add(role)[1] for role in ROLES}


@pytest.fixture(scope="module")
def client(run: Path, tokens: dict[str, str]) -> Iterator[TestClient]:
    with serving(run, loopback=False) as client:
        yield client


def ask(client: TestClient, rule: Rule, token: str | None = None, **headers: str) -> int:
    """The status of a request to a route, with an empty body of a kind that it reads."""
    kind = next((name for name, body in TYPES.items() if body in rule.bodies), None)
    given = headers if kind is None else {"content-type": kind} | headers
    given = given if token is None else given | {"authorization": f"Bearer {token}"}
    path = rule.path.replace("{name}", "press")
    content = b"" if kind is None else b"{}"
    answer = client.request(rule.method, path, content=content, headers=given)
    assert not [word for word in FORBIDDEN if word in answer.text], answer.text
    return answer.status_code


def test_every_route_that_the_app_has_is_listed(client: TestClient) -> None:
    assert sorted(routes_of(client.gate.app)) == sorted((r.method, r.path) for r in ROUTES)


@pytest.mark.parametrize("rule", ROUTES, ids=lambda r: r.path)
def test_no_route_but_those_for_anybody_answers_without_a_token(
    rule: Rule, client: TestClient
) -> None:
    unknown = "{ticket}" in rule.path  # which is good once, for who got it with a token
    wanted = 401 if rule.role else 404 if unknown else 200
    assert ask(client, rule) == wanted
    assert ask(client, rule, "ma_wrong") in (wanted, 429)
    assert ask(client, rule, authorization="Basic YTpi") == wanted


@pytest.mark.parametrize("rule", [r for r in ROUTES if r.role], ids=lambda r: r.path)
def test_a_lesser_role_is_not_enough(
    rule: Rule, client: TestClient, tokens: dict[str, str]
) -> None:
    needed = ROLES.index(rule.role)
    for role in ROLES:
        denied = ask(client, rule, tokens[role]) == 403
        assert denied == (ROLES.index(role) < needed), role


def test_what_is_not_listed_is_denied_even_where_the_app_has_it(
    client: TestClient, tokens: dict[str, str]
) -> None:
    client.gate.app.add_api_route("/secret", lambda: "told", methods=["GET"])
    for path in ("/secret", "/docs", "/redoc", "/predict/", "//predict", "/../predict", "/."):
        answer = client.get(path, headers={"authorization": f"Bearer {tokens['admin']}"})
        if answer.request.url.path == "/":  # as which a client sends //host and /.: the open page
            assert answer.headers["content-type"].startswith("text/html"), path
        else:
            assert answer.status_code in (404, 405), path
    assert client.put("/predict").status_code == 405
    assert client.head("/health").status_code == 405
    client.gate.app.router.routes.pop()


def test_strangers_are_slowed_down(run: Path, tokens: dict[str, str]) -> None:
    with serving(run, loopback=False) as client:
        header = {"authorization": "Bearer ma_guess"}
        found = [client.get("/model", headers=header).status_code for _ in range(8)]
        assert found[:2] == [401, 401]
        assert 429 in found
        assert client.get(
            "/model", headers={"authorization": f"Bearer {tokens['read']}"}
        ).is_success


def test_tokens_are_kept_as_hashes_and_can_be_revoked(tmp_path: Path) -> None:
    kept = Tokens(tmp_path)
    assert kept.all() == []
    made, text = kept.add("label")
    assert text not in kept.path.read_text()
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert kept.of(text) == made
    assert kept.of(text[:-1]) is None
    refuse_role(made, "predict")
    with pytest.raises(RequestError, match="this token is for 'label'"):
        refuse_role(made, "admin")
    with pytest.raises(JobError, match="'boss' is no role"):
        kept.add("boss")
    with pytest.raises(RunError, match=f"it has {made.name}"):
        kept.remove("nobody")
    other = Tokens(tmp_path)
    other.remove(made.name)
    assert kept.of(text) is None
    kept.path.write_text("{}")
    with pytest.raises(RunError, match="cannot be read as a file of tokens"):
        kept.all()


def test_an_open_address_needs_a_token(tmp_path: Path) -> None:
    kept = Tokens(tmp_path)
    with pytest.raises(JobError, match=r"0\.0\.0\.0 is reached by other machines"):
        refuse_open(kept, "0.0.0.0", loopback=is_loopback("0.0.0.0"))
    refuse_open(kept, "127.0.0.1", loopback=is_loopback("127.0.0.1"))
    kept.add("read")
    refuse_open(kept, "0.0.0.0", loopback=False)
    assert [is_loopback(h) for h in ("::1", "localhost", "10.0.0.1", "press-7")] == [
        True, True, False, False,
    ]  # fmt: skip
    with pytest.raises(JobError, match="go together"):
        refuse_half(tmp_path / "a.pem", None)
    with pytest.raises(JobError, match="no such file"):
        refuse_half(tmp_path / "a.pem", tmp_path / "a.key")


def test_on_this_machine_other_names_and_pages_are_refused(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    with serving(run) as client:
        body = {"rows": rows_of(run, 1)}
        assert client.post("/predict", json=body).status_code == 200
        for headers, status in [
            ({"host": "evil.example"}, 421),
            ({"host": "127.0.0.1.evil.example"}, 421),
            ({"origin": "https://evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({"sec-fetch-site": "cross-site"}, 403),
            ({"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}, 200),
        ]:
            answer = client.post("/predict", json=body, headers=headers)
            assert answer.status_code == status, headers
            assert "access-control-allow-origin" not in answer.headers
        plain = {"content-type": "text/plain"}  # what a page may send without asking first
        sent = client.post("/feedback", content=json.dumps(body), headers=plain)
        assert sent.status_code == 415
        assert sent.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in sent.headers["content-security-policy"]
        _, text = client.gate.tokens.add("read")
        assert client.get("/model").status_code == 401  # with a token there, everybody needs one
        assert client.get("/model", headers={"authorization": f"Bearer {text}"}).is_success
