"""What lies in deploy/: read, not run, since a container needs docker; nginx's file is run by a browser test."""

import re

import yaml

from tests.architecture.tree import ROOT, modules, text

DEPLOY = ROOT / "deploy"
NGINX = text(DEPLOY / "nginx.conf")


def steps():
    """(instruction, its words) of the Dockerfile in order, lines joined."""
    lines = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text(DEPLOY / "Dockerfile"), flags=re.M)).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def said(*names):
    return [words for name, words in steps() if name in names]


def test_the_image_is_of_a_fixed_version_for_the_python_of_the_project_and_takes_a_device():
    assert said("FROM") == ["python:3.11-slim-bookworm"] and said("ARG") == ["DEVICE=cpu"]
    assert {name for name, _ in steps()} <= {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE",
                                             "HEALTHCHECK", "ENTRYPOINT"}


def test_what_is_copied_is_there_and_not_ignored():
    wanted = {file for words in said("COPY") for file in words.split()[:-1]}
    ignored = text(DEPLOY / "Dockerfile.dockerignore").split()
    assert wanted == {line[1:] for line in ignored if line.startswith("!")} and ignored[0] == "*"
    assert all((ROOT / file).exists() for file in wanted)
    packages = {p.relative_to(ROOT).parts[0] for p in modules("app.py", "ui", "backends")}
    assert packages <= wanted


def test_pip_keeps_no_cache_and_takes_the_pins_alone():
    calls = [call for words in said("RUN") for call in re.findall(r"pip install [^&]*", words)]
    assert len(calls) == 2 and all("--no-cache-dir" in call and "-r " in call for call in calls)


def test_it_runs_as_nobody_special_with_a_volume_and_a_health_check():
    names = [name for name, _ in steps()]
    assert said("USER") == ["glassbox"] and names.index("USER") > max(i for i, n in enumerate(names) if n == "RUN")
    assert said("VOLUME") == ["/cache"] and "GLASSBOX_HOME=/cache" in said("ENV")[0]
    assert "/healthz" in said("HEALTHCHECK")[0] and said("ENTRYPOINT") == ['["python", "app.py"]']


def test_compose_keeps_the_app_away_from_the_network_and_rotates_logs():
    made = yaml.safe_load(text(DEPLOY / "compose.yaml"))
    app, front = made["services"]["glassbox"], made["services"]["nginx"]
    assert made["networks"]["inside"] == {"internal": True} and app["networks"] == ["inside"] and "ports" not in app
    assert app["read_only"] and app["cap_drop"] == ["ALL"] and app["logging"]["options"]["max-size"]
    assert app["volumes"] == ["cache:/cache"] and front["depends_on"]["glassbox"]["condition"] == "service_healthy"
    assert (DEPLOY / app["build"]["context"]).resolve() == ROOT
    root, limit = app["command"][1], int(app["command"][3])
    assert f"location {root}/ {{" in NGINX and "proxy_buffering off;" in NGINX
    assert f"client_max_body_size {limit + 1}m;" in NGINX
