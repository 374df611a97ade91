"""Django for ASGI, with one change of threads a request where Django makes one per middleware.

Views that wait are coroutines and stay with Django's own handler: a wait must not keep a thread
busy. All others run, middleware included, in the request's one thread.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve


def make_handler() -> Callable[[Any, Any, Any], Awaitable[None]]:
    """Return the ASGI application that serves everything Django has views for."""
    waiting, answering = get_asgi_application(), OneHop()

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        handler = waiting if waits(scope) else answering
        await handler(scope, receive, send)

    return serve


class OneHop(ASGIHandler):
    """Middleware and view in one call, in the thread that Django keeps for the request."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the chain for threads, though the handler itself is a coroutine."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Change threads once, and let the chain run there from end to end."""
        return await sync_to_async(self.get_response)(request)


def waits(scope: Mapping[str, Any]) -> bool:
    """Say whether the view of an address is a coroutine."""
    if scope["type"] != "http":
        return False
    try:
        view = resolve(scope["path"].removeprefix(scope.get("root_path", "")))
    except Resolver404:
        return False
    return iscoroutinefunction(view.func)
