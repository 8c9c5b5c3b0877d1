"""Who asks, in the usual ways: a token, looked up by the ORM."""

from fastapi import HTTPException
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.peers.usual_rows import Agent, SignIn
from domain.keys import token_hash


async def signed_in(session: AsyncSession, authorization: str) -> Agent:
    query = (
        select(Agent)
        .join(SignIn, SignIn.agent_id == Agent.id)
        .where(
            SignIn.token_hash == token_hash(authorization.removeprefix("Bearer ")),
            SignIn.ended_at.is_(None),
            SignIn.expires_at > func.now(),
        )
    )
    agent = await session.scalar(query)
    if agent is None:
        raise HTTPException(401)
    return agent
