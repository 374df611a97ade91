"""What somebody is told when we broke: the request's id, by which its log lines are found."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader

from config import away
from prebuilds import outages
from workspaces.tracing import bound_fields

WORDS = "Something broke on our side."


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500: a program in the API's one shape, a person with a page.

    503 when the database went away where only Django could catch it, in a middleware.
    """
    if (error := sys.exception()) is not None and outages.means_away(error):
        return away.answer(request, error)
    request_id = str(bound_fields().get("request_id", ""))
    if request.path.startswith("/api/"):
        words = f"{WORDS} The request's id is {request_id}." if request_id else WORDS
        return JsonResponse({"message": words, "detail": "", "validations": []}, status=500)
    page = loader.get_template("500.html").render({"request_id": request_id})
    return HttpResponse(page, status=500)
