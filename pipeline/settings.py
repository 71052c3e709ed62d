"""Every setting, in one typed list: environment ``POPFLOW_*`` over one TOML file over defaults."""

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.topics import PARTITIONS

PREFIX = "POPFLOW_"
FILE = "popflow.toml"


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it and the way out."""


class Settings(BaseModel):
    """What an operator can choose. ``popflow settings`` prints this list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path = Field(
        default=Path(".popflow"),
        description="folder of everything a stack keeps 数据目录",
    )
    bootstrap: str | None = Field(
        default=None,
        description="Kafka servers to use instead of an own one 已有 Kafka 地址",
    )
    clickhouse: str | None = Field(
        default=None,
        description="URL of a ClickHouse server to use instead of the embedded engine "
        "已有 ClickHouse 地址",
    )
    clickhouse_user: str = Field(default="popflow_writer", description="its user 用户")
    clickhouse_password_file: Path | None = Field(
        default=None, description="file that holds its password 密码文件"
    )
    partitions: int = Field(
        default=PARTITIONS, ge=1, le=1024, description="partitions of every topic 分区数"
    )
    workers: int = Field(default=1, ge=1, le=64, description="worker processes of `up` 进程数")
    host: str = Field(default="127.0.0.1", description="address every listener binds 监听地址")
    kafka_port: int = Field(default=9092, ge=0, le=65535, description="0 or taken: a free one")
    clickhouse_port: int = Field(default=8123, ge=0, le=65535, description="0 or taken: a free one")
    page_port: int = Field(default=8000, ge=0, le=65535, description="0 or taken: a free one")
    metrics_port: int = Field(default=9108, ge=0, le=65535, description="0 or taken: a free one")
    kafka_heap: str = Field(default="512m", description="memory of the own Kafka 内存")
    forge_proof: bool = Field(
        default=False,
        description="the broker stamps known_on; off, a publisher may replay history "
        "由服务器盖时间戳",
    )
    fsync: bool = Field(
        default=False, description="the embedded engine survives power loss 断电保护"
    )
    batch_records: int = Field(
        default=10_000, ge=1, description="records a worker takes from a partition at once 批大小"
    )
    commit_seconds: float = Field(
        default=0.25, gt=0, description="how often offsets are acknowledged 提交间隔"
    )
    session_seconds: float = Field(
        default=10.0, ge=1, description="after which silence a worker's partitions move 会话超时"
    )
    log_level: str = Field(default="WARNING", description="of the workers' log 日志级别")

    @property
    def state(self) -> Path:
        """Folder of the partitions' state."""
        return self.data / "state"

    def clickhouse_password(self) -> str:
        """Password of the given ClickHouse server; empty when no file is named."""
        if self.clickhouse_password_file is None:
            return ""
        try:
            return self.clickhouse_password_file.read_text("utf-8").strip()
        except OSError as error:
            raise SettingsError(
                f"clickhouse_password_file cannot be read ({error.strerror}): name a file that "
                "this user may read"
            ) from None


def load(data: Path | None = None, **given: Any) -> Settings:
    """Settings from what is given here, the environment, and ``popflow.toml`` of the data folder.

    Args:
        data: the data folder; else ``POPFLOW_DATA``, else ``.popflow``.
        given: settings named on the command line; ``None`` is not given.

    Raises:
        SettingsError: a name that does not exist or a value that does not fit.
    """
    environment = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() in Settings.model_fields
    }
    if data is not None:
        environment["data"] = str(data)
    folder = Path(environment.get("data", Settings.model_fields["data"].default))
    values = {**_read_file(folder / FILE), **environment}
    values.update({name: value for name, value in given.items() if value is not None})
    try:
        return Settings(**{**values, "data": folder.absolute()})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(step) for step in fault["loc"])
        raise SettingsError(
            f"setting {name}: {fault['msg']}; `popflow settings` lists every setting"
        ) from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path.name} cannot be read: {error}") from None


def source_of(name: str, settings: Settings) -> str:
    """Where a setting's value came from, for people: environment, file, default."""
    if PREFIX + name.upper() in os.environ:
        return "environment"
    if name in _read_file(settings.data / FILE):
        return FILE
    return "default"
