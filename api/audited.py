"""Which mutations the audit tells of, and what of their input: never a password, a code or a token, nor words that may name a
customer (tags, what is looked for): no erasure takes them from there."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Context
from domain import audit
from domain.actors import Actor
from domain.audit import AuditKind
from domain.db import Json


@dataclass(frozen=True)
class Audited:
    kind: AuditKind
    told: tuple[str, ...] = ()
    """Of the input."""


AUDITED = {
    "signIn": Audited(AuditKind.SIGNED_IN, ("web", "device_label")),
    "signOut": Audited(AuditKind.SIGNED_OUT, ("everywhere",)),
    "sessionEnd": Audited(AuditKind.SESSION_ENDED, ("id",)),
    "passwordChange": Audited(AuditKind.PASSWORD_CHANGED),
    "passwordSet": Audited(AuditKind.PASSWORD_CHANGED),
    "secondFactorConfirm": Audited(AuditKind.SECOND_FACTOR_SET),
    "secondFactorRemove": Audited(AuditKind.SECOND_FACTOR_REMOVED),
    "secondFactorTakeOff": Audited(AuditKind.SECOND_FACTOR_REMOVED),
    "agentInvite": Audited(AuditKind.AGENT_ADDED, ("role", "team_ids")),
    "agentUpdate": Audited(
        AuditKind.AGENT_CHANGED, ("email", "role", "team_ids", "line", "skills", "capacity", "left")
    ),
    "teamSave": Audited(AuditKind.TEAM_SAVED, ("id", "name")),
    "teamDelete": Audited(AuditKind.TEAM_DELETED, ("id",)),
    "importStart": Audited(AuditKind.IMPORTED, ("kind", "dry_run")),
    "assignmentSave": Audited(AuditKind.TEAM_SAVED, ("team_id", "mode", "capacity", "skills")),
    "shopUpdate": Audited(
        AuditKind.SHOP_CHANGED,
        ("agents_see", "order_numbers", "marketplaces", "same_matter", "language", "stalled_days"),
    ),
    "surveySave": Audited(
        AuditKind.SURVEY_SAVED,
        ("kind", "channel_id", "enabled", "scale", "again_after_days", "sample_percent", "tells_of_low"),
    ),
    "surveyDelete": Audited(AuditKind.SURVEY_DELETED, ("id",)),
    "messengerPageConnect": Audited(AuditKind.CHANNEL_CONNECTED, ("name",)),
    "tokenCreate": Audited(AuditKind.TOKEN_CREATED, ("name", "scopes", "expires_at")),
    "tokenRevoke": Audited(AuditKind.TOKEN_REVOKED, ("id",)),
    "webhookSave": Audited(AuditKind.WEBHOOK_SAVED, ("id", "url", "events", "enabled")),
    "webhookRotateSecret": Audited(AuditKind.WEBHOOK_SECRET_ROTATED, ("id",)),
    "callStart": Audited(AuditKind.CALL_STARTED, ("ticket_id", "contact_id", "identity_id")),
    "contactExport": Audited(AuditKind.EXPORTED),
    "contactErase": Audited(AuditKind.ERASURE_ASKED, ("confirm",)),
    "erasureWithdraw": Audited(AuditKind.ERASURE_WITHDRAWN, ("id",)),
    "privacyUpdate": Audited(AuditKind.PRIVACY_CHANGED, ("sealed_days", "erasing_takes_two")),
    "retentionSave": Audited(AuditKind.PRIVACY_CHANGED, ("channel_id", "originals_days", "texts_days")),
    "webhookDelete": Audited(AuditKind.WEBHOOK_DELETED, ("id",)),
    "channelCreate": Audited(AuditKind.CHANNEL_ADDED, ("kind", "name", "slug")),
    "channelUpdate": Audited(AuditKind.CHANNEL_CHANGED, ("name",)),
    "channelRotateSecret": Audited(AuditKind.CHANNEL_SECRET_ROTATED, ("secret", "grace_seconds")),
    "channelDisable": Audited(AuditKind.CHANNEL_DISABLED),
    "channelEnable": Audited(AuditKind.CHANNEL_ENABLED),
    "senderBlock": Audited(AuditKind.SENDER_BLOCKED),
    "senderUnblock": Audited(AuditKind.SENDER_UNBLOCKED, ("id",)),
    "dialledNumberSave": Audited(
        AuditKind.NUMBER_SAVED, ("channel_id", "number", "campaign", "source", "language", "dial")
    ),
    "dialledNumberDelete": Audited(AuditKind.NUMBER_DELETED, ("id",)),
    "viewSave": Audited(AuditKind.VIEW_SAVED, ("id", "shared")),
    "viewDelete": Audited(AuditKind.VIEW_DELETED, ("id",)),
    "infectedFileOpen": Audited(AuditKind.INFECTED_OPENED, ("id",)),
    "macroSave": Audited(AuditKind.MACRO_SAVED, ("id", "name", "visibility", "team_id")),
    "macroDelete": Audited(AuditKind.MACRO_DELETED, ("id",)),
    "policySave": Audited(
        AuditKind.POLICY_SAVED,
        (
            "id",
            "template",
            "name",
            "calendar_id",
            "is_default",
            "position",
            "conditions",
            "targets",
            "pauses",
            "reopen_seconds",
            "ladder",
        ),
    ),
    "policyDelete": Audited(AuditKind.POLICY_DELETED, ("id",)),
    "calendarSave": Audited(AuditKind.CALENDAR_SAVED, ("id", "name", "hours")),
    "calendarDelete": Audited(AuditKind.CALENDAR_DELETED, ("id",)),
    "taskTemplateSave": Audited(
        AuditKind.TASK_TEMPLATE_SAVED, ("id", "name", "tasks", "on_complaint", "law")
    ),
    "taskTemplateArchive": Audited(AuditKind.TASK_TEMPLATE_ARCHIVED, ("id",)),
    "tagRename": Audited(AuditKind.TAG_RENAMED),
    "tagRemove": Audited(AuditKind.TAG_REMOVED),
    "contactFieldSave": Audited(AuditKind.CONTACT_FIELD_SAVED, ("id", "label", "kind", "options")),
    "contactFieldArchive": Audited(AuditKind.CONTACT_FIELD_ARCHIVED, ("id", "archived")),
    "ticketFieldSave": Audited(AuditKind.TICKET_FIELD_SAVED, ("id", "label", "kind", "options")),
    "ticketFieldArchive": Audited(AuditKind.TICKET_FIELD_ARCHIVED, ("id", "archived")),
}


def note_mutation(
    session: AsyncSession,
    context: Context,
    name: str,
    input: dict[str, Any],
    result: Json,
    by: Actor,
    at: datetime,
) -> None:
    if (audited := AUDITED.get(name)) and not result.get("private"):  # one's own view is one's own business
        told = {field: _said(input[field]) for field in audited.told if input[field] is not None}
        told |= result.get("told", {})  # what the input does not say so that it may be kept
        agent_id = uuid.UUID(result["agent"]) if "agent" in result else by.agent_id
        contact_id = uuid.UUID(result["contact"]) if "contact" in result else None
        audit.note(
            session,
            audited.kind,
            by=by,
            at=at,
            address=context.address,
            agent_id=agent_id,
            contact_id=contact_id,
            data=told,
        )


def _said(value: Any) -> str:
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else str(value)
