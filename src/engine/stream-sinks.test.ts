/** Both kinds of streams, with their upstream's bytes cut at every place. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DIALECTS } from "../dialects/builtin.ts";
import type { DialectName, Usage } from "../dialects/form.ts";
import type { SluiceError } from "../lib/errors.ts";
import type { AnswerSink, Attempt } from "./attempt.ts";
import type { AttemptFailure } from "./attempt-failure.ts";
import { ConvertedStream } from "./converted-stream.ts";
import { PassThroughStream } from "./pass-through-stream.ts";

interface Setting {
  readonly client: DialectName;
  readonly target: DialectName;
  readonly usageInjected?: boolean;
  readonly clientIsSlow?: boolean;
}

/** What a stream does to its attempt and its client, in order; written bytes are put together. */
class Witness {
  readonly log: string[] = [];
  text = "";
  usage: (Usage & { source: string }) | undefined;
  failure: AttemptFailure | undefined;
  readonly sink: AnswerSink;

  constructor({ client, target, usageInjected = false, clientIsSlow = false }: Setting) {
    const note = (what: string) => (): void => {
      this.log.push(what);
    };
    const exchange = {
      dialect: DIALECTS[client],
      requestId: "req_1",
      entry: {
        tokens: (usage: Usage, source: string): void => {
          this.usage = { ...usage, source };
        },
      },
      startStream: note("start"),
      endStream: note("end"),
      breakStreamAfterError: note("break"),
      sendError: (error: SluiceError): void => {
        this.log.push(`error ${error.message}`);
      },
      write: (bytes: Buffer): boolean => {
        assert.ok(this.log.includes("start"), "nothing is written before the head");
        assert.ok(!/end|break|error/.test(this.log.at(-1)!), "nothing is written after the end");
        this.text += bytes.toString("latin1");
        return !clientIsSlow;
      },
    };
    const attempt = {
      call: { exchange, deadlines: { touch() {} }, asked: "user-model", promptTokens: 100, learnPromptTokens() {} },
      endpoint: { target: { dialect: DIALECTS[target], filters: {} }, secrets: ["canary"] },
      encoded: { sameDialect: client === target, usageInjected, includeUsage: false },
      answering: note("answering"),
      finished: note("finished"),
      hangUp: note("hung up"),
      breakOff: note("broken off"),
      waitForClient: note("waits"),
      progressed() {},
      failed: (failure: AttemptFailure): void => {
        this.failure = failure;
        this.log.push("failed");
      },
    } as unknown as Attempt;
    this.sink = client === target ? new PassThroughStream(attempt, {}) : new ConvertedStream(attempt);
  }

  /** Until the attempt is over, as an attempt does. */
  feed(chunks: readonly Buffer[]): this {
    for (const chunk of chunks) {
      if (!this.over) this.sink.data(chunk);
    }
    if (!this.over) this.sink.end();
    return this;
  }

  get over(): boolean {
    return this.log.some((what) => ["finished", "failed", "broken off"].includes(what));
  }
}

const USAGE = { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 };
const openaiEvent = (choices: object[], usage?: object): string =>
  `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices, ...(usage && { usage }) })}\n\n`;
const delta = (content: string): string => openaiEvent([{ index: 0, delta: { content }, finish_reason: null }]);
const OPENAI_ROLE = openaiEvent([{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }]);
const OPENAI_END = openaiEvent([{ index: 0, delta: {}, finish_reason: "stop" }]);
const OPENAI_USAGE = openaiEvent([], USAGE);
const DONE = "data: [DONE]\n\n";
const OPENAI_TEXT = OPENAI_ROLE + delta("Grüße") + ": ping\n\n" + delta(" 👋") + OPENAI_END;

const anthropicEvent = (data: { type: string }): string => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const anthropic = (type: string, fields: object): string => anthropicEvent({ type, ...fields });
const MESSAGE = { id: "msg_1", type: "message", role: "assistant", model: "m", content: [], stop_reason: null };
const ANTHROPIC_START =
  anthropic("message_start", { message: { ...MESSAGE, usage: { input_tokens: 11, output_tokens: 1 } } }) +
  anthropic("content_block_start", { index: 0, content_block: { type: "text", text: "" } });
const anthropicDelta = (text: string): string =>
  anthropic("content_block_delta", { index: 0, delta: { type: "text_delta", text } });
const ANTHROPIC_END =
  anthropic("content_block_stop", { index: 0 }) +
  anthropic("message_delta", { delta: { stop_reason: "end_turn" }, usage: { output_tokens: 3 } }) +
  anthropic("message_stop", {});

const STREAMS: Readonly<Record<DialectName, string>> = {
  openai: OPENAI_TEXT + OPENAI_USAGE + DONE,
  anthropic: ANTHROPIC_START + anthropicDelta("Grüße") + anthropic("ping", {}) + anthropicDelta(" 👋") + ANTHROPIC_END,
};
const ERRORS: Readonly<Record<DialectName, string>> = {
  openai: `data: ${JSON.stringify({ error: { message: "engine lost", type: "server_error", code: null } })}\n\n`,
  anthropic: anthropic("error", { error: { type: "overloaded_error", message: "engine lost" } }),
};
const BEGINNINGS: Readonly<Record<DialectName, { before: string; after: string }>> = {
  openai: { before: OPENAI_ROLE, after: OPENAI_ROLE + delta("Hello") },
  anthropic: { before: ANTHROPIC_START, after: ANTHROPIC_START + anthropicDelta("Hello") },
};
const SETTINGS: readonly Setting[] = [
  { client: "openai", target: "openai" },
  { client: "openai", target: "openai", usageInjected: true },
  { client: "anthropic", target: "anthropic" },
  { client: "openai", target: "anthropic", usageInjected: true },
  { client: "anthropic", target: "openai", usageInjected: true },
];
const nameOf = ({ client, target, usageInjected }: Setting): string =>
  `${client} client → ${target}${usageInjected === true ? ", usage not asked for" : ""}`;

/**
 * Without what is made anew for each stream, and with line ends that mean the same alike: where a chunk ends between the
 * CR and LF of a blank line, the event does not wait for the LF.
 */
const meaningOf = (text: string): string =>
  text
    .replaceAll(/\r\n?/g, "\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .replaceAll(/"(?:id|created)":(?:"[^"]*"|\d+)/g, "")
    .replaceAll(/chatcmpl-[\w-]+|msg_[\w-]+/g, "");

function everyCut(text: string): Buffer[][] {
  const bytes = Buffer.from(text);
  const cuts = Array.from({ length: bytes.length - 1 }, (_, at) => [bytes.subarray(0, at + 1), bytes.subarray(at + 1)]);
  return [...cuts, Array.from(bytes, (byte) => Buffer.of(byte))];
}

for (const setting of SETTINGS) {
  describe(nameOf(setting), () => {
    const { client, target } = setting;
    const text = STREAMS[target];

    test("a whole stream comes out the same however it is cut", () => {
      const whole = new Witness(setting).feed([Buffer.from(text)]);
      assert.deepEqual(whole.log, ["answering", "start", "finished", "end"]);
      assert.equal(whole.usage?.source, "reported");
      assert.deepEqual([whole.usage?.promptTokens, whole.usage?.completionTokens], [11, 3]);
      if (client === target) {
        const expected = setting.usageInjected === true ? text.replace(OPENAI_USAGE, "") : text;
        assert.equal(Buffer.from(whole.text, "latin1").toString(), expected);
      }
      for (const variant of [text, text.replaceAll("\n", "\r\n")]) {
        const same = variant === text ? whole : new Witness(setting).feed([Buffer.from(variant)]);
        for (const chunks of everyCut(variant)) {
          const cut = new Witness(setting).feed(chunks);
          assert.equal(meaningOf(cut.text), meaningOf(same.text));
          assert.deepEqual([cut.log, cut.usage], [whole.log, whole.usage]);
        }
      }
    });

    test("a stream that breaks says so to somebody, wherever it is cut off", () => {
      const bytes = Buffer.from(text);
      const firstContent = Buffer.from(text).indexOf("Gr");
      for (let length = 0; length < bytes.length; length++) {
        const witness = new Witness(setting).feed([bytes.subarray(0, length)]);
        const { log } = witness;
        if (log.includes("failed")) {
          assert.ok(!log.includes("start") && witness.text === "", `what is retried was not seen (${length})`);
        } else if (log.at(-1) !== "end") {
          assert.deepEqual(log.slice(0, 3), ["answering", "start", "broken off"]);
          assert.match(log[3]!, /^error The model's answer broke off/);
          assert.ok(length > firstContent);
          assert.equal(witness.usage?.source, "estimated");
        }
        assert.equal(log.filter((what) => what === "failed" || what === "end" || what.startsWith("error")).length, 1);
      }
    });

    test("an error before the first content is for another attempt, and nothing was seen, wherever it is cut", () => {
      const failing = BEGINNINGS[target].before + ERRORS[target];
      for (const chunks of [[Buffer.from(failing)], ...everyCut(failing)]) {
        const witness = new Witness(setting).feed(chunks);
        assert.deepEqual([witness.log, witness.text], [["failed"], ""]);
        assert.equal(witness.failure?.retryable, "5xx");
      }
    });

    test("an error after it is told, and is the last that is told", () => {
      const failing = BEGINNINGS[target].after + ERRORS[target];
      for (const chunks of [[Buffer.from(failing + delta("more"))], ...everyCut(failing)]) {
        const witness = new Witness(setting).feed(chunks);
        assert.deepEqual(witness.log.slice(0, 3), ["answering", "start", "broken off"]);
        assert.equal(witness.log.length, 4);
        assert.ok(witness.text.includes("Hello") && !witness.text.includes("more"));
        assert.match(client === target ? witness.text : witness.log[3]!, /engine lost/);
      }
    });

    test("an error says nothing of the credential", () => {
      const failing = (BEGINNINGS[target].after + ERRORS[target]).replace("engine lost", "bad key canary");
      const witness = new Witness(setting).feed([Buffer.from(failing)]);
      assert.match(witness.log.at(-1)!, /^error bad key \[key\]/);
      assert.ok(!witness.text.includes("canary"));
    });

    test("a failure of the connection after the protocol's end is no matter", () => {
      const witness = new Witness(setting);
      const cut = Buffer.from(text.replace(DONE, ""));
      witness.sink.data(cut);
      if (!witness.over) {
        assert.equal(witness.sink.broken(new Error("reset") as SluiceError), true);
      }
      assert.equal(witness.log.at(-1), "end");
    });

    test("a slow client makes the upstream wait", () => {
      const witness = new Witness({ ...setting, clientIsSlow: true });
      witness.sink.data(Buffer.from(BEGINNINGS[target].after));
      assert.deepEqual(witness.log, ["answering", "start", "waits"]);
    });

    test("a client that leaves is recorded with the tokens seen so far", () => {
      const witness = new Witness(setting);
      witness.sink.data(Buffer.from(BEGINNINGS[target].after));
      witness.sink.abandoned();
      assert.deepEqual([witness.usage?.source, witness.usage?.completionTokens], ["estimated", 1]);
      assert.equal(witness.usage?.promptTokens, target === "openai" ? 100 : 11);
    });
  });
}

test("what is held before the first content has a limit, but an attempt that has failed is not shown for it", () => {
  const filler = `: ${"x".repeat(300_000)}\n\n`;
  const setting: Setting = { client: "openai", target: "openai" };
  const patient = new Witness(setting);
  patient.sink.data(Buffer.from(filler));
  assert.deepEqual(patient.log, ["answering", "start"]);
  assert.deepEqual(new Witness(setting).feed([Buffer.from(filler + ERRORS.openai)]).log, ["failed"]);
});

test("events before one that is too large are still given to the client", () => {
  const witness = new Witness({ client: "openai", target: "openai" });
  witness.sink.data(Buffer.from(delta("one")));
  const huge = Buffer.from(`${delta("two")}: ${"x".repeat(17_000_000)}\n\n`);
  assert.throws(() => {
    witness.sink.data(huge);
  }, /more than/);
  witness.sink.broken({ message: "too large" } as SluiceError);
  assert.ok(witness.text.includes("two"));
  assert.deepEqual(witness.log, ["answering", "start", "broken off", "error too large"]);
});
