import assert from "node:assert/strict";
import { test } from "node:test";
import { unterminatedEvent } from "./unterminated-event.ts";

const event = (text: string): string | undefined => unterminatedEvent(Buffer.from(text))?.toString();

test("a last event without its blank line is one if its data is whole", () => {
  assert.equal(event("data: [DONE]"), "data: [DONE]\n\n");
  assert.equal(
    event('event: message_stop\ndata: {"type":"message_stop"}\n'),
    'event: message_stop\ndata: {"type":"message_stop"}\n\n\n',
  );
});

test("what is cut off is none", () => {
  for (const text of ["", "data: [DON", 'data: {"a":{}', "event: message_stop", ": comment", "data: 12"]) {
    assert.equal(event(text), undefined, text);
  }
});
