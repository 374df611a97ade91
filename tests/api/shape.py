"""The one shape of every error: {"message", "detail", "validations": [{"field", "detail"}]}."""


def assert_error(response, status, *, fields=(), message=""):
    """Assert status and shape, and that exactly these fields are named."""
    assert response.status_code == status, response.content
    body = response.json()
    assert set(body) == {"message", "detail", "validations"}
    assert body["message"]
    assert message in body["message"]
    assert [each["field"] for each in body["validations"]] == list(fields)
    assert all(each["detail"] for each in body["validations"])
