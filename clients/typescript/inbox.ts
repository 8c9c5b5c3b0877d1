import { ask } from "./client.ts";
import { InboxDocument } from "./heddle.ts";

const { tickets } = await ask(InboxDocument, {});
for (const { node } of tickets.edges) console.log(node.number, node.subject, node.clock?.dueAt ?? "-");
