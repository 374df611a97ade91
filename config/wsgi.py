"""What a WSGI server serves; `make run` uses config.asgi, which alone numbers its requests."""

from config.command_line import serve

serve()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - settings come first

application = get_wsgi_application()
