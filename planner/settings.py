"""Every setting of planner, read once from the environment (prefix ``PLANNER_``); only `app` and `cli` read it."""

import os
import secrets
from fractions import Fraction
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from planner.core.doubt import Bounds

DATABASE_FILE = "planner.sqlite3"
PEPPER_FILE = "key-pepper"
_OWN_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def default_data_dir() -> Path:
    """Return the folder for planner's own files, after the XDG base directory rule."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "planner"


class Settings(BaseSettings):
    """The settings and their defaults. The README lists them; a test holds the two together."""

    model_config = SettingsConfigDict(env_prefix="PLANNER_", extra="ignore", populate_by_name=True)

    data_dir: Path = Field(default_factory=default_data_dir, description="folder of the embedded database")
    database_url: str | None = Field(
        default=None, description="`sqlite:///file` or `postgresql://…`; unset: a SQLite file in the data folder"
    )
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8321, ge=0, le=65535, description="port to listen on")
    sources: str = Field(
        default="openrouter,litellm,models_dev,genai_prices",
        description="feeds to refresh, separated by commas; empty turns all off",
    )
    openrouter_url: str = Field(default="https://openrouter.ai", description="base URL of the OpenRouter feed")
    openrouter_effective: bool = Field(
        default=False,
        description="whether OpenRouter's undocumented shares of cached prompt tokens are read too, "
        "which takes one more request per model",
    )
    litellm_url: str = Field(
        default="https://raw.githubusercontent.com", description="base URL of the LiteLLM price map"
    )
    models_dev_url: str = Field(default="https://models.dev", description="base URL of the models.dev feed")
    genai_prices_url: str = Field(
        default="https://raw.githubusercontent.com", description="base URL of the genai-prices feed"
    )
    requesty_url: str = Field(default="https://router.requesty.ai", description="base URL of the Requesty list")
    huggingface_url: str = Field(
        default="https://router.huggingface.co", description="base URL of Hugging Face's router"
    )
    vercel_url: str = Field(default="https://ai-gateway.vercel.sh", description="base URL of the Vercel AI Gateway")
    deepinfra_url: str = Field(default="https://api.deepinfra.com", description="base URL of DeepInfra's list")
    cerebras_url: str = Field(default="https://api.cerebras.ai", description="base URL of Cerebras' public list")
    portkey_url: str = Field(default="https://configs.portkey.ai", description="base URL of Portkey's price files")
    artificial_analysis_url: str = Field(
        default="https://artificialanalysis.ai", description="base URL of Artificial Analysis"
    )
    artificial_analysis_key: SecretStr | None = Field(
        default=None, description="key for Artificial Analysis, where you have one"
    )
    arena_url: str = Field(default="", description="base URL of a mirror of the text arena; it has none of its own")
    mappings: str = Field(
        default="", description="mapping files (TOML) of lists planner has no adapter for, separated by commas"
    )
    refresh_minutes: int | None = Field(
        default=None, ge=1, description="minutes between refreshes of every feed; unset: each feed's own interval"
    )
    ledger_engine: Literal["duckdb", "rows"] = Field(
        default="duckdb",
        description="how files are rated where they lie: `duckdb`, by queries over all rows, or `rows`, one by one; "
        "what they come to is the same",
    )
    fall_percent_max: int = Field(
        default=50, ge=1, le=100, description="percent by which a price may fall before it waits for a person"
    )
    openai_admin_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("PLANNER_OPENAI_ADMIN_KEY", "OPENAI_ADMIN_KEY"),
        description="admin key of an OpenAI organization, to pull its usage and costs; `OPENAI_ADMIN_KEY` is read too",
    )
    anthropic_admin_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("PLANNER_ANTHROPIC_ADMIN_KEY", "ANTHROPIC_ADMIN_KEY"),
        description="admin key of an Anthropic organization, to pull its usage and costs; `ANTHROPIC_ADMIN_KEY` is "
        "read too",
    )
    openrouter_provisioning_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("PLANNER_OPENROUTER_PROVISIONING_KEY", "OPENROUTER_PROVISIONING_KEY"),
        description="management key of an OpenRouter account, to pull its activity; `OPENROUTER_PROVISIONING_KEY` is "
        "read too",
    )
    openai_pull_url: str = Field(default="https://api.openai.com", description="base URL of OpenAI's usage API")
    anthropic_pull_url: str = Field(
        default="https://api.anthropic.com", description="base URL of Anthropic's usage reports"
    )
    openrouter_pull_url: str = Field(default="https://openrouter.ai", description="base URL of OpenRouter's activity")
    anthropic_reports: Literal["analytics", "legacy"] | None = Field(
        default=None, description="`analytics` or `legacy`; unset: the newer reports, else the older ones"
    )
    pull_minutes: int = Field(
        default=360, ge=15, le=1_440, description="minutes between pulls of every vendor there is a key for"
    )
    smtp_url: SecretStr | None = Field(
        default=None, description="`smtp://[user:password@]host[:port]` or `smtps://…`, to send alerts by mail"
    )
    mail_from: str | None = Field(default=None, description="sender of alerts by mail")
    mail_to: str = Field(default="", description="recipients of alerts by mail, separated by commas")
    webhook_hosts: str = Field(
        default="", description="`host:port` of webhook receivers that need not be public, separated by commas"
    )
    default_policy: str = Field(default="no-training", description="policy of a question that names none")
    two_people: bool = Field(
        default=False, description="whether a change that lets more through than before waits for a second admin"
    )
    allowed_hosts: str = Field(
        default="",
        description="further host names to answer for, separated by commas, `*` for any; "
        "unset: any, unless planner listens on loopback only",
    )
    forwarded_allow_ips: str = Field(
        default="",
        description="addresses and networks of the proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are "
        "believed, separated by commas; unset: nobody's",
    )
    requests_per_minute: int = Field(
        default=60_000, ge=0, description="requests a minute of one key or person, in each worker; 0: no limit"
    )
    failed_requests_per_minute: int = Field(
        default=6_000, ge=0, description="requests a minute from one address answered 401, in each worker; 0: no limit"
    )
    public_url: str | None = Field(
        default=None, description="where browsers meet planner, such as `https://planner.example.com`"
    )
    oidc_issuer: str | None = Field(
        default=None, description="OpenID provider people sign in at; it must send back to `PLANNER_PUBLIC_URL`"
    )
    oidc_client_id: str | None = Field(default=None, description="what the OpenID provider knows planner as")
    oidc_client_secret: SecretStr | None = Field(default=None, description="secret of planner at the OpenID provider")
    session_idle_minutes: int = Field(
        default=480, ge=5, le=10_080, description="minutes without a request after which a session ends"
    )
    session_hours: int = Field(default=168, ge=1, le=720, description="hours after which a session ends in any case")
    admin_key: SecretStr | None = Field(default=None, description="a bootstrap key with the admin role")
    key_pepper: SecretStr | None = Field(
        default=None, description="secret mixed into stored keys; unset: kept in a file in the data folder"
    )

    @field_validator("openai_pull_url", "anthropic_pull_url", "openrouter_pull_url")
    @classmethod
    def _private(cls, value: str) -> str:
        # A key is sent there.
        parts = urlsplit(value)
        own = parts.scheme == "http" and parts.hostname in _OWN_HOSTS
        if not parts.hostname or not (parts.scheme == "https" or own) or parts.query or parts.fragment or "@" in value:
            raise ValueError("an https:// address without a query is needed; http:// only on the machine itself")
        return value.rstrip("/")

    @field_validator("openai_admin_key", "anthropic_admin_key", "openrouter_provisioning_key")
    @classmethod
    def _header(cls, value: SecretStr | None) -> SecretStr | None:
        said = "" if value is None else value.get_secret_value()
        if not said.isascii() or not said.isprintable() or " " in said:
            raise ValueError("a key of printable characters without blanks is needed")
        return value if said else None

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            own = parts.scheme == "http" and parts.hostname in _OWN_HOSTS
            if not parts.hostname or not (parts.scheme == "https" or own) or parts.query or parts.fragment:
                raise ValueError("an https:// address without a query is needed; http:// only on the machine itself")
        return value

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _proxies(cls, value: str) -> str:
        # Whoever is believed without having been named could pass for anybody.
        for proxy in filter(None, value.replace(" ", "").split(",")):
            ip_network(proxy)
        return value.replace(" ", "")

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        own = parts.hostname in _OWN_HOSTS
        if parts.scheme != "https" and not (parts.scheme == "http" and own):
            raise ValueError("https:// is needed; http:// only on the machine itself")
        origin = f"{parts.scheme}://{parts.netloc}"
        if not parts.hostname or "@" in parts.netloc or value.rstrip("/") != origin or origin != origin.lower():
            raise ValueError("scheme, host and port are needed in lower case, and nothing else")
        return origin

    @property
    def by_query(self) -> bool:
        """Whether files are rated where they lie by queries; see `planner.store.engine.Store.by_query`."""
        return self.ledger_engine == "duckdb"

    def url(self) -> str:
        """Return the database URL, the embedded file by default."""
        return self.database_url or f"sqlite:///{self.data_dir / DATABASE_FILE}"

    def source_urls(self) -> dict[str, str]:
        """Return the enabled feeds with their base URLs."""
        names = [name.strip() for name in self.sources.split(",") if name.strip()]
        return {name: str(getattr(self, f"{name}_url", "")) for name in names}

    def bounds(self) -> Bounds:
        """Return how far a price may move before it waits for a person."""
        return Bounds(fall_share_max=Fraction(self.fall_percent_max, 100))

    def trusted_hosts(self) -> tuple[str, ...]:
        """Return the webhook receivers that need not be public."""
        return tuple(host.strip() for host in self.webhook_hosts.split(",") if host.strip())

    def hosts(self) -> tuple[str, ...]:
        """Return the host names to answer for; ``*`` stands for any.

        On loopback only this machine can reach planner, and its browsers may be led here by any site's name: there,
        only loopback's own names are answered for unless others are said. Elsewhere, who runs planner knows the names.
        """
        said = [name.strip() for name in self.allowed_hosts.split(",") if name.strip()]
        public = [] if self.public_url is None else [_bracketed(urlsplit(self.public_url).hostname or "")]
        own = (*map(_bracketed, sorted(_OWN_HOSTS)), _bracketed(self.host))
        return (*own, *public, *(said or ([] if _is_loopback(self.host) else ["*"])))

    def pepper(self) -> bytes:
        """Return the key pepper; an embedded install makes one at its first call and keeps it for its owner."""
        if self.key_pepper is not None:
            return self.key_pepper.get_secret_value().encode()
        path = self.data_dir / PEPPER_FILE
        if not path.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                return path.read_bytes()
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_hex(32).encode())
        return path.read_bytes()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
