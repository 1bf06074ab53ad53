"""Writes what came of each call of a module as a line of JSON into the file that RECORD names."""

import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: aggregate
short_description: a line of JSON for each call of a module
description: It is for the file that the variable RECORD names.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.file = open(os.environ["RECORD"], "w", encoding="utf-8")

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.began = time.time()

    def v2_playbook_on_handler_task_start(self, task):
        self.began = time.time()

    def write(self, outcome, result):
        answer = result.result
        if "results" in answer:  # of a loop, whose rounds were written one by one
            return
        item = answer.get("item")
        if isinstance(item, dict):
            item = item.get("key")
        line = {
            "began": self.began,
            "ended": time.time(),
            "module": result.task.action,
            "task": result.task.name or result.task.action,
            "item": item if isinstance(item, str) else None,
            "outcome": outcome,
            "changed": bool(answer.get("changed")),
            "msg": str(answer.get("msg", ""))[:400] if outcome in ("failed", "ignored") else None,
            "differences": answer.get("comparison_failures"),
        }
        self.file.write(json.dumps(line, default=str) + "\n")
        self.file.flush()

    def v2_runner_on_ok(self, result):
        self.write("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.write("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_skipped(self, result):
        self.write("skipped", result)

    def v2_runner_item_on_ok(self, result):
        self.write("ok", result)

    def v2_runner_item_on_failed(self, result):
        self.write("failed", result)

    def v2_runner_item_on_skipped(self, result):
        self.write("skipped", result)

    def v2_runner_retry(self, result):
        self.write("retried", result)
