"""Pages read the snapshot on its own connection, so their tests commit what they set up."""

import pytest
from django.test import Client

from tests.integration.prebuilds.dashboard.house import House, build_house


@pytest.fixture
def house(transactional_db: None) -> House:
    return build_house()


@pytest.fixture
def admin_client(house: House) -> Client:
    client = Client()
    client.force_login(house.admin)
    return client


@pytest.fixture
def member_client(house: House) -> Client:
    client = Client()
    client.force_login(house.member)
    return client
