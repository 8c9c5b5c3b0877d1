// The change feed, as one stream for a page that is in front.

import { post } from "/m/talk.js";

const CHANGES = `subscription MobileChanges($since: Cursor!, $topics: [ChangeTopic!]) {
  changes(since: $since, topics: $topics) {
    resetRequired
    changes {
      __typename
      ... on TicketChanged { ticket { id } }
      ... on TimelineAppended { ticketId }
      ... on AlertChanged { alert { id } }
    }
  }
}`;

/** Tells `news` each batch of changes; ends with the line, whatever cut it. */
export async function hear(since, topics, news, signal) {
  try {
    const asked = { query: CHANGES, variables: { since, topics } };
    const { body } = await post("/graphql/stream", asked, { accept: "text/event-stream", signal });
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let begun = "", piece; !(piece = await reader.read()).done; ) {
      const lines = (begun + piece.value).split("\n");
      begun = lines.pop();
      for (const line of lines) if (line.startsWith("data: {")) told(JSON.parse(line.slice(6)), news);
    }
  } catch {
    // no network, or nobody listens any more
  }
}

function told({ data }, news) {
  if (data?.changes.resetRequired) news([{ __typename: "Reset" }]);
  else if (data?.changes.changes.length) news(data.changes.changes);
}
