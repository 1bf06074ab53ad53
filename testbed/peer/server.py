"""Runs kolla-ansible's modules on the testbed's machine with systemd, one process for each call.

    $KOLLA_TEST_PEER/bin/python server.py SOCKET

In its mounts, the engines, the bus and the unit files of the machine at KOLLA_TEST_SYSTEMD are where the modules look
for them; it prints one line, {"process": N}, for whoever wants to enter these mounts. The libraries are loaded once. A
call is a connection to the socket, with one line:

    {"seconds": 60, "module": "kolla_container", "arguments": {...}, "own": "x"}  gives {"answer": {...}}, as Ansible gets it
    {"seconds": 60, "shell": "..."}                                               gives {"status": 0, "output": "..."}

A call that takes longer than its seconds is ended, and gives nothing. All ends with the standard input.
"""

import importlib.util
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path

MODULES = ("kolla_container", "kolla_container_facts")
# What the modules poll every five seconds is polled this often, within the same limits.
POLL = 0.2


# Where the modules look for the engines, the bus and the unit files.
VIEW = """
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/dbus /run/podman /run/systemd/system
    mount --bind "$1/bus" /run/dbus
    mount --bind "$1/units" /etc/systemd/system
    ln -s "$1/docker.sock" /run/docker.sock
    ln -s "$1/podman.sock" /run/podman/podman.sock
    shift
    exec "$@"
"""


def see_machine(address):
    inside = [sys.executable, __file__, "--inside", address]
    command = ["unshare", "--mount", "--", "sh", "-ec", VIEW, "sh", os.environ["KOLLA_TEST_SYSTEMD"], *inside]
    # systemctl's other way to systemd is closed to processes that are none of the machine's.
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "SYSTEMCTL_FORCE_BUS": "1"}
    os.execvpe("unshare", command, environment)


def load_modules():
    """The modules by their names, as Ansible would have put them together."""
    import ansible.module_utils

    collection = Path(sys.prefix) / "share/kolla-ansible/ansible"
    ansible.module_utils.__path__.append(str(collection / "module_utils"))
    from ansible.module_utils import kolla_docker_worker, kolla_podman_worker, kolla_systemd_worker  # noqa: F401
    import podman.errors  # noqa: F401

    def wait_for_unit(self, timeout, state="running"):
        until = time.monotonic() + timeout
        while self.get_unit_state() != state:
            if time.monotonic() > until:
                return False
            time.sleep(POLL)
        return True

    kolla_systemd_worker.SystemdWorker.wait_for_unit = wait_for_unit
    loaded = {}
    for name in MODULES:
        spec = importlib.util.spec_from_file_location(name, collection / "library" / f"{name}.py")
        loaded[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded[name])
    return loaded


def see_only(own):
    """Lists of containers have those alone whose name begins so: their clients fail when another one vanishes meanwhile."""
    from docker.models.containers import ContainerCollection
    from podman.domain.containers_manager import ContainersManager

    list_podman, list_docker = ContainersManager.list, ContainerCollection.list
    ContainersManager.list = lambda self, **arguments: [
        container for container in list_podman(self, **arguments) if container.name.startswith(own)
    ]
    ContainerCollection.list = lambda self, **arguments: list_docker(self, filters={"name": f"^/?{own}"}, **arguments)


def run_module(module, arguments):
    from ansible.module_utils import basic

    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    sys.argv = [module.__name__]
    sys.stdout = printed = io.StringIO()
    try:
        module.main()
    except SystemExit:
        pass
    except BaseException:  # what a process would have ended with
        return {"answer": {"failed": True, "msg": traceback.format_exc()}}
    finally:
        sys.stdout = sys.__stdout__
    return {"answer": json.loads(printed.getvalue())}


def run_shell(script):
    done = subprocess.run(["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return {"status": done.returncode, "output": done.stdout.decode(errors="replace")}


def serve_one(connection, modules):
    with connection, connection.makefile("rw", encoding="utf-8") as stream:
        signal.alarm(60)
        request = json.loads(stream.readline())
        signal.alarm(int(request["seconds"]))
        if "shell" in request:
            response = run_shell(request["shell"])
        else:
            see_only(request["own"])
            response = run_module(modules[request["module"]], request["arguments"])
        stream.write(json.dumps(response) + "\n")


def reap():
    """Takes note of the calls that have ended."""
    try:
        while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG):
            pass
    except ChildProcessError:
        pass  # there are no others


def serve(address):
    # Its calls are of its group, and end with it.
    os.setpgid(0, 0)
    modules = load_modules()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(128)
    print(json.dumps({"process": os.getpid()}), flush=True)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready and not os.read(0, 1):
            os.unlink(address)
            os.killpg(0, signal.SIGKILL)
        if listener not in ready:
            continue
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            status = 1
            try:
                serve_one(connection, modules)
                status = 0
            finally:
                os._exit(status)
        connection.close()
        reap()


def main():
    if sys.argv[1] == "--inside":
        serve(sys.argv[2])
    else:
        see_machine(sys.argv[1])


if __name__ == "__main__":
    main()
