// What was done by a tap a moment ago is taken back by another.

import { change, refusals, say } from "/m/talk.js";

const UNDO = "mutation Undo($input: ChangeUndoInput!) { changeUndo(input: $input) { kept { what } userErrors { message } } }";

/** What `doing` says, with what takes it back and until when, where something was changed. */
export function undoable(words, { changeId, undoUntil }) {
  return changeId ? { words, undo: () => undo(changeId), until: Date.parse(undoUntil) } : { words };
}

async function undo(id) {
  const payload = await change(`undo:${id}`, UNDO, { id });
  if (payload.userErrors.length) throw new Error(refusals(payload));
  return say(payload.kept.length ? "undone_in_part" : "undone");
}
