"""What a WSGI server serves; `make run` uses config.asgi."""

from config.command_line import use_settings

use_settings()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - settings come first

application = get_wsgi_application()
