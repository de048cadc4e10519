/** A vendor's errors as official SDKs see them: the right class, the vendor's words, and no retry of the caller's mistakes. */
import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { Cleanups } from "./harness.ts";
import { MODELS, startWorld, TARGETS, type TargetName, type World } from "./world.ts";

let world: World;
const cleanups = new Cleanups();
before(async () => {
  world = await startWorld(cleanups);
});
beforeEach(() => {
  world.simulators.openai.reset();
  world.simulators.anthropic.reset();
});
after(async () => {
  await cleanups.run();
});

const MESSAGES = [{ role: "user" as const, content: "hello" }];

async function askOpenai(target: TargetName, client = world.openai): Promise<unknown> {
  return client.chat.completions.create({ model: MODELS[target], messages: MESSAGES });
}

async function askAnthropic(target: TargetName, client = world.anthropic): Promise<unknown> {
  return client.messages.create({ model: MODELS[target], max_tokens: 100, messages: MESSAGES });
}

type ErrorClass<E extends Error> = abstract new (...parameters: never[]) => E;

/** The error that a call ends in. */
async function failure<E extends Error>(call: Promise<unknown>, kind: ErrorClass<E>): Promise<E> {
  const error: unknown = await call.then(
    () => assert.fail("it did not fail"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof kind, `${String(error)} should be ${kind.name}`);
  return error;
}

const CALLERS_MISTAKES: readonly (readonly [number, ErrorClass<Error>, ErrorClass<Error>])[] = [
  [400, OpenAI.BadRequestError, Anthropic.BadRequestError],
  [404, OpenAI.NotFoundError, Anthropic.NotFoundError],
  [422, OpenAI.UnprocessableEntityError, Anthropic.UnprocessableEntityError],
];

for (const target of TARGETS) {
  for (const [status, openaiClass, anthropicClass] of CALLERS_MISTAKES) {
    test(`the vendor's ${status} keeps its status and words, one hit → ${target} (20)`, async () => {
      const vendor = world.simulators[target];
      vendor.setFault(`status:${status}`);
      const openai = await failure(askOpenai(target), openaiClass);
      assert.match(openai.message, /simulated fault/);
      assert.equal(vendor.stats().hits, 1);
      const anthropic = await failure(askAnthropic(target), anthropicClass);
      assert.match(anthropic.message, /simulated fault/);
      assert.equal(vendor.stats().hits, 2);
      vendor.setFault();
      await askOpenai(target);
    });
  }

  test(`a context that is too long stays a 400 in the vendor's words → ${target} (19)`, async () => {
    world.simulators[target].setFault("context-overflow");
    const openai = await failure(askOpenai(target), OpenAI.BadRequestError);
    const words =
      target === "openai"
        ? /maximum context length is 200000 tokens/
        : /prompt is too long: 262960 tokens > 200000 maximum/;
    assert.match(openai.message, words);
    assert.equal(openai.code, "context_length_exceeded");
    const anthropic = await failure(askAnthropic(target), Anthropic.BadRequestError);
    assert.match(anthropic.message, words);
    assert.equal(anthropic.type, "invalid_request_error");
  });
}

// Credentials and nodes rest after these, so each has a world of its own.
for (const target of TARGETS) {
  test(`a vendor that refuses our credential is no 401 for the client → ${target}`, async (t) => {
    const own = await startWorld(t);
    own.simulators[target].setFault("status:401");
    const error = await failure(askOpenai(target, own.openai), OpenAI.APIError);
    assert.ok((error.status ?? 0) >= 500, `status ${String(error.status)}`);
    assert.doesNotMatch(error.message, /sk-openai|sk-anthropic|127\.0\.0\.1/);
  });

  test(`429 with retry-after → ${target}`, async (t) => {
    const own = await startWorld(t);
    own.simulators[target].setFault("status:429,retry-after=7");
    const openai = await failure(askOpenai(target, own.openai), OpenAI.RateLimitError);
    const seconds = Number(openai.headers?.get("retry-after"));
    assert.ok(seconds >= 6 && seconds <= 7, `retry-after ${openai.headers?.get("retry-after")}`);
    // The credential rests for these seconds: the next call must not reach the vendor, and says when to come back.
    const anthropic = await failure(askAnthropic(target, own.anthropic), Anthropic.APIError);
    assert.ok(anthropic.status === 429 || anthropic.status === 503, `status ${String(anthropic.status)}`);
    assert.ok(Number(new Headers(anthropic.headers).get("retry-after")) >= 5);
    assert.equal(own.simulators[target].stats().hits, 1);
  });

  test(`500 and overload → ${target}`, async (t) => {
    const own = await startWorld(t);
    own.simulators[target].setFault("status:500,times=1", "status:529,times=1");
    const openai = await failure(askOpenai(target, own.openai), OpenAI.InternalServerError);
    assert.equal(openai.status, 500);
    const anthropic = await failure(askAnthropic(target, own.anthropic), Anthropic.APIError);
    assert.ok((anthropic.status ?? 0) >= 503, `status ${String(anthropic.status)}`);
  });
}

test("keys: missing, wrong, right", async () => {
  const openai = new OpenAI({ baseURL: `${world.gateway.url}/v1`, apiKey: "sk-wrong", maxRetries: 0 });
  const wrong = await failure(askOpenai("openai", openai), OpenAI.AuthenticationError);
  assert.equal(wrong.code, "invalid_api_key");
  const anthropic = new Anthropic({ baseURL: world.gateway.url, apiKey: "sk-wrong", maxRetries: 0 });
  const alsoWrong = await failure(askAnthropic("anthropic", anthropic), Anthropic.AuthenticationError);
  assert.equal(alsoWrong.type, "authentication_error");
  const bearer = new Anthropic({ baseURL: world.gateway.url, apiKey: null, authToken: world.key, maxRetries: 0 });
  await askAnthropic("anthropic", bearer);
  assert.equal(world.simulators.openai.stats().hits, 0);
});

test("an unknown model is a 404 in both dialects", async () => {
  const openai = await failure(
    world.openai.chat.completions.create({ model: "nothing", messages: MESSAGES }),
    OpenAI.NotFoundError,
  );
  assert.equal(openai.code, "model_not_found");
  const params = { model: "nothing", max_tokens: 1, messages: MESSAGES };
  const anthropic = await failure(world.anthropic.messages.create(params), Anthropic.NotFoundError);
  assert.equal(anthropic.type, "not_found_error");
});

for (const target of TARGETS) {
  test(`a stream that breaks ends in an error of the client's dialect, never cleanly → ${target} (1)`, async (t) => {
    const own = await startWorld(t);
    const breaks = ["reset-body:3", "close-body:3", "error-event:3", "no-finish:3", "truncated-event:3"];
    for (const fault of breaks) {
      // A success before each break, so that the node is not put to rest by so many of them.
      own.simulators[target].setFault();
      await askOpenai(target, own.openai);
      own.simulators[target].setFault(fault);
      let text = "";
      const openai = own.openai.chat.completions.create({
        model: MODELS[target],
        stream: true,
        messages: [{ role: "user", content: "one two three four five six" }],
      });
      const readOpenai = async (): Promise<void> => {
        for await (const chunk of await openai) text += chunk.choices[0]?.delta.content ?? "";
      };
      await failure(readOpenai(), OpenAI.APIError).catch((error: unknown) => {
        throw new Error(`openai client, ${fault}: ${String(error)}`, { cause: error });
      });
      assert.equal(text, "one two thre", fault);
      let seen = "";
      const stream = own.anthropic.messages.stream({
        model: MODELS[target],
        max_tokens: 100,
        messages: [{ role: "user", content: "one two three four five six" }],
      });
      stream.on("text", (delta) => {
        seen += delta;
      });
      await failure(stream.finalMessage(), Anthropic.APIError).catch((error: unknown) => {
        throw new Error(`anthropic client, ${fault}: ${String(error)}`, { cause: error });
      });
      assert.equal(seen, "one two thre", fault);
    }
  });
}
