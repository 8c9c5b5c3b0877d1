"""The public API, put together from its subjects. `schema.graphql` is its text; a test keeps the two equal."""

from datetime import UTC, datetime

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from api.accepting import ParticipantMutations
from api.account import AccountMutations
from api.address_book import AddressBookQueries
from api.administration import AdministrationMutations, AdministrationQueries
from api.alerts import AlertQueries
from api.answering import AlertMutations
from api.arrivals import ArrivalMutations, ArrivalQueries
from api.audit import AuditQueries
from api.calendars import CalendarMutations, CalendarQueries
from api.calling import CallingMutations
from api.calls import CallMutations
from api.changes import ChangeQueries
from api.channel_administration import ChannelMutations
from api.channel_kinds import ChannelKindQueries
from api.channels import ChannelQueries
from api.chats import ChatMutations, ChatSubscriptions
from api.companies import CompanyMutations, CompanyQueries
from api.contact_fields import ContactFieldMutations, ContactFieldQueries
from api.contact_notes import ContactNoteMutations
from api.contacts import ContactQueries
from api.devices import DeviceMutations
from api.dialled_numbers import DialledNumberMutations, DialledNumberQueries
from api.documents import Documents
from api.duty import DutyMutations, DutyQueries
from api.erasing import ErasureMutations, ErasureQueries
from api.errors import Errors
from api.execution import Admitted, Timed
from api.exporting import ExportMutations, ExportQueries
from api.handling import TicketMutations
from api.inbox import InboxQueries
from api.joining import JoiningMutations
from api.linking import LinkMutations
from api.live import ChangeSubscriptions, Executor
from api.merging import MergeMutations, MergeQueries
from api.messages import MessageMutations
from api.messenger import MessengerMutations
from api.nodes import NodeQueries
from api.notices import NoticeMutations, NoticeQueries
from api.policies import PolicyQueries
from api.privacy import PrivacyMutations, PrivacyQueries
from api.profiles import ProfileMutations
from api.promising import PolicyMutations
from api.ringing import RingingSubscriptions
from api.scalars import SCALARS
from api.sessions import SessionMutations
from api.sockets import AskedAnew
from api.spam import SpamMutations, SpamQueries
from api.staff import StaffQueries
from api.tasks import TaskMutations, TaskQueries
from api.texting import TextingQueries
from api.tickets import TicketQueries
from api.tokens import TokenMutations, TokenQueries
from api.viewer import ViewerQueries
from api.webhooks import WebhookMutations, WebhookQueries
from api.writing import WritingMutations


@strawberry.type
class Query(
    ViewerQueries,
    StaffQueries,
    AdministrationQueries,
    TokenQueries,
    AuditQueries,
    WebhookQueries,
    ChannelQueries,
    ChannelKindQueries,
    InboxQueries,
    TicketQueries,
    ContactQueries,
    TextingQueries,
    MergeQueries,
    AddressBookQueries,
    CompanyQueries,
    ContactFieldQueries,
    TaskQueries,
    AlertQueries,
    NoticeQueries,
    PolicyQueries,
    CalendarQueries,
    DutyQueries,
    ArrivalQueries,
    SpamQueries,
    DialledNumberQueries,
    ExportQueries,
    ErasureQueries,
    PrivacyQueries,
    ChangeQueries,
    NodeQueries,
):
    @strawberry.field
    def server_time(self) -> datetime:
        return datetime.now(UTC)


@strawberry.type
class Mutation(
    SessionMutations,
    AccountMutations,
    AdministrationMutations,
    TokenMutations,
    WebhookMutations,
    ChannelMutations,
    TicketMutations,
    MessageMutations,
    ChatMutations,
    WritingMutations,
    LinkMutations,
    MessengerMutations,
    MergeMutations,
    JoiningMutations,
    ProfileMutations,
    ContactNoteMutations,
    ContactFieldMutations,
    CompanyMutations,
    TaskMutations,
    AlertMutations,
    NoticeMutations,
    DeviceMutations,
    PolicyMutations,
    CalendarMutations,
    DutyMutations,
    ArrivalMutations,
    ParticipantMutations,
    SpamMutations,
    CallMutations,
    CallingMutations,
    DialledNumberMutations,
    ExportMutations,
    ErasureMutations,
    PrivacyMutations,
):
    pass


@strawberry.type
class Subscription(ChangeSubscriptions, ChatSubscriptions, RingingSubscriptions):
    pass


class _Schema(strawberry.Schema):
    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """`Errors` has logged what is to be logged."""


schema = _Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    execution_context_class=Executor,
    extensions=[Errors, AskedAnew, Documents, Admitted, Timed],
    config=StrawberryConfig(scalar_map=SCALARS),
)
