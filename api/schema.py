"""The public API, put together from its subjects. `schema.graphql` is its text; a test keeps the two equal."""

from datetime import UTC, datetime

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from api.agents.account import AccountMutations
from api.agents.administration import AdministrationMutations
from api.agents.devices import DeviceMutations
from api.agents.duty import DutyMutations, DutyQueries
from api.agents.sessions import SessionMutations
from api.agents.shop import ShopMutations, ShopQueries
from api.agents.staff import StaffQueries
from api.agents.tokens import TokenMutations, TokenQueries
from api.agents.viewer import ViewerQueries
from api.alerting.alerts import AlertQueries
from api.alerting.answering import AlertMutations
from api.alerting.notices import NoticeMutations, NoticeQueries
from api.answering.accepting import ParticipantMutations
from api.answering.chats import ChatMutations, ChatSubscriptions
from api.answering.messages import MessageMutations
from api.answering.texting import TextingQueries
from api.answering.writing import WritingMutations
from api.assigning.board import BoardQueries
from api.assigning.policies import AssignmentMutations
from api.audit import AuditQueries
from api.calling.calling import CallingMutations
from api.calling.calls import CallMutations
from api.calling.linking import CallLinkMutations
from api.calling.ringing import RingingSubscriptions
from api.changes import ChangeQueries
from api.complaints.complaints import ComplaintQueries
from api.complaints.handling import ComplaintMutations
from api.customers.address_book import AddressBookQueries
from api.customers.companies import CompanyMutations, CompanyQueries
from api.customers.contact_fields import ContactFieldMutations, ContactFieldQueries
from api.customers.contact_notes import ContactNoteMutations
from api.customers.contacts import ContactQueries
from api.customers.profiles import ProfileMutations
from api.desk.handling import TicketMutations
from api.desk.inbox import InboxQueries
from api.desk.infected import InfectedMutations
from api.desk.opening import OpeningMutations
from api.desk.spam import SpamMutations, SpamQueries
from api.desk.ticket_fields import TicketFieldMutations, TicketFieldQueries
from api.desk.tickets import TicketQueries
from api.desk.upload_links import UploadLinkMutations
from api.documents import Documents
from api.errors import Errors
from api.execution import Admitted, Timed
from api.feedback.feedback import FeedbackQueries
from api.feedback.surveys import SurveyMutations, SurveyQueries
from api.finding.searching import SearchQueries
from api.finding.views import ViewMutations, ViewQueries
from api.importing.imports import ImportMutations, ImportQueries
from api.joining.joining import JoiningMutations
from api.joining.linking import LinkMutations
from api.joining.merging import MergeMutations, MergeQueries
from api.live import ChangeSubscriptions, Executor
from api.macros.macros import MacroMutations, MacroQueries
from api.macros.running import MacroRunningMutations, MacroRunningQueries
from api.nodes import NodeQueries
from api.planning.lists import TaskQueries
from api.planning.saving import TaskMutations
from api.planning.templates import TaskTemplateMutations, TaskTemplateQueries
from api.privacy.erasing import ErasureMutations, ErasureQueries
from api.privacy.exporting import ExportMutations, ExportQueries
from api.privacy.privacy import PrivacyMutations, PrivacyQueries
from api.reporting.metric_tickets import MetricTicketQueries
from api.reporting.metrics import MetricQueries
from api.scalars import SCALARS
from api.sla.calendars import CalendarMutations, CalendarQueries
from api.sla.policies import PolicyQueries
from api.sla.promising import PolicyMutations
from api.sockets import AskedAnew
from api.tagging.tags import TagMutations, TagQueries
from api.ways_in.arrivals import ArrivalMutations, ArrivalQueries
from api.ways_in.channel_administration import ChannelMutations
from api.ways_in.channel_kinds import ChannelKindQueries
from api.ways_in.channels import ChannelQueries
from api.ways_in.dialled_numbers import DialledNumberMutations, DialledNumberQueries
from api.ways_in.messenger import MessengerMutations
from api.webhooks import WebhookMutations, WebhookQueries
from api.working.bulk import BulkMutations, BulkQueries
from api.working.drafts import DraftMutations
from api.working.links import LinkedTicketMutations
from api.working.mentions import MentionQueries
from api.working.viewing import ViewingMutations, ViewingSubscriptions


@strawberry.type
class Query(
    ViewerQueries,
    StaffQueries,
    BoardQueries,
    ShopQueries,
    TokenQueries,
    AuditQueries,
    WebhookQueries,
    ChannelQueries,
    ChannelKindQueries,
    InboxQueries,
    ViewQueries,
    SearchQueries,
    TicketQueries,
    TicketFieldQueries,
    MentionQueries,
    BulkQueries,
    TagQueries,
    ContactQueries,
    TextingQueries,
    MacroQueries,
    MacroRunningQueries,
    MergeQueries,
    AddressBookQueries,
    CompanyQueries,
    ContactFieldQueries,
    TaskQueries,
    TaskTemplateQueries,
    ComplaintQueries,
    AlertQueries,
    NoticeQueries,
    SurveyQueries,
    FeedbackQueries,
    PolicyQueries,
    CalendarQueries,
    DutyQueries,
    ArrivalQueries,
    SpamQueries,
    DialledNumberQueries,
    ExportQueries,
    ImportQueries,
    ErasureQueries,
    PrivacyQueries,
    MetricQueries,
    MetricTicketQueries,
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
    ShopMutations,
    AssignmentMutations,
    TokenMutations,
    WebhookMutations,
    ChannelMutations,
    OpeningMutations,
    TicketMutations,
    BulkMutations,
    TagMutations,
    LinkedTicketMutations,
    TicketFieldMutations,
    DraftMutations,
    ViewingMutations,
    ViewMutations,
    MessageMutations,
    ChatMutations,
    WritingMutations,
    UploadLinkMutations,
    InfectedMutations,
    MacroMutations,
    MacroRunningMutations,
    LinkMutations,
    MessengerMutations,
    MergeMutations,
    JoiningMutations,
    ProfileMutations,
    ContactNoteMutations,
    ContactFieldMutations,
    CompanyMutations,
    TaskMutations,
    TaskTemplateMutations,
    ComplaintMutations,
    AlertMutations,
    NoticeMutations,
    DeviceMutations,
    SurveyMutations,
    PolicyMutations,
    CalendarMutations,
    DutyMutations,
    ArrivalMutations,
    ParticipantMutations,
    SpamMutations,
    CallMutations,
    CallingMutations,
    CallLinkMutations,
    DialledNumberMutations,
    ExportMutations,
    ImportMutations,
    ErasureMutations,
    PrivacyMutations,
):
    pass


@strawberry.type
class Subscription(ChangeSubscriptions, ChatSubscriptions, RingingSubscriptions, ViewingSubscriptions):
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
