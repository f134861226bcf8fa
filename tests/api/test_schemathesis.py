"""The description against the application: invented requests, with and without a token, meet only what is described.

Half of them bear ids that exist, so that they get past the first look-up.
"""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    positive_data_acceptance,
    unsupported_method,
)

from ost.services.verify import verify
from tests.api.world import API, World
from tests.plugins.clients import ERROR_KEYS, Api

EXAMPLES = 3
#: What a schema cannot say (a date that exists, a patient who does) may be refused; whose token it is has its own tests.
NOT_ASKED = [ignored_auth, positive_data_acceptance, unsupported_method]
#: Ends the session it is asked with.
NOT_CALLED = ("POST /api/v1/sign-out",)


@pytest.fixture
def world(app):
    return World(app)


def known(world) -> dict:
    """Names of fields and path parameters, and an id that exists for each."""
    i = world.ids
    return {
        "patient_id": i["patient_id"],
        "site": "HUA1",
        "bottle": i["bottle_id"],
        "bottle_id": i["bottle_id"],
        "dose_id": i["dose_id"],
        "prescription_id": i["prescription_id"],
        "hold_id": i["hold_id"],
        "request_id": i["request_id"],
        "product": "methadone-10",
        "medicine": "methadone",
    }


def with_known_ids(case, ids: dict) -> None:
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            part |= {name: ids[name] for name in part if name in ids and not (part is case.body and name == "dose_id")}


def operations(app):
    schema = schemathesis.openapi.from_wsgi(f"{API}/openapi.json", app)
    found = [result.ok() for result in schema.get_all_operations()]
    assert len(found) > 30
    return [operation for operation in found if operation.label not in NOT_CALLED]


RUN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def complaints_of(operation, mode: GenerationMode, api: Api, ids: dict, statuses: set[int]) -> list[str]:
    found = []
    # Nobody is stopped at the door, whatever is asked: one request each shows it.
    run = RUN if api.headers else settings(RUN, max_examples=1)

    @run
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case):
        if mode is GenerationMode.POSITIVE:
            with_known_ids(case, ids)
        answer = case.call(headers=api.headers)
        statuses.add(answer.status_code)
        try:
            case.validate_response(answer, excluded_checks=NOT_ASKED)
        except* Failure as wrong:
            found.extend(f"{operation.label}: {each}" for each in wrong.exceptions)
        if answer.status_code >= 400 and answer.json()["error"].keys() != ERROR_KEYS:
            found.append(f"{operation.label}: an error of another shape")

    one()
    return found


@pytest.mark.parametrize(
    ("who", "mode"),
    [
        ("nobody", GenerationMode.POSITIVE),
        ("everyone", GenerationMode.POSITIVE),
        ("everyone", GenerationMode.NEGATIVE),
    ],
)
def test_every_answer_is_as_described(app, world, who, mode):
    api = Api(app) if who == "nobody" else world.everyone
    ids, statuses, complaints = known(world), set(), []
    for operation in operations(app):
        complaints += complaints_of(operation, mode, api, ids, statuses)
    assert not complaints, "\n".join(complaints)
    assert max(statuses) < 500
    assert verify(world.house).passed
    if who == "nobody":
        assert 401 in statuses
    elif mode is GenerationMode.POSITIVE:
        assert {200, 201, 409, 422} <= statuses
