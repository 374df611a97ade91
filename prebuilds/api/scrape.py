"""GET /metrics for Prometheus: ours, computed from rows, and the usual ones of this process.

Closed unless somebody opened it: by a token (PREBUILDS_METRICS_TOKEN), or to networks
(PREBUILDS_METRICS_NETWORKS). Who is not let in learns nothing, not even that it exists.
"""

from collections.abc import Sequence
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY, generate_latest

from prebuilds import metrics
from prebuilds.api.authentication import bearer_of


@require_safe
@never_cache
def scrape(request: HttpRequest) -> HttpResponse:
    """Return all metrics as text."""
    if not (_has_token(request) or _is_from_our_networks(request)):
        raise Http404
    text = _exposition().text().encode() + generate_latest(REGISTRY)
    return HttpResponse(text, content_type=metrics.CONTENT_TYPE)


@cache
def _exposition() -> metrics.Exposition:
    return metrics.Exposition(timezone.now)


def _has_token(request: HttpRequest) -> bool:
    wanted: str = settings.PREBUILDS_METRICS_TOKEN
    return bool(wanted) and constant_time_compare(bearer_of(request) or "", wanted)


def _is_from_our_networks(request: HttpRequest) -> bool:
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    # A socket that listens for both families tells an IPv4 client as ::ffff:10.1.2.3.
    names = (address, getattr(address, "ipv4_mapped", None) or address)
    networks: Sequence[IPv4Network | IPv6Network] = settings.PREBUILDS_METRICS_NETWORKS
    return any(name in network for name in names for network in networks)
