"""Requests that schemathesis makes from the OpenAPI document: none brings the service down."""

import re
from pathlib import Path

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from modalloy.serving.access import ROUTES
from served import serving, small_run

PAGE = re.compile(r"/$|/static/|/page/")  # of the page itself, which no document holds


def test_no_request_of_the_document_fails_inside(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    with serving(run, keep_rows=False) as client:
        document = client.get("/openapi.json").json()
        schema = schemathesis.openapi.from_dict(document)
        asked, statuses = set(), set()
        operations = [result.ok() for result in schema.get_all_operations()]
        for operation in operations:

            @settings(
                max_examples=6,
                deadline=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=st.one_of(operation.as_strategy()))
            def probe(case: schemathesis.Case) -> None:
                sent = case.as_transport_kwargs(base_url="http://127.0.0.1")
                made = requests.Request(**sent).prepare()
                headers = {k: v for k, v in made.headers.items() if k.lower() != "content-length"}
                answer = client.request(made.method, made.url, content=made.body, headers=headers)
                assert answer.status_code < 500, answer.text
                if answer.status_code >= 400:
                    assert answer.json()["error"].endswith((".", "?"))
                statuses.add(answer.status_code)

            probe()
            asked.add((operation.method.upper(), operation.path))
        assert asked == {(r.method, r.path) for r in ROUTES if not PAGE.match(r.path)}
        assert 422 in statuses
        assert client.get("/ready").status_code == 200
