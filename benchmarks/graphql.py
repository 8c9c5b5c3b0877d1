"""How the product is asked."""

from typing import Any

import orjson

from benchmarks.bench import Bench
from benchmarks.client import request


def graphql(bench: Bench, document: str, **variables: Any) -> bytes:
    headers = {"content_type": "application/json", "authorization": f"Bearer {bench.shop.token}"}
    return request("POST", "/graphql", graphql_body(document, **variables), **headers)


def graphql_body(document: str, **variables: Any) -> bytes:
    return orjson.dumps({"query": document, "variables": variables})
