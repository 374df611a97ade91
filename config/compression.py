"""Send pages and JSON compressed; streams go as they are, or events would wait in a buffer."""

from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class CompressPages(GZipMiddleware):
    """Django's own, with its random padding against BREACH, for answers that are whole."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Compress what is not a stream."""
        if response.streaming:
            return response
        return super().process_response(request, response)
