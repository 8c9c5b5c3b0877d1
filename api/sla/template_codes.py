"""What the templates of policies are called, for whoever shows one."""

from typing import TypeAlias

import strawberry

from domain.sla.templates import Template

strawberry.enum(Template, name="PolicyTemplateCode")
PolicyTemplateCode: TypeAlias = Template
