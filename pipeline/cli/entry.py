"""The list of commands, and what happens to an error that reaches the top."""

import errno
import sys
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import Any, NamedTuple, NoReturn

import click

_WAY_OUT = (
    "if the stack is just starting it again, try once more; else see kafka/kafka.log in the data "
    "folder, or correct the setting bootstrap"
)


class Listed(NamedTuple):
    """One command: where its code is, and what the list says of it."""

    module: str
    name: str
    english: str
    chinese: str


COMMANDS = {
    "up": Listed("up", "up", "Start the whole stack on this machine", "启动整套系统"),
    "worker": Listed("worker", "worker", "Run one more worker process", "运行一个处理进程"),
    "deliver": Listed("deliver", "deliver", "Hand alerts to their receivers", "送达告警"),
    "page": Listed("page", "page", "Serve the live page", "实时网页"),
    "source": Listed("source", "source", "Who may publish: add, list, remove", "来源登记"),
    "publish": Listed("publish", "publish", "Publish events or counts from files", "发布事件"),
    "poll": Listed("poll", "poll", "Publish what changes in a database's view", "轮询数据库"),
    "listen": Listed("listen", "listen", "Receive HL7 v2, FHIR and JSON", "接收 HL7、FHIR 与 JSON"),
    "gateway": Listed("gateway", "gateway", "Tokens of the HTTP gateway", "网关令牌"),
    "key": Listed("key", "key", "The city's key behind all pseudonyms", "假名密钥"),
    "simulate": Listed("publish", "simulate", "Let a simulated Suzhou publish", "模拟城市"),
    "baseline": Listed("baseline", "baseline", "Load the registered population", "户籍人口基数"),
    "reference": Listed("reference", "reference", "Load what no event yields", "参考数据"),
    "report": Listed("report", "report", "The plan's scorecard", "规划计分卡"),
    "explain": Listed("explain", "explain_command", "A figure, down to its records", "指标溯源"),
    "status": Listed("status", "status", "How far the stream has come", "运行状态"),
    "rejected": Listed("rejected", "rejected", "Refused messages: list, mend", "被拒绝的消息"),
    "alerts": Listed("alerts", "alerts", "Drift alerts: list, show, ack, silence", "预警"),
    "audit": Listed("audit", "audit", "Recount everything and compare", "审计"),
    "rebuild": Listed("audit", "rebuild", "Fold the whole journal anew", "重建"),
    "backup": Listed("backup", "backup", "A stopped stack in one file", "备份"),
    "restore": Listed("backup", "restore", "A backup into an empty folder", "恢复"),
    "forget": Listed("forget", "forget", "Erase persons, with a certificate", "遗忘某人"),
    "schemas": Listed("tools", "schemas", "JSON Schema and AsyncAPI documents", "契约文档"),
    "settings": Listed("tools", "settings_command", "Every setting and its value", "全部设置"),
}
"""In the order in which ``popflow --help`` shows them."""


class Group(click.Group):
    """Imports a command when it is asked for, and says errors that a user can mend in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        listed = COMMANDS.get(cmd_name)
        if listed is None:
            return super().get_command(ctx, cmd_name)
        found = getattr(import_module(f"pipeline.cli.{listed.module}"), listed.name)
        assert isinstance(found, click.Command)  # noqa: S101 - a slip in the list above
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands, from what is written here alone."""
        with formatter.section("Commands 命令"):
            formatter.write_dl(
                [(name, f"{listed.english}. {listed.chinese}") for name, listed in COMMANDS.items()]
            )

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            fail("interrupted", code=130)
        except BrokenPipeError:  # whoever read our output has seen enough; click ends quietly
            raise
        except Exception as error:
            fail(explained(error))


def fail(message: str, *, code: int = 1) -> NoReturn:
    """Say what went wrong, in one line, and end."""
    click.echo(f"{click.style('popflow:', fg='red')} {' '.join(message.split())}", err=True)
    raise SystemExit(code)


def explained(error: Exception) -> str:
    """What a user is told of an error; of a defect of ours its place, since it may quote events."""
    if isinstance(error, _ours()):
        return str(error)
    if isinstance(error, _kafka()):
        return f"Kafka does not answer as it should ({type(error).__name__}): {_WAY_OUT}"
    if isinstance(error, OSError) and error.filename is not None:
        way_out = "free some space" if error.errno == errno.ENOSPC else "choose another, or mend it"
        return f"{error.filename}: {error.strerror}; {way_out}"
    frames = [f for f in extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "its start"
    return f"this is a defect of popflow, please report it: {type(error).__name__} at {place}"


def _ours() -> tuple[type[Exception], ...]:
    """Our errors that say the way out, of the modules that were imported: others raised none."""
    names = (
        ("deploy.native.errors", "NativeError"),
        ("consumers.store.errors", "StoreError"),
        ("pipeline.settings", "SettingsError"),
        ("pipeline.journal", "JournalError"),
        ("pipeline.batch_errors", "WorkerFailedError"),
        ("producers.delivery", "PublishingError"),
        ("consumers.delivery.receivers", "ReceiverError"),
    )
    return tuple(getattr(sys.modules[module], name) for module, name in names if _has(module))


def _kafka() -> tuple[type[Exception], ...]:
    names = (("kafka.errors", "KafkaError"), ("aiokafka.errors", "KafkaError"))
    return tuple(getattr(sys.modules[module], name) for module, name in names if _has(module))


def _has(module: str) -> bool:
    return module in sys.modules
