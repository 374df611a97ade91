"""GET /metrics: closed unless opened by a token or to a network."""

from ipaddress import ip_network

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])


def scrape(token="", address="10.1.2.3"):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Client(headers=headers, REMOTE_ADDR=address).get("/metrics")


def test_it_is_closed_by_default():
    assert scrape().status_code == 404
    assert scrape("anything").status_code == 404
    assert scrape(address="127.0.0.1").status_code == 404


def test_the_token_opens_it(settings):
    settings.PREBUILDS_METRICS_TOKEN = "s3cret"

    response = scrape("s3cret")

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "coderd_prebuilt_workspaces_reconciliation_paused 0" in response.text
    assert "django_http_requests_total_by_method_total" in response.text
    assert scrape("wrong").status_code == scrape().status_code == 404


def test_a_network_opens_it(settings):
    settings.PREBUILDS_METRICS_NETWORKS = [ip_network("10.0.0.0/8"), ip_network("::1")]

    assert scrape(address="10.1.2.3").status_code == 200
    assert scrape(address="::1").status_code == 200
    assert scrape(address="192.0.2.1").status_code == 404


def test_a_network_opens_it_to_addresses_as_a_socket_of_both_families_tells_them(settings):
    settings.PREBUILDS_METRICS_NETWORKS = [ip_network("10.0.0.0/8")]

    assert scrape(address="::ffff:10.1.2.3").status_code == 200
    assert scrape(address="::ffff:192.0.2.1").status_code == 404
