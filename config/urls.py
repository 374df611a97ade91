"""The addresses. Each package of faces brings its own list; this page only says where they hang."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

# A room that is not built yet has no addresses.
ROOMS = {"api/v2/": "prebuilds/api", "": "prebuilds/dashboard"}

urlpatterns: list[URLPattern | URLResolver] = [path("admin/", admin.site.urls)]
urlpatterns += [
    path(prefix, include(f"{room.replace('/', '.')}.urls"))
    for prefix, room in ROOMS.items()
    if (settings.BASE_DIR / room / "urls.py").exists()
]
