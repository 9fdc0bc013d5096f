"""The dictionary site in headless Chromium, from its files alone: search, languages, lineage, no network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from ingestion.registry import discover_systems
from orchestration.column_lineage import ColumnLineage
from orchestration.dbt_manifest import build_manifest
from orchestration.dictionary_site import compile_models, write_site
from orchestration.location import MANIFEST

pytestmark = pytest.mark.browser
RAW, MODEL = "raw_wms_main__lots", "stg_wms_main__lots"
LINEAGE = {("staging", MODEL): {"lot_id": [("raw", RAW, "lot_id")]}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dictionary")
    if not MANIFEST.is_file():
        build_manifest()
    write_site(folder, json.loads(MANIFEST.read_text(encoding="utf-8")), LINEAGE, None)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1600,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


def test_a_column_is_found_by_its_chinese_label_and_its_page_tells_all(
    site: Path, browser: webdriver.Chrome
) -> None:
    browser.get((site / "index.html").as_uri())
    assert browser.current_url.endswith("/zh/index.html")
    assert browser.find_elements(By.CSS_SELECTOR, "#by-system h3")
    assert browser.find_elements(By.CSS_SELECTOR, "#by-domain h3")
    browser.find_element(By.ID, "search").send_keys(f"批次号 {RAW}")
    (link,) = browser.find_elements(By.CSS_SELECTOR, f"#found a[href='{RAW}.html#lot_id']")
    assert not browser.find_element(By.TAG_NAME, "main").is_displayed()
    link.click()
    row = browser.find_element(By.ID, "lot_id")
    for part in ("批次号", "管理 · 一般", "wms.lots.lot_no", f"{MODEL}.lot_id", "主键", "外部读者"):
        assert part in row.text, part
    row.find_element(By.LINK_TEXT, f"{MODEL}.lot_id").click()
    assert f"{RAW}.lot_id" in browser.find_element(By.ID, "lot_id").text
    browser.find_element(By.ID, "language").click()
    assert f"/en/{MODEL}.html" in browser.current_url
    assert "Comes from" in browser.find_element(By.TAG_NAME, "thead").text
    browser.save_screenshot(str(_picture()))


def test_nothing_is_fetched_and_nothing_fails(site: Path, browser: webdriver.Chrome) -> None:
    browser.get_log("browser"), browser.get_log("performance")
    for page in ("zh/index.html", f"en/{RAW}.html"):
        browser.get((site / page).as_uri())
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert all(url.startswith(("file:", "data:")) for url in asked), asked


def test_every_table_has_its_page_and_every_link_leads_to_one(site: Path) -> None:
    pages = {path.name for path in (site / "zh").glob("*.html")}
    assert pages == {path.name for path in (site / "en").glob("*.html")}
    assert {f"{table.name}.html" for system in discover_systems() for table in system.tables} <= pages
    for path in (site / "zh").glob("*.html"):
        targets = re.findall(r'href="([a-z0-9_]+\.html)', path.read_text(encoding="utf-8"))
        assert set(targets) <= pages, path.name


@pytest.mark.full
def test_every_column_has_chinese_label_class_and_lineage(tmp_path: Path) -> None:
    """The whole project, compiled: raw columns name source and class, marts name what they are made from."""
    from contracts.access import load_roles
    from orchestration.dictionary_site import build_dictionary

    target = compile_models(tmp_path / "target")
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    lineage = ColumnLineage(target).of_columns()
    dictionary = build_dictionary(discover_systems(), manifest, lineage, load_roles(None))
    for table in dictionary.tables:
        assert any("\u4e00" <= letter <= "\u9fff" for letter in table.label.zh + table.description.zh), (
            table.name
        )
        for column in table.columns:
            where = f"{table.name}.{column.name}"
            assert any("\u4e00" <= letter <= "\u9fff" for letter in column.label.zh), where
            assert column.classes, where
            assert len(column.treatments) == len(load_roles(None)), where
            assert bool(column.source) is (table.layer == "raw"), where
    unfollowed = [
        table.name
        for table in dictionary.tables
        if table.layer != "raw" and table.parents and not any(column.origins for column in table.columns)
    ]
    assert not unfollowed, "models whose SQL the lineage cannot follow"


def _picture() -> Path:
    folder = Path(__file__).parents[2] / "test-output" / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "dictionary.png"
