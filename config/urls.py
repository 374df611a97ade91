"""The addresses. Each package of faces brings its own list; this page only says where they hang."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from prebuilds.api.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("healthz", healthz),
    path("api/v2/", include("prebuilds.api.urls")),
    path("", include("prebuilds.dashboard.urls")),
]
