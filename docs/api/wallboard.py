"""What waits and what rings, on a screen on the wall: HEDDLE_URL=… HEDDLE_TOKEN=… python wallboard.py (needs httpx).

The token's scopes: tickets:read contacts:read alerts:read changes:read.
"""

import json
import os

import httpx

SHOW = """query Show { changeCursor alerts { kind level ticket { number } }
  waiting: tickets(filter: {statuses: [NEW, OPEN]}, first: 5) { totalCount edges { node { number subject } } } }"""
WATCH = "subscription Watch($since: Cursor!) { changes(since: $since, topics: [TICKETS, ALERTS]) { resetRequired changes { __typename } } }"

headers = {"Authorization": f"Bearer {os.environ['HEDDLE_TOKEN']}", "Accept": "text/event-stream"}
heddle = httpx.Client(base_url=os.environ["HEDDLE_URL"], headers=headers, timeout=60)
while True:
    board = heddle.post("/graphql", json={"query": SHOW}, headers={"Accept": "application/json"}).json()["data"]
    print(f"{board['waiting']['totalCount']} wait, {len(board['alerts'])} ring", flush=True)
    for alert in board["alerts"]:
        print(f"  ! {alert['kind']} {alert['level']}, ticket {(alert['ticket'] or {}).get('number', '-')}", flush=True)
    for edge in board["waiting"]["edges"]:
        print(f"  #{edge['node']['number']} {edge['node']['subject']}", flush=True)
    question = {"query": WATCH, "variables": {"since": board["changeCursor"]}}
    with heddle.stream("POST", "/graphql/stream", json=question) as stream:
        batches = (json.loads(line[6:])["data"]["changes"] for line in stream.iter_lines() if line.startswith("data: {"))
        next((batch for batch in batches if batch["changes"] or batch["resetRequired"]), None)
