"""The OpenAPI document, the page that shows it without the network, and paths that are none."""

from functools import cache
from threading import Lock
from typing import Any

from csp.decorators import csp_replace
from django.http import Http404, HttpResponse, HttpResponseBase
from django.urls import path, re_path
from django.utils.decorators import method_decorator
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.views import APIView

SELF = "'self'"
_one_at_a_time = Lock()


class DocumentView(SpectacularAPIView):
    """GET /api/schema: the OpenAPI 3.1 document, as YAML or as JSON (`?format=json`)."""

    permission_classes = ()
    authentication_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer with what was made once: to make it takes seconds, and nobody signs in here."""
        media_type = request.accepted_renderer.media_type
        with _one_at_a_time:
            document = _rendered(media_type)
        return HttpResponse(document, content_type=media_type)


@method_decorator(
    csp_replace(
        {
            "default-src": [SELF],
            "script-src": [SELF],
            # Swagger UI writes style attributes of its own; this page shows nothing of anybody's.
            "style-src": [SELF, "'unsafe-inline'"],
            "img-src": [SELF, "data:"],
            "connect-src": [SELF],
            "frame-ancestors": ["'none'"],
        }
    ),
    name="dispatch",
)
class DocumentPage(SpectacularSwaggerSplitView):
    """GET /api/docs: the document to read and to try."""

    permission_classes = ()
    authentication_classes = ()


@cache
def _rendered(media_type: str) -> bytes:
    renderer = next(r for r in DocumentView.renderer_classes if r.media_type == media_type)
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    text = renderer().render(document, renderer_context={})
    return text if isinstance(text, bytes) else text.encode()


class NothingHereView(APIView):
    """Whatever is not in the document."""

    permission_classes = ()
    authentication_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Answer every method alike, and in the one shape of errors."""
        raise Http404

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponseBase:
        """Never reached; it makes the path known to every method's check."""
        raise Http404


document_urls = [
    path("schema", DocumentView.as_view(), name="api_schema"),
    path("docs", DocumentPage.as_view(url_name="api_schema"), name="api_docs"),
]
urlpatterns = [re_path(r"^", NothingHereView.as_view(schema=None))]
