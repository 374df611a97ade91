"""Alert rules and dashboard: true to what is exported, tested by promtool, and of use to people."""

import json
import re
from functools import cache

import pytest
import yaml

from prebuilds.metrics import exposition
from tests.acceptance.installation import ROOT
from tests.acceptance.prometheus import DEPLOY, find_program, promtool
from tests.factories import NOON

DASHBOARD = ROOT / "deploy" / "grafana" / "prebuilds.json"
OPERATIONS = ROOT / "docs" / "operations.md"

PROMETHEUS_OWN = {"ALERTS"}
WORDS = {
    *("by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool"),
    *("and", "or", "unless"),
}
LABELS = re.compile(r"\b(by|without|on|ignoring)\s*\([^)]*\)")
GRAFANA = {"$__rate_interval": "5m", "$__interval": "5m", "$__range": "1d"}


@cache
def groups():
    return yaml.safe_load((DEPLOY / "rules.yaml").read_text())["groups"]


def rules():
    return [rule for group in groups() for rule in group["rules"]]


def alerts():
    return [rule for rule in rules() if "alert" in rule]


@cache
def rule_tests():
    return yaml.safe_load((DEPLOY / "rules_test.yaml").read_text())["tests"]


@cache
def dashboard():
    return json.loads(DASHBOARD.read_text())


def panels(kind=None):
    return [panel for panel in dashboard()["panels"] if kind in {None, panel["type"]}]


def dashboard_expressions():
    expressions = [one["expr"] for panel in panels() for one in panel.get("targets", ())]
    return [*expressions, *(one["expr"] for one in dashboard()["annotations"]["list"])]


def filled(expression):
    """Return an expression as Grafana sends it."""
    for variable, value in GRAFANA.items():
        expression = expression.replace(variable, value)
    return re.sub(r"\$[a-z]+", ".*", expression)


def names_in(expression):
    """Return the metrics an expression reads: what is no label, function, word or number."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = LABELS.sub(" ", re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare))
    found = set(re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?![\w:]*\s*\()", bare))
    return {name for name in found - WORDS if not re.fullmatch(r"[smhdwy]", name)}


def exported_names():
    """Return every name a query may use, those of a histogram's series among them."""
    names = set()
    types = re.findall(r"^# TYPE (\S+) (\S+)", exposition.render(now=NOON), re.MULTILINE)
    for name, kind in types:
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {f"{name}{suffix}" for suffix in suffixes}
    return names


def anchors_of(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


class TestRules:
    def test_promtool_finds_nothing_wrong(self):
        done = promtool("check", "rules", DEPLOY / "rules.yaml")

        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.slow
    def test_each_fires_when_it_should_and_not_before(self):
        done = promtool("test", "rules", DEPLOY / "rules_test.yaml")

        assert done.returncode == 0, done.stdout + done.stderr

    def test_the_example_of_a_configuration_is_one(self):
        done = promtool("check", "config", "--syntax-only", DEPLOY / "prometheus.yaml")

        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
    def test_they_read_only_what_is_exported_or_recorded(self):
        known = exported_names() | {rule["record"] for rule in rules() if "record" in rule}

        unknown = {name for rule in rules() for name in names_in(rule["expr"])} - known

        assert unknown == set()

    @pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
    def test_an_alert_says_how_bad_it_is_and_what_to_do(self, rule):
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/operations.md"
        assert anchor in anchors_of(OPERATIONS)

    @pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
    def test_an_alert_about_a_pool_names_it(self, rule):
        if "template_name" in rule["expr"] or "pool:" in rule["expr"]:
            for label in ("template_name", "preset_name", "organization_name"):
                assert f"$labels.{label}" in rule["annotations"]["description"]

    @pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
    def test_an_alert_is_tested_both_ways_and_with_two_replicas(self, rule):
        firing, silent = [], []
        for test in rule_tests():
            for check in test.get("alert_rule_test", ()):
                if check["alertname"] == rule["alert"]:
                    (firing if check["exp_alerts"] else silent).append(test)

        assert firing
        assert silent
        replicas = [str(test["input_series"]).count('instance="b"') for test in firing]
        assert any(replicas)

    def test_every_alert_has_a_runbook_of_its_own(self):
        runbooks = [rule["annotations"]["runbook"] for rule in alerts()]

        assert len(runbooks) == len(set(runbooks))


class TestDashboard:
    def test_every_expression_parses(self, tmp_path):
        recorded = [
            {"record": f"panel:{number}", "expr": filled(expression)}
            for number, expression in enumerate(dashboard_expressions())
        ]
        file = tmp_path / "panels.yaml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))

        done = promtool("check", "rules", file)

        assert done.returncode == 0, done.stdout + done.stderr
        assert len(recorded) > 40

    @pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
    def test_it_reads_only_what_is_exported_or_recorded(self):
        known = exported_names() | PROMETHEUS_OWN
        known |= {rule["record"] for rule in rules() if "record" in rule}

        unknown = {name for one in dashboard_expressions() for name in names_in(one)} - known

        assert unknown == set()

    @pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
    def test_nothing_of_ours_that_is_exported_is_left_out(self):
        shown = {name for one in dashboard_expressions() for name in names_in(one)}
        shown |= {name for rule in rules() for name in names_in(rule["expr"])}
        shown |= {
            f"{name.removesuffix('_bucket')}{end}" for name in shown for end in ("_sum", "_count")
        }

        assert exported_names() - shown == set()

    def test_the_source_of_the_data_and_the_pools_can_be_chosen(self):
        variables = {one["name"]: one["type"] for one in dashboard()["templating"]["list"]}

        assert variables["datasource"] == "datasource"
        assert {"organization", "template", "preset"} <= set(variables)
        assert {panel["datasource"]["uid"] for panel in panels() if "targets" in panel} == {
            "${datasource}"
        }

    def test_every_panel_says_what_it_shows(self):
        shown = [panel for panel in panels() if panel["type"] != "row"]

        assert [panel["title"] for panel in shown if not panel["description"]] == []
        assert len({panel["id"] for panel in panels()}) == len(panels())

    def test_no_panel_lies_on_another_or_leaves_the_page(self):
        cells = [
            (x, y)
            for place in (panel["gridPos"] for panel in panels())
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]

        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) == 23


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_without_the_program_its_tests_are_skipped_and_fail_in_ci(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match="make prometheus"):
        find_program("no-such-program")


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('max by (job) (coderd_a_total{x="coderd_b"}) > 300', {"coderd_a_total"}),
        ("rate(a_bucket[5m]) unless on (job) pool:b:c6h or vector(0)", {"a_bucket", "pool:b:c6h"}),
        ("min_over_time(max by (job) (a)[10m:1m]) / 0.8", {"a"}),
    ],
)
def test_the_names_of_an_expression_are_found(expression, names):
    assert names_in(expression) == names
