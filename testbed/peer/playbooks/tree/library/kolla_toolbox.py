#!/usr/bin/python
"""Says that all was done already, instead of running a module in the container of that name."""

from ansible.module_utils.basic import AnsibleModule

NAMES = {
    "container_engine": "str",
    "module_name": "str",
    "module_args": "dict",
    "module_extra_vars": "dict",
    "user": "str",
    "api_version": "str",
    "timeout": "int",
}


def main():
    spec = {name: {"type": kind} for name, kind in NAMES.items()}
    AnsibleModule(argument_spec=spec, supports_check_mode=True).exit_json(changed=False)


if __name__ == "__main__":
    main()
