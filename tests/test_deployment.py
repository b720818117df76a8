"""What is shipped to run elsewhere: the wheel, the container's steps, the manifests, the pipeline.

No container is built and nothing is deployed: that needs an engine, a cluster and an account.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
import yaml
from apache_beam.portability.api import beam_runner_api_pb2
from jsonschema import Draft202012Validator
from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.jobs.context import JobContext
from sealedbeam.pipeline.jobs.plan import InputFile
from sealedbeam.pipeline.jobs.transforms import BuildIndex
from sealedbeam.pipeline.warc.values import Container

from tests.support.jobs import ROOT, SAMPLE

_WATCHDOG_SECONDS = 300
_SHIPPED = ("pipeline", "faults", "monitoring", "pyproject.toml", "README.md", "LICENSE")
_INSTRUCTION = re.compile(r"(FROM|COPY|RUN|ENTRYPOINT)\s+(.+)")
FLINK = ROOT / "configs" / "flink"
_GENERATOR = ROOT / "monitoring" / "dashboards"  # of files in configs; needs what dev brings


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile; fail on a line that is none."""
    found = []
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line and not line.startswith("#"):
            match = _INSTRUCTION.fullmatch(line)
            assert match, line
            found.append((match[1], match[2]))
    return found


def run(command: list[str | Path], **options: Any) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_WATCHDOG_SECONDS,
        check=False,
        **options,
    )
    told: str = done.stdout
    assert done.returncode == 0, told
    return told


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has what the project depends on, and of the project what the image gets.

    The Dockerfile's own steps install it: without the network, so without dependencies.
    """
    folder = tmp_path_factory.mktemp("machine")
    source, wheels, home = folder / "source", folder / "wheels", folder / "venv"
    source.mkdir()
    for name in _SHIPPED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    venv.create(home, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    # As a path alone: the links by which the project itself is installed there are not followed.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    settings = {
        "PATH": f"{home}/bin{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this as: no isolation
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | settings
    for word, step in instructions():
        if word == "RUN" and "pip" in step:
            here = step.replace("/source", str(source)).replace("/wheels", str(wheels))
            run(["sh", "-ec", here], env=environment, cwd=folder)
    return home


def test_dockerfile_stages() -> None:
    """Every stage begins with one that is there, and files are copied from such."""
    stages: list[str] = []
    for word, rest in instructions():
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            assert base in stages or re.fullmatch(r"[a-z/_.0-9-]+:[a-z0-9.-]+", base)
            stages.append(name)
        elif word == "COPY" and rest.startswith("--from="):
            origin = rest.removeprefix("--from=").split()[0]
            assert origin in stages or ":" in origin
    assert stages == ["build", "worker", "launcher"]


def test_dockerfile_has_the_versions_of_the_project() -> None:
    """Beam's start program is of the version that the wheel depends on."""
    text = (ROOT / "pyproject.toml").read_text()
    wanted = re.search(r'"apache-beam>=([0-9.]+),', text)
    copied = re.search(r"apache/beam_python3\.11_sdk:([0-9.]+)", (ROOT / "Dockerfile").read_text())
    assert wanted is not None
    assert copied is not None
    assert copied[1].startswith(wanted[1])


def test_image_gets_what_the_wheel_is_made_of() -> None:
    """The folders of the packages pass .dockerignore, and nothing else does."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(_SHIPPED)


def test_wheel_alone_runs_workers(machine: Path, tmp_path: Path) -> None:
    """Installed from its wheel, in another folder, the program indexes with workers, and audits."""
    program = machine / "bin" / "sealedbeam"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    options: dict[str, Any] = {"cwd": tmp_path, "env": environment}
    where = "import sealedbeam.pipeline as p; print(p.__file__)"
    assert run([machine / "bin" / "python", "-c", where], **options).startswith(str(machine))
    told = run([program, "index", SAMPLE, "--output", "index", "--workers", "2"], **options)
    assert "ledger: balanced; status: complete" in told
    assert "all intact" in run([program, "audit", "index"], **options)
    assert (tmp_path / "index" / "report.html").stat().st_size > 0


def test_wheel_has_what_its_packages_have(machine: Path) -> None:
    """No module and no file of the page is missing from what was installed."""
    (site,) = (machine / "lib").glob("python*/site-packages/sealedbeam")
    for package in ("pipeline", "faults", "monitoring"):
        for path in (ROOT / package).rglob("*"):
            needed = path.suffix in {".py", ".typed"} or "static" in path.parts
            needed &= not path.is_relative_to(_GENERATOR)
            if path.is_file() and needed and "__pycache__" not in path.parts:
                assert (site / package / path.relative_to(ROOT / package)).is_file(), path


# Kubernetes.


def strict(schema: Any) -> Any:
    """Return a schema that refuses fields it does not name, which Kubernetes would drop unseen."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def deployment_schema() -> dict[str, Any]:
    path = ROOT / "tests" / "schemas" / "flinkdeployment.json"
    schema: dict[str, Any] = strict(json.loads(path.read_text()))
    texts = {key: {"type": "string"} for key in ("apiVersion", "kind")}
    schema["properties"] |= {"metadata": {"type": "object"}, **texts}
    schema["$defs"]["pod"]["properties"]["metadata"] = {"type": "object"}
    return schema


def errors_of(document: Any, schema: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft202012Validator(schema).iter_errors(document)]


def test_cluster_keeps_the_operators_schema() -> None:
    """The cluster has the fields and types of the operator, its pods those of Kubernetes."""
    document = yaml.safe_load((FLINK / "cluster.yaml").read_text())
    assert errors_of(document, deployment_schema()) == []
    pod = document["spec"]["taskManager"]["podTemplate"]["spec"]["containers"][1]
    pod["imagge"] = pod.pop("image")
    document["spec"]["flinkVersion"] = "v0"
    assert len(errors_of(document, deployment_schema())) == 2


def test_launcher_keeps_kubernetes_schema() -> None:
    """The pod of the launcher has the fields and types of Kubernetes."""
    document = yaml.safe_load((FLINK / "job.yaml").read_text())
    assert (document["apiVersion"], document["kind"]) == ("batch/v1", "Job")
    schema = deployment_schema()
    pod = {"$defs": schema["$defs"], "$ref": "#/$defs/pod"}
    template = document["spec"]["template"]
    assert errors_of(template, pod) == []
    template["spec"]["restartPolicie"] = "Never"
    assert len(errors_of(template, pod)) == 1


def test_cluster_and_configuration_agree() -> None:
    """Versions, addresses and modules that the manifests name are those of the configuration."""
    cluster = yaml.safe_load((FLINK / "cluster.yaml").read_text())
    job = yaml.safe_load((FLINK / "job.yaml").read_text())
    beam_options = yaml.safe_load((ROOT / "configs" / "runners" / "flink.yaml").read_text())["beam"]
    spec = cluster["spec"]
    version = beam_options["flink_version"]
    assert spec["image"] == f"flink:{version}"
    assert spec["flinkVersion"] == f"v{version.replace('.', '_')}"
    _, pool = spec["taskManager"]["podTemplate"]["spec"]["containers"]
    port = beam_options["environment_config"].partition(":")[2]
    assert pool["args"][0] == f"127.0.0.1:{port}"
    assert pool["command"][-1] == "sealedbeam.pipeline.jobs.worker_pool"
    (launcher,) = job["spec"]["template"]["spec"]["containers"]
    assert launcher["args"][-1] == f"--flink_master={cluster['metadata']['name']}-rest:8081"


# The pipeline as an engine gets it.


def translate(inputs: int, folder: Path) -> beam_runner_api_pb2.Pipeline:
    """Return the portable form of the whole job, which Flink and Dataflow are given."""
    files = tuple(
        InputFile(f"gs://crawl/CC-MAIN-{n:05d}.warc.gz", 10**9, f"{n:08x}", Container.PLAIN)
        for n in range(inputs)
    )
    config = JobConfig(part_bytes=1 << 30, shards=1)
    context = JobContext(str(folder), files, config, PerfectChannel().reference())
    pipeline = beam.Pipeline(runner="FnApiRunner")
    _ = pipeline | BuildIndex(context)
    return pipeline.to_runner_api()


def test_pipeline_translates(tmp_path: Path) -> None:
    """The portable form names every step, and its code by modules that the wheel brings."""
    found = translate(3, tmp_path / "index")
    transforms = found.components.transforms.values()
    names = {transform.unique_name.rpartition("/")[2] for transform in transforms}
    assert {"PlanParts", "MapParts", "SettleParts", "ReduceShards", "Finish"} <= names
    again = beam_runner_api_pb2.Pipeline.FromString(found.SerializeToString())
    assert again == found


def test_pipeline_grows_by_its_inputs_alone(tmp_path: Path) -> None:
    """What is sent to an engine is some hundred bytes for each input."""
    small, large = (len(translate(n, tmp_path / str(n)).SerializeToString()) for n in (1, 21))
    assert (large - small) / 20 < 1000
