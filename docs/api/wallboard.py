"""What waits and what rings, on a screen on the wall: HEDDLE_URL=… HEDDLE_TOKEN=… python wallboard.py (needs httpx).

The token's scopes: tickets:read alerts:read changes:read. While Heddle does not answer it says why, and tries again.
"""

import json
import os
import time

import httpx

SHOW = """query Show { changeCursor alerts { kind level ticket { number } }
  tickets(filter: {statuses: [NEW, OPEN]}, first: 5) { totalCount edges { node { number subject } } } }"""
WATCH = """subscription Watch($since: Cursor!) {
  changes(since: $since, topics: [TICKETS, ALERTS]) { resetRequired changes { __typename } } }"""
heddle = httpx.Client(base_url=os.environ["HEDDLE_URL"], timeout=60)
heddle.headers["Authorization"] = f"Bearer {os.environ['HEDDLE_TOKEN']}"


def wait_for_a_change(since):
    question = {"query": WATCH, "variables": {"since": since}}
    events = {"Accept": "text/event-stream"}
    with heddle.stream("POST", "/graphql/stream", json=question, headers=events) as stream:
        stream.raise_for_status()
        for line in stream.iter_lines():
            if line.startswith("data: {"):
                batch = json.loads(line[6:])["data"]["changes"]
                if batch["changes"] or batch["resetRequired"]:
                    return


def show():
    board = heddle.post("/graphql", json={"query": SHOW}).raise_for_status().json()["data"]
    print(f"{board['tickets']['totalCount']} wait, {len(board['alerts'])} ring", flush=True)
    for alert in board["alerts"]:
        print(f"! {alert['kind']}, level {alert['level']}", flush=True)
    for edge in board["tickets"]["edges"]:
        print(f"#{edge['node']['number']} {edge['node']['subject']}", flush=True)
    return board["changeCursor"]


while True:
    try:
        wait_for_a_change(since=show())
    except (httpx.HTTPError, ValueError, TypeError) as problem:  # no answer, one of a proxy, or a refusal
        print(f"? {problem}", flush=True)
        time.sleep(5)
