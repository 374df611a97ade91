"""Headers that every answer has, whoever made it: page, JSON, file, error or redirect."""

from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from config.security import PERMISSIONS_POLICY


class GuardingHeaders(MiddlewareMixin):
    """Add what neither Django nor django-csp has a setting for; first of all, so last to speak."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Keep what is not said to be storable out of every cache, and devices out of reach."""
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store")
        return response
