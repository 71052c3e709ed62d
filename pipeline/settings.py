"""Every setting, in one typed list: environment ``POPFLOW_*`` over one TOML file over defaults."""

import json
import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from consumers.delivery.receivers import Receivers
from schemas.topics import PARTITIONS

PREFIX = "POPFLOW_"
FILE = "popflow.toml"

ENVIRONMENT_ONLY = {
    "java": "launcher or home of the Java (17 or newer) that runs the own Kafka; else the one that "
    "came with popflow Kafka 所用 Java",
    "cache": "folder of Kafka's program files, fetched once; else ~/.cache/popflow 程序缓存目录",
    "maven_repository": "mirror to fetch them from; else Maven Central Maven 镜像地址",
}
"""What only the environment can say, since it belongs to a machine and not to a data folder."""


_PORT = "0 or taken: a free one 端口"


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it and the way out."""


def _from_json(value: Any) -> Any:
    """A table that came as a variable of the environment."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error}") from None


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
    kafka_client: Path | None = Field(
        default=None,
        description="file that says who we are towards Kafka: TLS, user, password Kafka 客户端文件",
    )
    signing_key: Path | None = Field(
        default=None,
        description="private key with which events are signed 签名私钥文件",
    )
    secure: bool = Field(
        default=False,
        description="a new stack's own Kafka asks everybody for certificate and password 安全模式",
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
    replicas: int = Field(
        default=1, ge=1, le=7, description="copies of a topic that is created now 副本数"
    )
    workers: int = Field(default=1, ge=1, le=64, description="worker processes of `up` 进程数")
    host: str = Field(default="127.0.0.1", description="address every listener binds 监听地址")
    kafka_port: int = Field(default=9092, ge=0, le=65535, description=_PORT)
    clickhouse_port: int = Field(default=8123, ge=0, le=65535, description=_PORT)
    page_port: int = Field(default=8000, ge=0, le=65535, description=_PORT)
    metrics_port: int = Field(default=9108, ge=0, le=65535, description=_PORT)
    hl7_port: int = Field(default=2575, ge=0, le=65535, description=_PORT)
    http_port: int = Field(default=8090, ge=0, le=65535, description=_PORT)
    source: str | None = Field(
        default=None,
        description="publisher that a listener for HL7 or FHIR speaks for 监听来源名称",
    )
    facilities: str = Field(
        default="",
        description="its hospitals, CODE=DISTRICT with commas between 医院代码与所在区划",
    )
    answer_seconds: float = Field(
        default=20.0, gt=0, description="how long a listener waits for Kafka 等待入库时限"
    )
    hl7_charset: Literal["utf-8", "gb18030"] = Field(
        default="utf-8", description="of HL7 messages that name none 缺省字符集"
    )
    tls_certificate: Path | None = Field(
        default=None, description="listeners speak TLS with this PEM file 证书文件"
    )
    tls_key: Path | None = Field(default=None, description="its private key 私钥文件")
    tls_client_ca: Path | None = Field(
        default=None, description="peers need a certificate of this authority 客户端证书颁发者"
    )
    gateway_body_bytes: int = Field(
        default=8 << 20, ge=1024, description="most bytes of one HTTP request 请求大小上限"
    )
    gateway_events_per_second: float = Field(
        default=2_000.0, gt=0, description="that one publisher may send by HTTP 每来源限速"
    )
    kafka_heap: str = Field(default="512m", description="memory of the own Kafka 内存")
    forge_proof: bool = Field(
        default=False,
        description="the broker stamps known_on; off, a publisher may replay history "
        "由服务器盖时间戳",
    )
    key_file: Path | None = Field(
        default=None,
        description="file of the city's key, which turns numbers into pseudonyms 假名密钥文件",
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
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(lambda level: level.upper() if isinstance(level, str) else level),
    ] = Field(
        default="WARNING", description="of the workers' log: debug, info, warning, error 日志级别"
    )

    receivers: Annotated[Receivers, BeforeValidator(_from_json)] = Field(
        default={},
        description="who is told of alerts: tables [receivers.NAME]; as a variable JSON 告警接收者",
    )

    @property
    def state(self) -> Path:
        """Folder of the partitions' state."""
        return self.data / "state"

    def environment(self) -> dict[str, str]:
        """All of it as variables, for a process that is to have the same settings."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {
            PREFIX + name.upper(): json.dumps(value) if isinstance(value, dict) else str(value)
            for name, value in values.items()
        }

    @property
    def gateway_tokens(self) -> Path:
        """File of the tokens of the HTTP gateway."""
        return self.data / "gateway" / "tokens.json"

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
    written = _read_file(folder / FILE)
    _check_names(written, folder / FILE)
    values = {**written, **environment}
    values.update({name: value for name, value in given.items() if value is not None})
    try:
        return Settings(**{**values, "data": folder.absolute()})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(step) for step in fault["loc"])
        where = _spelled(name, values, written, given)
        raise SettingsError(f"{where}: {fault['msg']}") from None


def _spelled(
    name: str, values: dict[str, Any], written: dict[str, Any], given: dict[str, Any]
) -> str:
    """A setting as the user wrote it, so that it is found."""
    setting = name.partition(".")[0]
    if given.get(setting) is not None:
        return f"--{setting.replace('_', '-')}"
    if setting in written and values[setting] is written[setting]:
        return f"setting {name} in {FILE}"
    return f"setting {PREFIX}{setting.upper()}"


def _check_names(written: dict[str, Any], path: Path) -> None:
    for name in written:
        if name in ENVIRONMENT_ONLY or name == "data":
            raise SettingsError(
                f"setting {name} in {path}: only the environment can say it; set "
                f"{PREFIX}{name.upper()}"
            )
        if name not in Settings.model_fields:
            near = get_close_matches(name, Settings.model_fields, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            names = ", ".join(name for name in Settings.model_fields if name != "data")
            raise SettingsError(
                f"setting {name} in {path} does not exist: {meant}The settings are {names}"
            )


def unknown_variables() -> list[str]:
    """Variables of the environment that look like settings and are none: perhaps misspelt.

    They stop nothing: other programs, Kubernetes for one, make variables of that kind.
    """
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, *ENVIRONMENT_ONLY)}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} is no TOML in UTF-8: {error}") from None


def source_of(name: str, settings: Settings) -> str:
    """Where a setting's value came from, for people: environment, file, default."""
    if PREFIX + name.upper() in os.environ:
        return "environment"
    if name in _read_file(settings.data / FILE):
        return FILE
    return "default"
