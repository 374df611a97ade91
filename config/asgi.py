"""What uvicorn serves."""

from config.command_line import use_settings

use_settings()

from django.core.asgi import get_asgi_application  # noqa: E402 - settings come first

application = get_asgi_application()
