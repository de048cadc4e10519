import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { foldEvents } from "../../../dialects/fold.ts";
import type { ChatAnswer, ChatEvent, ChatRequest, ContentPart, Message } from "../../../dialects/form.ts";
import type { ModelFilter } from "../../contract.ts";
import { MAX_HELD_SPACE } from "./tag-splitter.ts";
import { thinkTags } from "./think_tags.ts";

function make(options: object = {}): ModelFilter {
  return thinkTags.create(thinkTags.schema.parse(options));
}

const text = (words: string): ContentPart => ({ kind: "text", text: words });
const thought = (words: string): ContentPart => ({ kind: "reasoning", text: words });

/** The parts of a whole answer that the engine gives as `words`. */
function whole(words: string, options?: object): ContentPart[] {
  const answer: ChatAnswer = {
    id: "",
    model: "",
    created: 0,
    choices: [{ content: [text(words)], finishReason: "stop" }],
  };
  make(options).answer?.(answer);
  return answer.choices[0]?.content ?? [];
}

function run(events: readonly ChatEvent[], options?: object): ChatEvent[] {
  const filter = make(options).createEventFilter?.();
  const out: ChatEvent[] = [];
  for (const event of events) filter?.(event, (passed) => out.push(passed));
  return out;
}

/** The parts of an answer that streams in as `pieces`. */
function streamed(pieces: readonly string[], options?: object): ContentPart[] {
  const events: ChatEvent[] = pieces.map((piece) => ({ kind: "text", choice: 0, part: 0, text: piece }));
  const ends: ChatEvent[] = [
    { kind: "partEnd", choice: 0, part: 0 },
    { kind: "finish", choice: 0, finishReason: "stop" },
    { kind: "end" },
  ];
  return foldEvents(run([...events, ...ends], options)).choices[0]?.content ?? [];
}

interface Case {
  readonly name: string;
  readonly words: string;
  readonly options?: object;
  readonly parts: readonly ContentPart[];
}

const inside = { startsInside: true };
const CASES: readonly Case[] = [
  { name: "no thinking", words: "Just text, 1 < 2.", parts: [text("Just text, 1 < 2.")] },
  {
    name: "thinking first",
    words: "<think>\nhm, 世界\n</think>\n\nYes.",
    parts: [thought("hm, 世界\n"), text("Yes.")],
  },
  { name: "white space before the tag", words: " \n<think>a</think>b", parts: [thought("a"), text("b")] },
  { name: "white space before text", words: " \n<thin text", parts: [text(" \n<thin text")] },
  { name: "text before", words: "So: <think>a</think> b", parts: [text("So: "), thought("a"), text("b")] },
  { name: "nothing thought", words: "<think>\n\n</think>\n\nYes.", parts: [text("Yes.")] },
  { name: "nothing said", words: "<think>a</think>\n", parts: [thought("a")] },
  { name: "never closed", words: "<think>a </thin", parts: [thought("a </thin")] },
  {
    name: "twice",
    words: "<think>a</think>b<think>c</think>d",
    parts: [thought("a"), text("b"), thought("c"), text("d")],
  },
  { name: "twice in a row", words: "<think>a</think>\n<think>c</think>", parts: [thought("a"), thought("c")] },
  { name: "opened again inside", words: "<think>a<think>b</think>c", parts: [thought("a<think>b"), text("c")] },
  { name: "closed outside", words: "a</think>b", parts: [text("a</think>b")] },
  { name: "beginnings of tags", words: "<<think><</think></<thi", parts: [text("<"), thought("<"), text("</<thi")] },
  {
    name: "opened in the prompt",
    words: "\nhm</think>\n\nYes.",
    options: inside,
    parts: [thought("hm"), text("Yes.")],
  },
  {
    name: "opened in the prompt and again",
    words: "\n<think>hm</think>Yes.",
    options: inside,
    parts: [thought("hm"), text("Yes.")],
  },
  { name: "opened in the prompt, never closed", words: "hm <thin", options: inside, parts: [thought("hm <thin")] },
  { name: "opened in the prompt, closed at once", words: "</think>Yes.", options: inside, parts: [text("Yes.")] },
  {
    name: "opened in the prompt, closed, opened again",
    words: "a</think>b<think>c",
    options: inside,
    parts: [thought("a"), text("b"), thought("c")],
  },
  {
    name: "other tags",
    words: "[THINK]a</think>[/THINK]b",
    options: { tags: { open: "[THINK]", close: "[/THINK]" } },
    parts: [thought("a</think>"), text("b")],
  },
  {
    name: "tags that repeat themselves",
    words: "aaabcbbbba",
    options: { tags: { open: "aab", close: "bba" } },
    parts: [text("a"), thought("cbb")],
  },
  { name: "nothing at all", words: "", parts: [] },
  { name: "white space alone", words: "\n ", parts: [text("\n ")] },
];

for (const { name, words, options, parts } of CASES) {
  test(`a whole answer: ${name}`, () => {
    assert.deepEqual(whole(words, options), parts);
  });

  test(`a stream, split at every character: ${name}`, () => {
    for (let at = 0; at <= words.length; at++) {
      assert.deepEqual(streamed([words.slice(0, at), words.slice(at)], options), parts, `at ${at}`);
    }
    assert.deepEqual(streamed([...words], options), parts);
  });
}

test("any text, however it is split, streams as it would come whole", () => {
  const word = fc.constantFrom("<think>", "</think>", "<", "think", "</", ">", " ", "\n", "a", "世", "<thi", "nk>");
  fc.assert(
    fc.property(fc.array(fc.array(word), { maxLength: 8 }), fc.boolean(), (pieces, startsInside) => {
      const joined = pieces.map((piece) => piece.join(""));
      assert.deepEqual(streamed(joined, { startsInside }), whole(joined.join(""), { startsInside }));
    }),
    { numRuns: 2000 },
  );
});

test("white space at the start is held back up to a limit", () => {
  const space = " ".repeat(MAX_HELD_SPACE);
  assert.deepEqual(streamed([space, "<think>a"]), [thought("a")]);
  for (const pieces of [[space, " ", "<think>a"], [`${space} <think>a`]]) {
    assert.deepEqual(streamed(pieces), [text(`${space} `), thought("a")]);
  }
});

test("nothing waits but the beginning of a tag", () => {
  const out = (pieces: string[]): string[] =>
    run(pieces.map((piece) => ({ kind: "text", choice: 0, part: 0, text: piece }))).map((event) =>
      event.kind === "text" || event.kind === "reasoning" ? `${event.kind}:${event.text}` : event.kind,
    );
  assert.deepEqual(out(["Hello ", "world <", "3 <thi"]), ["text:Hello ", "text:world ", "text:<3 "]);
  assert.deepEqual(out(["<think>", "a", "b</", "x"]), ["reasoning:a", "reasoning:b", "reasoning:</x"]);
});

test("ordinary text passes as the same event", () => {
  const event: ChatEvent = { kind: "text", choice: 0, part: 0, text: "b", logprobs: { content: [] } };
  const passed = run([{ kind: "text", choice: 0, part: 0, text: "a" }, event]);
  assert.equal(passed[1], event);
});

test("tool calls after thinking, and other candidates, keep to themselves", () => {
  const events: ChatEvent[] = [
    { kind: "start", id: "a", model: "m", created: 1 },
    { kind: "text", choice: 0, part: 0, text: "<think>a" },
    { kind: "text", choice: 1, part: 0, text: "x<think" },
    { kind: "text", choice: 0, part: 0, text: "</think>\n\nb<" },
    { kind: "partEnd", choice: 0, part: 0 },
    { kind: "toolCallStart", choice: 0, part: 1, id: "c1", name: "f" },
    { kind: "toolCallStart", choice: 0, part: 2, id: "c2", name: "g" },
    { kind: "toolCallArguments", choice: 0, part: 2, text: '{"t":"<think>"}' },
    { kind: "toolCallArguments", choice: 0, part: 1, text: "{}" },
    { kind: "text", choice: 1, part: 0, text: ">y" },
    { kind: "partEnd", choice: 0, part: 1 },
    { kind: "partEnd", choice: 0, part: 2 },
    { kind: "finish", choice: 0, finishReason: "tool_calls" },
    { kind: "finish", choice: 1, finishReason: "stop" },
    { kind: "end" },
  ];
  const answer = foldEvents(run(events));
  assert.deepEqual(answer.choices[0]?.content, [
    thought("a"),
    text("b<"),
    { kind: "toolCall", id: "c1", name: "f", arguments: "{}" },
    { kind: "toolCall", id: "c2", name: "g", arguments: '{"t":"<think>"}' },
  ]);
  assert.deepEqual(answer.choices[1]?.content, [text("x"), thought("y")]);
});

test("parts never share a number while both are open, and end once", () => {
  const events: ChatEvent[] = [
    { kind: "text", choice: 0, part: 0, text: "a<think>b</think>c" },
    { kind: "partEnd", choice: 0, part: 0 },
    { kind: "toolCallStart", choice: 0, part: 1, id: "c1", name: "f" },
    { kind: "partEnd", choice: 0, part: 1 },
  ];
  const seen = run(events).map((event) => ("part" in event ? `${event.kind} ${event.part}` : event.kind));
  assert.deepEqual(seen, [
    "text 0",
    "partEnd 0",
    "reasoning 1",
    "partEnd 1",
    "text 2",
    "partEnd 2",
    "toolCallStart 3",
    "partEnd 3",
  ]);
});

test("what was held back goes out before the end and before an error", () => {
  const held: ChatEvent = { kind: "text", choice: 0, part: 0, text: "a <thi" };
  const error: ChatEvent = { kind: "error", status: 502, type: "x", message: "y" };
  for (const last of [
    error,
    { kind: "end" },
    { kind: "finish", choice: 0, finishReason: "stop" },
  ] satisfies ChatEvent[]) {
    const out = run([held, last]);
    assert.deepEqual(
      out.map((event) => (event.kind === "text" ? event.text : event.kind)),
      ["a ", "<thi", last.kind],
    );
  }
});

test("citations stay with the text that is read, log probabilities with their candidate", () => {
  const citation = { type: "page_location" };
  const events: ChatEvent[] = [
    { kind: "text", choice: 0, part: 0, text: "<think>a</think>b", logprobs: { content: [1] } },
    { kind: "citation", choice: 0, part: 0, citation },
    { kind: "partEnd", choice: 0, part: 0 },
    { kind: "finish", choice: 0, finishReason: "stop" },
  ];
  const [choice] = foldEvents(run(events)).choices;
  assert.deepEqual(choice?.content, [thought("a"), { kind: "text", text: "b", citations: [citation] }]);
  assert.deepEqual(choice?.logprobs, { content: [1] });
});

function history(content: ContentPart[], options?: object): Message[] {
  const question: Message = { role: "user", content: [thought("not an assistant's")] };
  const request: ChatRequest = {
    model: "m",
    messages: [question, { role: "assistant", content }],
    stream: false,
    includeUsage: false,
  };
  make(options).request?.(request);
  assert.equal(request.messages[0], question);
  return request.messages.slice(1);
}

const call: ContentPart = { kind: "toolCall", id: "c", name: "f", arguments: "{}" };

test("reasoning of earlier answers becomes tagged text before what followed it", () => {
  assert.deepEqual(history([thought("hm"), text("Yes."), call]), [
    { role: "assistant", content: [text("<think>\nhm\n</think>\n\nYes."), call], plain: true },
  ]);
  assert.deepEqual(history([thought("hm\n"), call]), [
    { role: "assistant", content: [text("<think>\nhm\n</think>\n\n"), call], plain: true },
  ]);
  const redacted: ContentPart = { kind: "reasoning", text: "", redacted: "E" };
  assert.deepEqual(history([redacted, text("Yes.")]), [{ role: "assistant", content: [text("Yes.")], plain: true }]);
});

test("what the engine wrote comes back to it the same", () => {
  const words = "<think>\nhm\n</think>\n\nYes.";
  assert.deepEqual(history(whole(words))[0]?.content, [text(words)]);
});

test("reasoning can be dropped or kept instead", () => {
  assert.deepEqual(history([thought("hm"), text("Yes.")], { history: "drop" }), [
    { role: "assistant", content: [text("Yes.")], plain: true },
  ]);
  assert.deepEqual(history([thought("hm")], { history: "drop" }), []);
  assert.deepEqual(history([thought("hm"), text("Yes.")], { history: "keep" }), [
    { role: "assistant", content: [thought("hm"), text("Yes.")] },
  ]);
});

for (const options of [
  { tag: 1 },
  { tags: { open: "", close: "x" } },
  { tags: { open: " x", close: "y" } },
  { tags: { open: "x", close: "x" } },
  { tags: { open: "x" } },
  { history: "no" },
  { startsInside: "yes" },
]) {
  test(`refuses the options ${JSON.stringify(options)}`, () => {
    assert.equal(thinkTags.schema.safeParse(options).success, false);
  });
}
