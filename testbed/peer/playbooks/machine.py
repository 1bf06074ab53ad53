"""The machine with kolla-ansible's playbooks: its engine, its units, and runs of ansible-playbook."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

UNITS = Path("/etc/systemd/system")
REGISTRY = "localhost:5000/kolla"
SERVICES = {  # containers, and the images that they are of
    "cron": "cron",
    "memcached": "memcached",
    "valkey_server": "valkey-server",
    "valkey_sentinel": "valkey-sentinel",
    "prometheus_node_exporter": "prometheus-node-exporter",
    "prometheus_cadvisor": "prometheus-cadvisor",
    "openvswitch_db": "openvswitch-db-server",
    "openvswitch_vswitchd": "openvswitch-vswitchd",
    "iscsid": "iscsid",
    "placement_api": "placement-api",
}
MODULES = ("kolla_container", "kolla_container_facts")
REGISTRY_PASSWORD = "Reg1stry-8f3a61"


def output(*command, deadline=120):
    """What a command prints; it has to succeed."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=deadline)
    if ended.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {ended.stderr or ended.stdout}")
    return ended.stdout


class Machine:
    def __init__(self, program, engine, scratch, folder):
        self.engine = engine
        self.scratch, self.folder = Path(scratch), Path(folder)
        self.ansible = self.scratch / "tree" / "ansible"
        self.results = self.scratch / "results"
        self.number = 0
        self.use(program)

    @property
    def is_ours(self):
        return self.program != "python"

    # The engine and systemd, by their own commands.

    def inspect(self, kind, *names):
        if not names:
            return []
        return json.loads(output(self.engine, kind, "inspect", *names))

    def containers(self):
        """Each container by its name."""
        names = output(self.engine, "ps", "--all", "--format", "{{.Names}}").split()
        return {one["Name"].lstrip("/"): one for one in self.inspect("container", *names)}

    def volumes(self):
        return set(output(self.engine, "volume", "ls", "--quiet").split())

    def images(self):
        return set(output(self.engine, "images", "--format", "{{.Repository}}:{{.Tag}}").split())

    def image(self, service, tag):
        """The id of a service's image, without what an engine writes before it."""
        return self.inspect("image", f"{REGISTRY}/{SERVICES[service]}:{tag}")[0]["Id"].removeprefix("sha256:")

    def units(self):
        """The units of containers, and the state of each."""
        units = sorted(UNITS.glob("kolla-*-container.service"))
        states = {}
        for unit in units:
            shown = output("systemctl", "show", "--property=ActiveState,UnitFileState", "--value", unit.name).split()
            states[unit.name.removeprefix("kolla-").removesuffix("-container.service")] = " ".join(sorted(shown))
        return states

    # Images.

    def make_images(self, *tags):
        """An image of each service in the registry, and another one for each tag."""
        docker = ["docker", "--host", "unix:///run/docker.sock"]
        os.environ["DOCKER_BUILDKIT"] = "0"
        for tag in tags:
            made = f"localhost/kolla-stub:{tag}"
            context = str(self.scratch / "image")
            output(*docker, "build", "--quiet", "--build-arg", f"release={tag}", "--tag", made, context)
            for image in SERVICES.values():
                name = f"{REGISTRY}/{image}:{tag}"
                output(*docker, "tag", made, name)
                output(*docker, "push", "--quiet", name)
                output(*docker, "rmi", name)

    # Ansible.

    def use(self, program):
        """Has playbooks use that program as the module, or kolla-ansible's own one, called `python`."""
        self.program = program
        library, peer = self.ansible / "library", self.scratch / "peer"
        if not peer.exists():
            shutil.copytree(library, peer)
        for module in MODULES:
            (library / f"{module}.py").unlink(missing_ok=True)
            (library / module).unlink(missing_ok=True)
            if self.is_ours:
                shutil.copy(program, library / module)
            else:
                shutil.copy(peer / f"{module}.py", library)

    def configure(self):
        """What an operator would write: the passwords, and which engine there is."""
        lines = ["---"]
        for line in (self.ansible.parent / "etc_examples/kolla/passwords.yml").read_text().splitlines():
            if line[:1].isalpha() and line.endswith(":"):
                lines.append(f'{line} "secret-of-{line[:-1]}"')
        (self.scratch / "passwords.yml").write_text("\n".join(lines) + "\n")
        volumes = "docker/data/volumes" if self.engine == "docker" else "podman/volumes"
        self.write("engine.json", {
            "kolla_container_engine": self.engine,
            "container_engine_volumes_path": str(self.folder / volumes),
            "docker_registry_password": REGISTRY_PASSWORD,
            "ansible_python_interpreter": sys.executable,
        })
        (self.scratch / "ansible.cfg").write_text("\n".join([
            "[defaults]",
            f"inventory = {self.ansible}/inventory/all-in-one",
            f"callback_plugins = {self.ansible}/callback_plugins",
            "callbacks_enabled = record",
            f"collections_path = {self.ansible}/collections",
            "gathering = explicit",
            f"remote_tmp = {self.scratch}/remote",
            "inject_facts_as_vars = false",
            "display_skipped_hosts = false",
            "fact_caching = jsonfile",
            f"fact_caching_connection = {self.scratch}/facts",
            "retry_files_enabled = false",
            "localhost_warning = false",
            "deprecation_warnings = false",
            "[connection]",
            "pipelining = true",
        ]) + "\n")

    def write(self, name, values):
        (self.scratch / name).write_text(json.dumps(values))
        return self.scratch / name

    def play(self, name, playbook, *options, variables=None, tags=None, deadline=600):
        """Runs a playbook, and has what came of it."""
        self.number += 1
        log = self.results / f"{self.number:02}-{name}.log"
        records = log.with_suffix(".records")
        command = ["ansible-playbook", str(self.ansible / playbook), *options]
        for file in ["globals.yml", "passwords.yml", "engine.json"]:
            command += ["--extra-vars", f"@{self.scratch / file}"]
        if variables:
            command += ["--extra-vars", f"@{self.write(log.stem + '.json', variables)}"]
        if tags:
            command += ["--tags", tags]
        environment = {
            "ANSIBLE_CONFIG": str(self.scratch / "ansible.cfg"), "RECORD": str(records), "PYTHONUNBUFFERED": "1",
        }
        began = time.monotonic()
        with log.open("w") as file:
            try:
                code = subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                    env=os.environ | environment, cwd=self.ansible, timeout=deadline,
                ).returncode
            except subprocess.TimeoutExpired:
                code = "deadline"
        return Run(name, code, time.monotonic() - began, log, records)


class Run:
    """What came of a playbook."""

    def __init__(self, name, code, seconds, log, records):
        self.name, self.code, self.seconds, self.log = name, code, seconds, log
        self.calls = [json.loads(line) for line in records.read_text().splitlines()] if records.exists() else []

    def of(self, module, outcome=None, changed=None):
        """The calls of a module that ended so."""
        return [
            call for call in self.calls
            if call["module"].rsplit(".", 1)[-1] == module
            and (outcome is None or call["outcome"] == outcome)
            and (changed is None or call["changed"] == changed)
        ]

    def text(self):
        return self.log.read_text()
