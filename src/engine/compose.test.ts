import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChatAnswer, ChatEvent, ChatRequest } from "../dialects/form.ts";
import type { ModelFilter } from "../filters/contract.ts";
import { composeModelFilters } from "./compose.ts";

/** Notes its name in whatever passes it. */
class Marker implements ModelFilter {
  readonly #name: string;
  readonly #log: string[];

  constructor(name: string, log: string[]) {
    this.#name = name;
    this.#log = log;
  }

  request(): void {
    this.#log.push(`request ${this.#name}`);
  }

  wireRequest(): void {
    this.#log.push(`wire ${this.#name}`);
  }

  answer(): void {
    this.#log.push(`answer ${this.#name}`);
  }

  createEventFilter() {
    this.#log.push(`stream ${this.#name}`);
    return (event: ChatEvent, emit: (event: ChatEvent) => void): void => {
      if (event.kind === "text") {
        emit({ ...event, text: `${this.#name}(${event.text})` });
        emit({ ...event, text: `+${this.#name}` });
      }
    };
  }
}

const text = (words: string): ChatEvent => ({ kind: "text", choice: 0, text: words }) as unknown as ChatEvent;

test("a hook that nobody has is none, so that bytes can pass", () => {
  assert.deepEqual(composeModelFilters([]), {
    request: undefined,
    wireRequest: undefined,
    answer: undefined,
    createEventFilter: undefined,
  });
  const { request, answer } = composeModelFilters([{}, { answer() {} }]);
  assert.equal(request, undefined);
  assert.notEqual(answer, undefined);
});

test("requests pass in the order of the configuration, answers in the opposite one", () => {
  const log: string[] = [];
  const composed = composeModelFilters([new Marker("a", log), {}, new Marker("b", log)]);
  composed.request?.({} as ChatRequest);
  composed.wireRequest?.({}, "chat");
  composed.answer?.({} as ChatAnswer);
  assert.deepEqual(log, ["request a", "request b", "wire a", "wire b", "answer b", "answer a"]);
});

test("events pass in the order of answers, and each stream has filters of its own", () => {
  const log: string[] = [];
  const composed = composeModelFilters([new Marker("a", log), new Marker("b", log)]);
  const emitted: unknown[] = [];
  const filter = composed.createEventFilter!();
  filter(text("x"), (event) => emitted.push(event.kind === "text" ? event.text : event.kind));
  assert.deepEqual(emitted, ["a(b(x))", "+a", "a(+b)", "+a"]);
  filter({ kind: "end" }, (event) => emitted.push(event.kind));
  assert.equal(emitted.length, 4, "what a filter does not pass on goes no further");
  assert.notEqual(composed.createEventFilter!(), filter);
  assert.deepEqual(log, ["stream b", "stream a", "stream b", "stream a"]);
});
