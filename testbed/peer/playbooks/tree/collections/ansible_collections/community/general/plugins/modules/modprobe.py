#!/usr/bin/python
"""Says that the kernel has the module: the testbed's machine loads none."""

from ansible.module_utils.basic import AnsibleModule


def main():
    spec = {"name": {"type": "str"}, "params": {"type": "str"}, "state": {"type": "str"}}
    AnsibleModule(argument_spec=spec, supports_check_mode=True).exit_json(changed=False)


if __name__ == "__main__":
    main()
