"""The database as every room meets it: the tables' base, a connection, and a transaction that rings when it has committed."""

import asyncio
import enum
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import asyncpg
import orjson
import structlog
import uuid_utils.compat
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Enum,
    LargeBinary,
    MetaData,
    Select,
    Sequence,
    Text,
    Uuid,
    any_,
    bindparam,
    event,
    func,
    literal,
    literal_column,
    select,
    true,
    types,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, NoReferencedTableError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapper, Session, object_session
from sqlalchemy.sql.elements import SQLCoreOperations

from domain.abreast import Abreast
from domain.bell import Bell
from domain.readers import Readers
from domain.telling import tell
from domain.writing import Writing

log = structlog.get_logger()

Json = dict[str, Any]


class XID8(types.UserDefinedType[int]):
    """A transaction's number, 64 bits. SQLAlchemy has no such type."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


ischema_names["xid8"] = XID8  # so that comparing migrations with models knows it


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        uuid.UUID: Uuid(),
        str: Text(),
        bytes: LargeBinary(),
        Json: JSONB(),
        list[str]: JSONB(),
        enum.StrEnum: Enum(
            enum.StrEnum,
            native_enum=False,
            length=40,
            values_callable=lambda kind: [word.value for word in kind],
        ),
    }


HISTORY = Sequence("history_seq", metadata=Base.metadata, data_type=BigInteger())
"""One line for everything that happened: items of a timeline and events draw their `seq` here."""


def new_id() -> uuid.UUID:
    return uuid_utils.compat.uuid7()


def first_id(at: datetime) -> uuid.UUID:
    """Ids made before then are smaller: each begins with its millisecond."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


def one_of(column: SQLCoreOperations[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """`column = ANY(array)`: one bind however many values. An `IN` is written anew, bind by bind, at each call."""
    among = literal(list(values), ARRAY(column.type))  # type: ignore[attr-defined]
    return column == any_(among)


def one_of_given(column: SQLCoreOperations[Any], name: str = "ids") -> ColumnElement[bool]:
    """As `one_of`, of a select that is kept: the values are given when it is asked."""
    return column == any_(bindparam(name, type_=ARRAY(column.type)))  # type: ignore[attr-defined]


def among(
    column: SQLCoreOperations[Any], values: Iterable[Any] | Select[*tuple[Any, ...]]
) -> ColumnElement[bool]:
    """One of values that are known, or that a select reads on the way: within an `OR` an index serves an array, no `IN (SELECT …)`."""
    if not isinstance(values, Select):
        return one_of(column, values)
    return column == any_(func.array(values.scalar_subquery(), type_=ARRAY(column.type)))  # type: ignore[attr-defined]


INDEXED_NAME = 100
"""Letters. A name comes from outside and may be long: all of it might not fit in an index."""


def by_name(name: SQLCoreOperations[str]) -> ColumnElement[str]:
    """By what a list is sorted: the very expression of the indexes."""
    return func.lower(func.left(name, literal_column(str(INDEXED_NAME))))


def session_of(row: Base) -> Session:
    session = object_session(row)
    if session is None:
        raise RuntimeError(f"{row!r} belongs to no session")
    return session


def ring(session: Session | AsyncSession, topic: str) -> None:
    """Wakes who listens to `topic`, in every process, when this transaction has committed."""
    session.info.setdefault("rings", set()).add(topic)


READERS = 10
"""Of a process's connections, those over which is only read."""
STATEMENT_SECONDS = 5


@event.listens_for(Mapper, "after_configured")
def _parents_first() -> None:
    """What a flush writes, it writes in an order in which nothing points to a row that is not there yet. SQLAlchemy knows of such
    orders by relationships, of which there are none."""
    with suppress(NoReferencedTableError):  # as long as not all of them are imported
        places: dict[Any, int] = {table: place for place, table in enumerate(Base.metadata.sorted_tables)}
        for mapper in Base.registry.mappers:
            mapper._sort_key = f"{places[mapper.local_table]:05}"


class Database:
    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.url = url
        address = make_url(url)
        self._ssl: Any = address.query.get("sslmode") or address.query.get("ssl")
        """As libpq has it (disable, prefer, require, verify-full …); asyncpg and SQLAlchemy spell it differently."""
        self._address = address.difference_update_query(["sslmode", "ssl"])
        self.engine = self._engine(pool_size - READERS)
        asking = self._engine(
            READERS,
            isolation_level="AUTOCOMMIT",
            statement_timeout=f"{STATEMENT_SECONDS}s",
            default_transaction_read_only="on",
        )
        self.readers = Readers(asking, READERS)
        self.bell = Bell()

    def _engine(
        self, pool_size: int, *, isolation_level: Any = "READ COMMITTED", **settings: str
    ) -> AsyncEngine:
        engine = create_async_engine(
            self._address,
            pool_size=pool_size,
            max_overflow=pool_size // 2,
            isolation_level=isolation_level,
            hide_parameters=True,  # they hold what people wrote, and would stand in logs
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            connect_args={
                "server_settings": {"application_name": "heddle", "timezone": "UTC", **settings},
                "max_cacheable_statement_size": 0,
                "max_cached_statement_lifetime": 0,
                **({"ssl": self._ssl} if self._ssl else {}),
            },
        )
        event.listen(engine.sync_engine.pool, "checkout", _is_open)
        return engine

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Opened by the edge, committed once at its end; rung topics are heard after the commit."""
        async with Writing(self.engine, expire_on_commit=False) as session, session.begin():
            yield session
            await session.flush()
            await send_rings(session)

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[Abreast]:
        """A transaction of writers who write side by side."""
        async with Abreast(self.engine, expire_on_commit=False) as session, session.begin():
            yield session
            await session.flush()
            await send_rings(session)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        async with self.engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[AsyncConnection]:
        """Nothing is written over it, and no statement takes longer than a request may; each is a transaction of its own, so that
        none costs a way there and back to begin and to end one."""
        async with self.readers.one() as reader:
            try:
                yield reader.connection
            except asyncio.CancelledError:
                await reader.connection.invalidate()  # it may be speaking still
                raise

    async def connect(self) -> asyncpg.Connection:
        """The driver's own connection, which can listen and copy."""
        dsn = self._address.set(drivername="postgresql").render_as_string(hide_password=False)
        return await asyncpg.connect(dsn, ssl=self._ssl)

    def connections_in_use(self) -> int:
        writers: int = self.engine.pool.checkedout()  # type: ignore[attr-defined]
        return writers + self.readers.busy

    async def open(self) -> None:
        self.bell.start(self.connect)

    async def close(self) -> None:
        await self.bell.stop()
        await self.engine.dispose()
        await self.readers.close()


def _is_open(driver: Any, *_: Any) -> None:
    """The loop hears at once when the other end closes: that costs nothing, while a ping costs three ways there and back."""
    if driver.driver_connection.is_closed():
        raise DisconnectionError


async def send_rings(session: AsyncSession) -> None:
    if topics := session.info.pop("rings", None):
        await tell(session, _notify, {"topics": sorted(topics)})


_topics = func.unnest(bindparam("topics", type_=ARRAY(Text))).column_valued("topic")
_notify = select(func.pg_notify(Bell.CHANNEL, _topics))


async def database_time(session: AsyncSession | AsyncConnection) -> datetime:
    """The transaction's time by the database's clock: the one clock all processes share."""
    if isinstance(session, AsyncSession):
        now: datetime = (await tell(session, _now, flushes=False)).scalar_one()
    else:
        now = (await session.execute(_now)).scalar_one()
    return now


_now = select(func.now())


UNIQUE_VIOLATION = "23505"


def collided(failure: DBAPIError) -> bool:
    """Two did the same at once, or waited for each other: who tries again finds what the other has done."""
    state = getattr(failure.orig, "sqlstate", None) or ""
    return state == UNIQUE_VIOLATION or state.startswith("40")


async def begin_request(session: AsyncSession) -> datetime:
    """The transaction's time, as `database_time`; from here on none of its statements takes longer than a request may."""
    now: datetime = (await tell(session, _request)).one()[0]
    return now


_request = select(func.now(), func.set_config("statement_timeout", f"{STATEMENT_SECONDS}s", true()))
