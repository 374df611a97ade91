"""Admin forms that save through the services, so that what those refuse is told, not a 500."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from templates_app.errors import TemplatesError

if TYPE_CHECKING:
    from accounts.admin.base import AnyModelAdmin as _Base
else:
    _Base = object


class SavedByServices(_Base):
    """Tells a refusal, such as somebody else's edit in between, and shows the form anew."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show or save the form; a refused save leaves nothing behind."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except TemplatesError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
