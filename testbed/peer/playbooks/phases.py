"""The life of an OpenStack host's services by kolla-ansible's roles, phase by phase; each says what has to be true."""

import sys
import time

from machine import REGISTRY, REGISTRY_PASSWORD, SERVICES, Machine

DATABASE_PASSWORD = "Datab4se-27c9e0"
BOOTSTRAP = "Running placement bootstrap container"
CHECKED = ["cron", "memcached", "placement"]  # of a container each
FAILING = [  # of `failing.yml`
    "Pull an image that is not there", "Replace by what exits", "Run what exits", "Ask for what is not known",
]
STRATEGY = {"KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS"}


class Phases:
    def __init__(self, machine):
        self.machine = machine
        self.faults = []
        self.rows = []

    # What has to be true.

    def expect(self, is_true, what):
        if not is_true:
            self.faults.append(f"{self.phase}: {what}")

    def equal(self, what, found, expected):
        self.expect(found == expected, f"{what}: {found}, and not {expected}")

    def all_run(self):
        containers, units = self.machine.containers(), self.machine.units()
        self.equal("containers", set(containers), set(SERVICES))
        for name, container in containers.items():
            self.equal(f"status of {name}", container["State"]["Status"], "running")
        self.equal("units", units, {name: "active enabled" for name in SERVICES})

    def replaced_and_restarted(self, before):
        """Which containers are others now, and which ones are the same but started since."""
        after = self.machine.containers()
        replaced = {name for name in before if after.get(name, {}).get("Id") != before[name]["Id"]}
        started = {
            name for name in set(before) - replaced
            if after[name]["State"]["StartedAt"] != before[name]["State"]["StartedAt"]
        }
        return replaced, started

    def changes(self, run):
        """What the module has changed; a bootstrap always does."""
        calls = run.of("kolla_container", "ok", changed=True)
        return [f"{call['task']} ({call['item']})" for call in calls if call["task"] != BOOTSTRAP]

    # Runs.

    def play(self, name, playbook="services.yml", *options, action=None, code=0, **more):
        self.phase = name
        variables = more.pop("variables", {}) | ({"kolla_action": action} if action else {})
        run = self.machine.play(name.replace(" ", "-"), playbook, *options, variables=variables, **more)
        known = len(self.faults)
        if code == 0:
            self.equal("ansible-playbook", run.code, 0)
            for call in run.calls:
                self.expect(call["outcome"] != "failed", f"{call['task']}: {call['msg']}")
        elif code is not None:
            has_failed = run.code not in (0, "deadline")
            self.expect(has_failed, f"ansible-playbook ended with {run.code}, and should have failed")
        self.rows.append((run, known))
        return run

    def report(self):
        engine, module = self.machine.engine, self.machine.program
        print(f"\n{engine}, module: {module}\n")
        print(f"{'phase':34}{'seconds':>8}   {'kolla_container':>24}   {'all modules':>24}")
        print(f"{'':34}{'':8}   {'ok changed failed':>24}   {'ok changed failed':>24}")
        for run, _ in self.rows:
            def counts(calls):
                done = [call for call in calls if call["outcome"] != "skipped"]
                failed = sum(call["outcome"] in ("failed", "ignored") for call in done)
                return f"{len(done) - failed:>8}{sum(call['changed'] for call in done):>8}{failed:>8}"

            ours = run.of("kolla_container") + run.of("kolla_container_facts")
            print(f"{run.name:34}{run.seconds:8.1f}   {counts(ours)}   {counts(run.calls)}")
        for fault in self.faults:
            print(f"not as it should be: {fault}")
        return 1 if self.faults else 0

    # The phases.

    def configuration(self):
        """Files alone, of some: the role of the exporters would make its containers even so."""
        self.play("config", action="config", tags=",".join(CHECKED))
        self.equal("containers", set(self.machine.containers()), set())

    def check_mode(self):
        def look():
            machine = self.machine
            return set(machine.containers()), machine.units(), machine.volumes(), machine.images()

        before = look()
        run = self.play("check mode", "services.yml", "--check", "--diff", action="deploy", tags=",".join(CHECKED))
        self.equal("containers, units, volumes, images", look(), before)
        if self.machine.is_ours:
            self.equal("that would be made", len(self.compared(run)), len(CHECKED))

    def compared(self, run):
        """The containers that differ, by the roles' comparison."""
        return [call for call in run.of("kolla_container", "ok", True) if call["task"].startswith("Check containers")]

    def deployment(self):
        run = self.play("deploy", action="deploy")
        self.all_run()
        self.equal("differed", len(self.compared(run)), len(SERVICES))
        self.expect("kolla_logs" in self.machine.volumes(), "there is no volume kolla_logs")
        bootstraps = [call for call in run.of("kolla_container", "ok", True) if call["task"] == BOOTSTRAP]
        self.equal("bootstraps", len(bootstraps), 1)

    def again(self):
        before = self.machine.containers()
        run = self.play("deploy again", action="deploy")
        self.all_run()
        self.equal("changed", self.changes(run), [])
        self.equal("replaced, restarted", self.replaced_and_restarted(before), (set(), set()))

    def facts(self):
        run = self.play("check", action="check")
        self.expect(run.of("kolla_container_facts", "ok"), "nobody asked for facts")

    def reconfiguration(self):
        before = self.machine.containers()
        variables = {
            "cron_logrotate_schedule": "weekly",  # in its environment
            "valkey_dimensions": {"ulimits": {"nofile": {"soft": 1024, "hard": 2048}}, "cpu_shares": 512},
            "memcached_connection_limit": "4000",  # in its config.json
        }
        run = self.play("reconfigure", action="reconfigure", variables=variables)
        self.all_run()
        replaced, restarted = self.replaced_and_restarted(before)
        self.equal("replaced", replaced, {"cron", "valkey_server"})
        self.equal("restarted", restarted, {"memcached"})
        self.equal("differed", len(self.compared(run)), 3)
        environment = self.machine.containers()["cron"]["Config"]["Env"]
        self.expect("KOLLA_LOGROTATE_SCHEDULE=weekly" in environment, "cron has not got its environment")

    def upgrade(self):
        run = self.play("pull", action="pull", variables={"openstack_tag": "2"})
        self.equal("pulled", len(run.of("kolla_container", "ok", True)), len(SERVICES))
        before = self.machine.containers()
        self.play("upgrade", action="upgrade", variables={"openstack_tag": "2"})
        self.all_run()
        replaced, _ = self.replaced_and_restarted(before)
        self.equal("replaced", replaced, set(SERVICES))
        for name, container in self.machine.containers().items():
            self.equal(f"image of {name}", container["Image"].removeprefix("sha256:"), self.machine.image(name, "2"))

    def secrets(self):
        """Runs that fail, and say all that Ansible says: no word of a password in it."""
        loud = ["-vvv", "--diff"]
        failing = STRATEGY | {"DB_PASSWORD": DATABASE_PASSWORD, "KOLLA_TEST_FAILS": "1"}

        def common(environment):
            return {
                "auth_password": REGISTRY_PASSWORD, "auth_username": "kolla", "auth_registry": "localhost:5000",
                "environment": environment, "restart_policy": "unless-stopped", "restart_retries": "10",
                "graceful_timeout": 60, "client_timeout": 120, "container_engine": self.machine.engine,
            }

        before = self.machine.containers()
        tag = {"openstack_tag": "2"}
        ours = self.machine.is_ours
        runs = [
            self.play("failing replacement", "services.yml", *loud, action="reconfigure", tags="cron",
                      variables=tag | {"docker_common_options": common(failing)}, code=1 if ours else None),
            self.play("failing bootstrap", "services.yml", *loud, action="reconfigure", tags="placement",
                      variables=tag | {"docker_common_options": common(failing)}, code=1),
            self.play("failing pull", "services.yml", *loud, action="pull", tags="cron",
                      variables={"openstack_tag": "missing", "docker_common_options": common(STRATEGY)}, code=1),
            self.play("failing tasks", "failing.yml", *loud, code=0 if ours else None, variables={
                "common": common(failing), "registry_password": REGISTRY_PASSWORD,
                "database_password": DATABASE_PASSWORD, "image": f"{REGISTRY}/cron",
            }),
        ]
        for run in runs:
            text = run.text()
            found = {secret: text.count(secret) for secret in (REGISTRY_PASSWORD, DATABASE_PASSWORD)}
            print(f"{run.name}: passwords in {len(text)} characters of output: {sum(found.values())}")
            if ours:
                self.phase = run.name
                self.equal("passwords in the output", found, dict.fromkeys(found, 0))
        if ours:
            failed = [call["task"] for call in runs[-1].of("kolla_container", "ignored")]
            self.equal("calls that failed", failed, FAILING)
            self.phase = "after what failed"
            self.all_run()
            self.equal("replaced", self.replaced_and_restarted(before)[0], set())

    def stop(self):
        self.play("stop", action="stop", variables={"kolla_action_stop_ignore_missing": False})
        containers = self.machine.containers()
        self.equal("containers", set(containers), set(SERVICES))
        self.equal("running", {name for name, one in containers.items() if one["State"]["Running"]}, set())
        units = {name for name, state in self.machine.units().items() if not state.startswith("active")}
        self.equal("units that are not active", units, set(SERVICES))

    def destruction(self):
        run = self.play("destroy", "destroy-some.yml", code=None)
        self.equal("ansible-playbook", run.code, 0)
        self.equal("containers", set(self.machine.containers()), set())
        self.equal("units", self.machine.units(), {})
        self.equal("volumes", self.machine.volumes(), set())


def main():
    machine = Machine(*sys.argv[1:5])
    machine.configure()
    began = time.monotonic()
    machine.make_images("1", "2")
    print(f"images: {time.monotonic() - began:.1f} s")
    phases = Phases(machine)
    began = time.monotonic()
    for phase in [
        phases.configuration, phases.check_mode, phases.deployment, phases.again, phases.facts, phases.reconfiguration,
        phases.upgrade, phases.secrets, phases.stop, phases.destruction,
    ]:
        phase()
        print(f"{time.monotonic() - began:6.1f} s: {phase.__name__}", flush=True)
    return phases.report()


if __name__ == "__main__":
    sys.exit(main())
