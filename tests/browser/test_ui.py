"""A steward's way through the UI, headless, on a real webserver: graph, asset, failed check, receipt."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from exports.submissions import NewSubmission, Outcome, State, acknowledge, enqueue, transition
from lake import tables
from lake.state import migrate
from orchestration import jobs, phases
from orchestration.assets.extracts import EXTRACTED_AT
from orchestration.dbt_manifest import build_manifest
from orchestration.location import MANIFEST
from orchestration.settings import Settings, load_settings
from orchestration.tick import PhaseReport
from reference_plant.init import PlantOptions, make_site

pytestmark = pytest.mark.browser

SCREENSHOTS = Path(__file__).parents[2] / "test-output" / "browser"
REGISTER = dg.AssetKey(["raw", "raw_site_register__outlets"])
REPORT, ENDPOINT, RECEIPT = "park_outlet_hourly", "park_https", "receipt-4711"
PATIENCE_S = 60


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    folder: Path = tmp_path_factory.mktemp("site") / "plant"
    make_site(folder, PlantOptions())
    if not MANIFEST.is_file():
        build_manifest()
    settings = load_settings(folder)
    settings.enter()
    migrate(settings.state_url, settings.lake)
    put_wrong_report_row(settings)
    with phases.open_workshop(settings) as workshop:
        put_receipt(workshop)
        phases.execute(workshop, PhaseReport(jobs.EXTRACT), jobs.EXTRACT, assets=[REGISTER])
        phases.execute(workshop, PhaseReport(jobs.GATES), jobs.GATES)
        phases.tell_landed(workshop)
    return settings


def put_wrong_report_row(settings: Settings) -> None:
    """An hour that claims no exceedance at four times the limit: its gate must fail and name it."""
    row = {
        "outlet_id": "DA001",
        "outlet_name_zh": "锅炉烟囱",
        "factor_code": "a21002",
        "factor_name_zh": "氮氧化物",
        "period_start_utc": datetime(2026, 11, 16, 6, tzinfo=UTC),
        "plant_date": date(2026, 11, 16),
        "unit": "mg/m3",
        "avg_value": 600.0,
        "converted_avg_value": 610.0,
        "emission_kg": 1.5,
        "data_flag": "N",
        "limit_value": 150.0,
        "limit_basis": "converted",
        "standard_no": "GB 13271-2014",
        "standard_name_zh": "锅炉大气污染物排放标准",
        "is_exceeded": False,
    }
    rows = pa.Table.from_pylist([row])
    path = settings.lake.table("regulatory", "reg_park__outlet_hourly")
    tables.overwrite(path, rows, rows.schema, partition_by=["plant_date"])


def put_receipt(workshop: phases.Workshop) -> None:
    """A submission that the park has acknowledged, written as the dispatcher writes it."""
    now = workshop.settings.clock.now()
    new = NewSubmission(
        report_id=REPORT,
        endpoint_id=ENDPOINT,
        subject_id="reference_plant",
        period_start_utc=now,
        revision=0,
        mode="scheduled",
        content=b"{}",
        due_at_utc=now,
        reason="due",
    )
    with workshop.state.begin() as connection:
        number = enqueue(connection, new, now)
        transition(connection, number, State.QUEUED, State.SENDING, now)
        acknowledge(connection, number, Outcome(body=b"{}", reference=RECEIPT, tries=1), now)


@pytest.fixture(scope="module")
def address(settings) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dagster_webserver", "--host", "127.0.0.1", "--port", str(port)]
    log = settings.var / "webserver.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "-m", "orchestration.definitions"],
            env=settings.child_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        found = f"http://127.0.0.1:{port}"
        await_answer(found, server, log)
        yield found
    finally:
        server.terminate()
        server.wait(timeout=30)


def await_answer(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text(encoding="utf-8")
        try:
            urllib.request.urlopen(f"{address}/server_info", timeout=2).read()
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium, "chromium is missing: run `make browser`"
    assert driver, "chromedriver is missing: run `make browser`"
    options = Options()
    options.binary_location = chromium
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(switch)
    for switch in ("--disable-background-networking", "--no-first-run", "--window-size=1600,1000"):
        options.add_argument(switch)
    found = webdriver.Chrome(options=options, service=Service(executable_path=driver))
    yield found
    found.quit()


def see(browser: webdriver.Chrome, url: str, *texts: str, picture: str) -> None:
    """Open a page, wait until it shows every text, keep a picture of it either way."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    browser.get(url)
    try:
        for text in texts:
            WebDriverWait(browser, PATIENCE_S).until(
                lambda page, text=text: text in visible(page), f"no {text!r}"
            )
    finally:
        browser.save_screenshot(str(SCREENSHOTS / f"{picture}.png"))
    assert (SCREENSHOTS / f"{picture}.png").stat().st_size > 10_000


def visible(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def test_the_asset_graph_shows_the_site_from_system_to_report(address, browser):
    groups = ("opcua_environment", "erp_main", "regulatory", "export_park_https")
    see(browser, f"{address}/asset-groups", *groups, picture="1-asset-graph")


def test_an_asset_shows_owner_both_languages_and_its_last_extract(address, browser):
    told = ("raw_site_register__outlets", "排放口", "environment", EXTRACTED_AT)
    see(browser, f"{address}/assets/raw/raw_site_register__outlets", *told, picture="2-asset")


def test_a_failed_gate_shows_the_rule_and_the_row(address, browser):
    page = f"{address}/assets/regulatory/reg_park__outlet_hourly?view=checks&checkDetail=gate_{REPORT}"
    see(browser, page, "Failed", "is_exceeded contradicts", "DA001", picture="3-failed-check")


def test_an_export_shows_its_receipt(address, browser):
    page = f"{address}/assets/export/{ENDPOINT}/{REPORT}?view=events"
    see(browser, page, "answered", "receipts", picture="4-export")
    for link in browser.find_elements(By.XPATH, "//*[contains(text(), 'Show markdown')]"):
        link.click()
    WebDriverWait(browser, PATIENCE_S).until(lambda found: RECEIPT in visible(found), "no receipt")
    browser.save_screenshot(str(SCREENSHOTS / "5-receipt.png"))
