"""Fixtures that live as long as the session, and the order of the tests."""

import signal

import pytest
from hypothesis import HealthCheck, settings

from mdclaims.language.pipeline import create_pipeline

# Derandomised, so that no test depends on chance; the health check that is left out looks at the clock.
settings.register_profile(
    "mdclaims", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mdclaims")

# A shell that runs the tests in the background has them ignore Ctrl-C, and every process that they start as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Sort the end-to-end tests last: a unit test that fails tells more, and sooner."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)


@pytest.fixture(scope="session")
def nlp():
    """The pipeline, built once; no test changes it."""
    return create_pipeline()


@pytest.fixture(scope="session")
def ranked_case(tmp_path_factory):
    """The case of `overview_pages`; no test changes it."""
    from cases import make_case
    from overview_pages import PAGES

    return make_case(tmp_path_factory.mktemp("ranked"), PAGES)


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write the golden reports anew")
    parser.addoption("--lower-gate", action="store_true", help="take this model's figures as the quality gate's floors")
