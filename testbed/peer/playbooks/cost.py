"""What it costs to compare a running service: one, and 24 one after the other, by our module and by the Python one."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time

import docker
from machine import Machine, output

NAMES = [f"service_{number:02}" for number in range(1, 25)]
ROUNDS = 10


def measured(act):
    """Wall time and processor time of what it starts, in seconds."""
    def used():
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    began, before = time.monotonic(), used()
    act()
    return time.monotonic() - began, used() - before


def play(machine, name, what, services=NAMES, apart=False, **more):
    """One call of the module for each service; `apart`, each leaves files of its own."""
    variables = {"what": what, "services": services, "apart": apart, **more}
    if not apart:
        variables["names"] = services
    return machine.play(name, "cost.yml", variables=variables, deadline=900)


def kept(machine):
    """How Ansible starts the module for each service: with files that it has left."""
    shutil.rmtree(machine.scratch / "remote", ignore_errors=True)
    os.environ["ANSIBLE_KEEP_REMOTE_FILES"] = "1"
    run = play(machine, "kept", "compare_container", apart=True)
    del os.environ["ANSIBLE_KEEP_REMOTE_FILES"]
    if run.code != 0:
        raise SystemExit(run.text()[-3000:])
    folders = sorted((machine.scratch / "remote").glob("ansible-tmp-*"), key=lambda folder: folder.stat().st_mtime)
    commands = []
    if len(folders) != len(NAMES):
        raise SystemExit(f"Ansible has left the files of {len(folders)} calls")
    for folder in folders:
        [module] = folder.glob("AnsiballZ_*")
        arguments = folder / "args"
        commands.append([str(module), str(arguments)] if arguments.exists() else [sys.executable, str(module)])
        size = module.stat().st_size
    words = " ".join(os.path.basename(part) for part in commands[-1])
    print(f"Ansible starts it as `{words}`, {size} bytes that it has copied there", flush=True)
    return commands


def call(command):
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if ended.returncode != 0 or '"changed": false' not in ended.stdout.replace('"changed":false', '"changed": false'):
        raise SystemExit(f"{command}: {ended.stdout} {ended.stderr}")


def checked_by_engine(machine):
    """What neither of the modules can be faster than: the engine runs the check of the configuration."""
    sockets = {"docker": "unix:///run/docker.sock", "podman": "unix:///run/podman/podman.sock"}
    client = docker.APIClient(base_url=sockets[machine.engine], version="1.41")

    def check():
        run = client.exec_create(NAMES[0], ["/usr/local/bin/kolla_set_configs", "--check"], user="root")
        client.exec_start(run)
        if client.exec_inspect(run)["ExitCode"] != 0:
            raise SystemExit("the check of the configuration fails")

    return statistics.median(measured(check)[0] for _ in range(ROUNDS))


def measure(machine, program):
    machine.use(program)
    name = "ours" if machine.is_ours else "python"
    run = play(machine, f"start-{name}", "start_container")
    if run.code != 0:
        raise SystemExit(run.text()[-3000:])
    commands = kept(machine)
    check = checked_by_engine(machine)
    ones = [measured(lambda: call(commands[0])) for _ in range(ROUNDS)]
    wall, processor = (statistics.median(side) for side in zip(*ones))
    all_wall, all_processor = measured(lambda: [call(command) for command in commands])
    plays = [None]
    whole = measured(lambda: plays.append(play(machine, f"compare-{name}", "compare_container")))
    if machine.is_ours:
        run = play(machine, "no-python", "compare_container", NAMES[:1], ansible_python_interpreter="/no/such/python")
        if len(run.of("kolla_container", "ok", changed=False)) != 1:
            raise SystemExit(f"it needs Python: {run.text()[-3000:]}")
        print("it runs where there is no Python", flush=True)
    calls = plays[-1].of("kolla_container", "ok", changed=False)
    if len(calls) != len(NAMES):
        raise SystemExit(f"{len(calls)} comparisons found no difference")
    task = calls[-1]["ended"] - calls[0]["began"]
    for unit in machine.units():
        output("systemctl", "disable", "--now", f"kolla-{unit}-container.service")
    output(machine.engine, "rm", "--force", *NAMES)
    output("sh", "-c", "rm -f /etc/systemd/system/kolla-*-container.service && systemctl daemon-reload")
    return {
        "one process": (wall, processor),
        "without the engine's part of that": (wall - check, None),
        "24 processes, one after the other": (all_wall, all_processor),
        "Ansible's task of 24": (task, None),
        "the playbook around it": whole,
    }


def main():
    program, engine, *folders = sys.argv[1:5]
    machine = Machine(program, engine, *folders)
    if not machine.is_ours:
        raise SystemExit("name our program: the Python module is measured beside it anyhow")
    machine.configure()
    machine.make_images("1")
    os.makedirs("/etc/kolla/memcached")
    ours, peer = measure(machine, program), measure(machine, "python")

    def cell(pair):
        wall, processor = pair
        return f"{wall:8.3f} s" + (f", {processor:7.3f} s of processor" if processor is not None else " " * 26)

    print(f"\n{engine}, compare_container; the engine's part is that it runs the check of the configuration\n")
    for what, pair in ours.items():
        print(f"{what:34}  ours {cell(pair)}   python {cell(peer[what])}   {peer[what][0] / pair[0]:6.1f} times faster")
    print(f"\nthe program: {os.path.getsize(program)} bytes; the average load was {os.getloadavg()[1]:.1f}")
    print(output("ldd", program).strip())


if __name__ == "__main__":
    main()
