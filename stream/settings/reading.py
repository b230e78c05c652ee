"""Where settings come from: flags, then the environment, then the file, then defaults. Nobody else reads them.

Comes in: flags by field name, `os.environ`, the YAML file. Goes out: `Settings` that know their sources, or
`Misconfigured` with one line for each wrong value: the setting as it was written, the value, the expectation.
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import AliasChoices, SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource

from stream.core.errors import Misconfigured, shown
from stream.settings import kafka_options
from stream.settings.model import Settings

CONFIG = "SKUSTREAM_CONFIG"
MASK = "***"
_PREFIX = "SKUSTREAM_"
_FLAGS = {
    "kafka_bootstrap_servers": "--bootstrap-servers", "console_host": "--host", "console_port": "--port",
    "console_allow_replay": "--allow-replay",
}  # fmt: skip
_EXPECTATIONS = {
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "bool_parsing": "true or false",
    "fraction_parsing": "a share such as 1/3 or 0.25",
    "byte_size": "a size such as 64MiB, or bytes as a number",
    "byte_size_unit": "a size such as 64MiB, or bytes as a number",
}
_SECRET_FIELDS = frozenset(
    {"pixelapi_key", "aws_secret_access_key", "aws_session_token", "console_token", "otlp_headers"}
)
_SECRET_FILES = {f"{field}_file": field for field in _SECRET_FIELDS}
_USER_INFO = re.compile(r"//[^/@\s]+@")
# What Kubernetes puts into the environment for every Service whose name begins with skustream.
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)")
_SERVICE_VALUE = re.compile(r"^(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True)
class Row:
    """One setting for a person: its environment name, its value (masked if secret), and where it came from."""

    name: str
    value: str
    source: str


def environment_names(field: str) -> tuple[str, ...]:
    """The environment names of a field, the strongest first."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices)
    return (alias,) if isinstance(alias, str) else (f"{_PREFIX}{field.upper()}",)


def load(flags: Mapping[str, Any] | None = None) -> Settings:
    """Settings from all sources. `flags`: by field name, None for a flag not given; `config`: the settings file.

    Raises `Misconfigured`.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    path = given.pop("config", None) or os.environ.get(CONFIG) or None
    layers = [("flag", given), ("environment", _environment())]
    if path is not None:
        layers.append((f"file {path}", _file(Path(path))))
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, layer in layers:
        _check_keys(layer)
        for field, value in layer.items():
            if field == "kafka" and isinstance(value, Mapping) and isinstance(merged.get("kafka", {}), Mapping):
                merged["kafka"] = {**value, **merged.get("kafka", {})}
                for option in value:
                    sources.setdefault(f"kafka.{option}", source)
            elif field not in merged:
                merged[field], sources[field] = value, source
    _read_secret_files(merged, sources)
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        raise Misconfigured("\n".join(_complaints(error, merged, sources))) from None
    settings._sources.update(sources)  # noqa: SLF001 - its own maker
    return settings


def describe(settings: Settings) -> list[Row]:
    """Every setting with its value and source, Kafka's options one by one."""
    sources = settings._sources  # noqa: SLF001 - its own maker
    rows = [
        Row(environment_names(field)[0], _masked(field, getattr(settings, field)), sources.get(field, "default"))
        for field in Settings.model_fields
        if field != "kafka"
    ]
    for option, value in sorted(settings.kafka.items()):
        shown_value = MASK if kafka_options.is_secret(option) else value
        source = sources.get(f"kafka.{option}", "default")
        rows.append(Row(kafka_options.environment_name(option), shown_value, source))
    return rows


def _masked(field: str, value: object) -> str:
    if value is None:
        return "not set"
    if field in _SECRET_FIELDS:
        return MASK
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _environment() -> dict[str, Any]:
    _check_environment(os.environ)
    by_name = _fields_by_name()
    layer: dict[str, Any] = {}
    for key, value in EnvSettingsSource(Settings)().items():
        field = by_name.get(key, key)
        if not _is_service_link(environment_names(field)[0], str(value)):
            layer[field] = value
    options = {
        kafka_options.option_of(name): value
        for name, value in os.environ.items()
        if name.startswith(kafka_options.ENVIRONMENT_PREFIX) and value and not _is_service_link(name, value)
    }
    return layer | ({"kafka": options} if options else {})


def _fields_by_name() -> dict[str, str]:
    return {name: field for field in Settings.model_fields for name in environment_names(field)}


def _check_environment(environ: Mapping[str, str]) -> None:
    known = {*_fields_by_name(), CONFIG}
    for name, value in environ.items():
        if not name.startswith(_PREFIX) or name.startswith(kafka_options.ENVIRONMENT_PREFIX) or name in known:
            continue
        if not _is_service_link(name, value):
            raise Misconfigured(f"{name} in the environment is no setting; {_suggest(name, known)}")


def _is_service_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.search(name)) or (name.endswith("_PORT") and bool(_SERVICE_VALUE.match(value)))


def _file(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise Misconfigured(f"the settings file {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the settings file {path} is not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Misconfigured(f"the settings file {path} must be a map of settings, e.g. store: s3://bucket/prefix")
    for key in content:
        if key not in Settings.model_fields:
            raise Misconfigured(f"{key} in {path} is no setting; {_suggest(str(key), Settings.model_fields)}")
    return {key: value for key, value in content.items() if value is not None}


def _check_keys(layer: Mapping[str, Any]) -> None:
    unknown = layer.keys() - Settings.model_fields.keys()
    assert not unknown, unknown  # noqa: S101 - the file is checked above, the others are made by us


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "see `skustream run --help` and the settings reference"


def _read_secret_files(merged: dict[str, Any], sources: dict[str, str]) -> None:
    """Where a secret's file is named, its text in its place."""
    for file_field, field in _SECRET_FILES.items():
        if file_field in merged:
            name, path = environment_names(field)[0], Path(str(merged[file_field]))
            merged[field] = SecretStr(_secret_in(path, name, is_set_too=field in merged))
            sources[field] = f"file {path}"
    options = merged.get("kafka")
    if not isinstance(options, Mapping):
        return
    plain = dict(options)
    for option in options:
        if (secret := kafka_options.secret_in_file(str(option))) is not None:
            path = Path(str(plain.pop(option)))
            plain[secret] = _secret_in(path, kafka_options.environment_name(secret), is_set_too=secret in options)
            sources[f"kafka.{secret}"] = f"file {path}"
    merged["kafka"] = plain


def _secret_in(path: Path, name: str, *, is_set_too: bool) -> str:
    """The file's text without the newline at its end. Raises `Misconfigured`; `name`: the secret's setting."""
    if is_set_too:
        raise Misconfigured(f"{name} and {name}_FILE are both set; keep one of them")
    try:
        text = path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise Misconfigured(f"{name}_FILE={path} cannot be read: {reason}") from None
    if not text:
        raise Misconfigured(f"{name}_FILE={path} is empty; expected the secret and nothing else")
    return text


def _complaints(error: ValidationError, merged: Mapping[str, Any], sources: Mapping[str, str]) -> list[str]:
    by_alias = _fields_by_name()
    lines = []
    for complaint in error.errors(include_url=False, include_input=False):
        plain = complaint["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        message = _EXPECTATIONS.get(complaint["type"], plain)
        if not complaint["loc"]:
            lines.append(message)
            continue
        field = by_alias.get(str(complaint["loc"][0]), str(complaint["loc"][0]))
        lines.append(_complaint(field, merged.get(field), sources.get(field, "default"), message))
    return list(dict.fromkeys(lines))


def _complaint(field: str, value: object, source: str, message: str) -> str:
    if field == "kafka":
        return f"kafka: {message}"
    name = environment_names(field)[0]
    if source == "flag":
        name = _FLAGS.get(field, "--" + field.replace("_", "-"))
    elif source.startswith("file") and field not in _SECRET_FIELDS:
        name = f"{field} in {source.removeprefix('file ')}"
    given = MASK if field in _SECRET_FIELDS else _USER_INFO.sub(f"//{MASK}@", shown(value))
    return f"{name}: got {given}; expected {message}"
