"""Compose, Kubernetes, Docker and Grafana say the same as the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.__main__ import documents as grafana_documents
from deploy.k8s.__main__ import documents as k8s_documents
from pipeline.catalogue import INDICATORS
from pipeline.cli.entry import COMMANDS
from pipeline.settings import PREFIX, Settings
from schemas.topics import specs
from tests.production.macros import expand

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
TOOLS = Path(sys.executable).parent
K8S = sorted(
    path for path in (ROOT / "deploy/k8s").glob("*.yaml") if path.name != "kustomization.yaml"
)
_METRIC = re.compile(r"popflow_\w+")
STRANGERS = ("kafka.strimzi.io", "monitoring.coreos.com")
"""Whose kinds kubernetes-validate does not know."""


def _version() -> str:
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return found


@pytest.mark.parametrize(
    ("path", "text"),
    [*grafana_documents(), *k8s_documents().items()],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_generated_files_are_today_s(path: Path, text: str) -> None:
    assert path.read_text("utf-8") == text, "make generate"


def test_every_indicator_is_on_a_dashboard() -> None:
    drawn = "".join(text for _, text in grafana_documents())
    assert [key for key in INDICATORS if f"indicator = '{key}'" not in drawn] == []


def test_every_measured_metric_is_one_of_ours() -> None:
    from pipeline.metrics import REGISTRY

    ours = {family.name for family in REGISTRY.collect()}
    drawn = "".join(text for _, text in grafana_documents())
    asked = {
        name for expr in re.findall(r'"expr": "(.*)"', drawn) for name in _METRIC.findall(expr)
    }
    assert asked
    for name in asked:
        assert re.sub(r"_(total|bucket|sum|count)$", "", name) in ours, name


class TestCompose:
    def services(self) -> dict[str, Any]:
        found: dict[str, Any] = COMPOSE["services"]
        return found

    def ours(self) -> dict[str, Any]:
        return {k: v for k, v in self.services().items() if v["image"].startswith("popflow:")}

    def test_images_are_pinned_and_ours_is_this_version(self) -> None:
        for service in self.services().values():
            tag = service["image"].partition(":")[2]
            assert re.search(r"\d", tag), service["image"]
        assert {s["image"] for s in self.ours().values()} == {f"popflow:{_version()}"}

    def test_kafka_is_the_one_that_the_one_machine_stack_runs(self) -> None:
        locked = (ROOT / "deploy/native/jgo.lock.toml").read_text("utf-8")
        kafka = self.services()["kafka"]["image"].partition(":")[2]
        assert f'version = "{kafka}"' in locked

    def test_settings_and_commands_exist(self) -> None:
        for service in self.ours().values():
            assert service["command"][0] in COMMANDS
            for name in service["environment"]:
                assert name.removeprefix(PREFIX).lower() in Settings.model_fields, name

    def test_mounted_files_and_secrets_exist(self) -> None:
        made = (ROOT / "deploy/docker/secrets.sh").read_text("utf-8")
        for secret in COMPOSE["secrets"].values():
            assert Path(secret["file"]).name in made
        for service in self.services().values():
            for volume in service.get("volumes", ()):
                source = volume.split(":")[0]
                assert source in COMPOSE["volumes"] or (ROOT / source).exists(), source

    def test_nothing_listens_beyond_this_machine(self) -> None:
        for service in self.services().values():
            for port in service.get("ports", ()):
                assert port.startswith("127.0.0.1:")

    def test_ours_run_without_rights(self) -> None:
        for service in self.ours().values():
            assert service["read_only"] is True
            assert service["user"] == "10001:10001"
            assert service["cap_drop"] == ["ALL"]

    @pytest.mark.long
    def test_the_compose_loader_takes_it(self) -> None:
        """compose-go, by the Go toolchain: undefined references, cycles, wrong types."""
        loader = Path(__file__).parent / "compose"
        done = subprocess.run(
            [TOOLS / "go", "run", ".", str(ROOT / "docker-compose.yml")],
            cwd=loader,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert set(done.stdout.split()) == set(self.services())


def test_the_dockerfile_is_sound() -> None:
    done = subprocess.run(
        [TOOLS / "hadolint", DOCKERFILE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


class TestKubernetes:
    def documents(self) -> list[dict[str, Any]]:
        return [d for path in K8S for d in yaml.safe_load_all(path.read_text("utf-8"))]

    def test_the_api_takes_them(self, tmp_path: Path) -> None:
        known = [d for d in self.documents() if not d["apiVersion"].startswith(STRANGERS)]
        file = tmp_path / "all.yaml"
        file.write_text(yaml.safe_dump_all(known), "utf-8")
        done = subprocess.run(
            [TOOLS / "kubernetes-validate", "--strict", file],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert (done.stdout + done.stderr).count("passed") == len(known)

    def test_kustomization_lists_every_file(self) -> None:
        listed = yaml.safe_load((ROOT / "deploy/k8s/kustomization.yaml").read_text("utf-8"))
        assert sorted(listed["resources"]) == [path.name for path in K8S]
        assert listed["images"] == [{"name": "popflow", "newTag": _version()}]

    def test_settings_and_commands_exist(self) -> None:
        (settings,) = [d for d in self.documents() if d["kind"] == "ConfigMap"]
        for name in settings["data"]:
            assert name.removeprefix(PREFIX).lower() in Settings.model_fields, name
        text = "".join(path.read_text("utf-8") for path in K8S)
        commands = re.findall(r"args: \[(\w+)\]", text)
        assert commands
        assert set(commands) <= set(COMMANDS)

    def test_topics_are_those_of_the_contract(self) -> None:
        topics = {
            d["metadata"]["name"]: d["spec"] for d in self.documents() if d["kind"] == "KafkaTopic"
        }
        wanted = {spec.name: spec for spec in specs(12, forge_proof=True)}
        assert set(topics) == set(wanted)
        for name, spec in wanted.items():
            assert topics[name]["partitions"] == spec.partitions
            assert spec.config.items() <= topics[name]["config"].items()

    def test_publishers_read_nothing(self) -> None:
        users = [d for d in self.documents() if d["kind"] == "KafkaUser"]
        for user in users:
            if user["metadata"]["name"] != "popflow":
                rights = {o for a in user["spec"]["authorization"]["acls"] for o in a["operations"]}
                assert rights == {"Write", "Describe"}


def test_macros_become_what_the_plugin_makes_of_them() -> None:
    start, end = datetime(2017, 1, 2, 3, tzinfo=UTC), datetime(2018, 1, 2, 3, tzinfo=UTC)
    asked = "SELECT $__fromTime WHERE $__dateFilter(as_of) AND d = '$district' AND w = '${window}'"
    assert expand(asked, start, end, {"district": "320500", "window": "28d"}) == (
        "SELECT toDateTime(1483326000) WHERE as_of >= toDate('2017-01-02')"
        " AND as_of <= toDate('2018-01-02') AND d = '320500' AND w = '28d'"
    )
    with pytest.raises(KeyError):
        expand("$__unknown(x)", start, end, {})
    with pytest.raises(KeyError):
        expand("$unknown", start, end, {})


def test_alert_rules_name_their_question() -> None:
    rules = json.loads(
        (ROOT / "deploy/grafana/provisioning/alerting/popflow.json").read_text("utf-8")
    )
    for rule in rules["groups"][0]["rules"]:
        assert rule["condition"] in {question["refId"] for question in rule["data"]}
