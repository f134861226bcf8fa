"""Where CI is true, a skipped test is a failed test: nothing drops out of the suite unnoticed.

One reason is allowed: the shared recordings do not lie beside the checkout (fixture `shared_data`).
"""

from __future__ import annotations

import os

import pytest

HOOK = pytest.hookimpl(wrapper=True)


@HOOK
def pytest_runtest_makereport(item, call):
    return _fail_if_skipped((yield))


@HOOK
def pytest_make_collect_report(collector):
    return _fail_if_skipped((yield))


def _fail_if_skipped(report):
    skipped = report.outcome == "skipped" and not hasattr(report, "wasxfail")
    if skipped and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not _may_be_skipped(reason):
            report.outcome = "failed"
            report.longrepr = f"No test is skipped where CI is true. {reason}"
    return report


def _may_be_skipped(reason: str) -> bool:
    from tests.conftest import NO_SHARED_DATA, SHARED_DATA

    return NO_SHARED_DATA in reason and not SHARED_DATA.is_dir()
