"""The addresses. Each package of faces brings its own list; this page only says where they hang."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from prebuilds.api import documents
from prebuilds.api.health import healthz
from prebuilds.api.readiness import readyz
from prebuilds.api.scrape import scrape

handler500 = "config.broken.server_error"
urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", scrape),
    path("api/v2/", include("prebuilds.api.urls")),
    path("api/", include(documents.document_urls)),
    path("", include("prebuilds.dashboard.urls")),
]
