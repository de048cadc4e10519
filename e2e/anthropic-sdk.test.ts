/** The official Anthropic SDK against the gateway, with a vendor of either dialect behind it. */
import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";
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

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const TOOLS: Anthropic.Tool[] = [
  {
    name: "get_weather",
    description: "Weather of a city",
    input_schema: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" } },
      required: ["city", "days"],
    },
  },
  { name: "get_time", input_schema: { type: "object", properties: { zone: { type: "string" } }, required: ["zone"] } },
];

interface Ask {
  readonly model: string;
  readonly max_tokens: number;
  readonly messages: Anthropic.MessageParam[];
}

function ask(target: TargetName, content: Anthropic.MessageParam["content"]): Ask {
  return { model: MODELS[target], max_tokens: 4096, messages: [{ role: "user", content }] };
}

function textOf(message: Anthropic.Message): string {
  return message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
}

function calls(message: Anthropic.Message): unknown[] {
  return message.content.filter((block) => block.type === "tool_use").map((block) => [block.name, block.input]);
}

for (const target of TARGETS) {
  test(`message → ${target}`, async () => {
    const { data, response } = await world.anthropic.messages
      .create({ ...ask(target, "Hello, 世界 😀"), system: "Be brief." })
      .withResponse();
    assert.deepEqual([data.type, data.role, data.stop_reason], ["message", "assistant", "end_turn"]);
    assert.equal(textOf(data), "Hello, 世界 😀");
    assert.ok(data.usage.input_tokens > 5 && data.usage.output_tokens > 2);
    assert.ok(response.headers.get("request-id") ?? response.headers.get("x-request-id"));
    assert.equal(response.headers.get("set-cookie"), null, "a vendor's cookie is not for the client");
  });

  test(`stream → ${target}`, async () => {
    const whole = await world.anthropic.messages.create(ask(target, "one two three four five"));
    const stream = world.anthropic.messages.stream(ask(target, "one two three four five"));
    const order: string[] = [];
    stream.on("streamEvent", (event) => {
      if (order.at(-1) !== event.type) order.push(event.type);
    });
    const streamed = await stream.finalMessage();
    assert.equal(textOf(streamed), "one two three four five");
    assert.deepEqual(order, [
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    assert.equal(streamed.stop_reason, "end_turn");
    assert.equal(streamed.usage.output_tokens, whole.usage.output_tokens);
    assert.equal(streamed.usage.input_tokens, whole.usage.input_tokens);
  });

  for (const order of ["", "&interleave=1"]) {
    if (order !== "" && target !== "openai") continue;
    test(`parallel tool calls, streamed = whole${order} → ${target} (17)`, async () => {
      const request = { ...ask(target, `/simulate calls=3${order}\nget_weather and get_time`), tools: TOOLS };
      const whole = await world.anthropic.messages.create(request);
      const streamed = await world.anthropic.messages.stream(request).finalMessage();
      assert.equal(calls(whole).length, 3);
      assert.deepEqual(calls(streamed), calls(whole));
      assert.match(JSON.stringify(calls(whole)), /漢😀/);
      assert.deepEqual([whole.stop_reason, streamed.stop_reason], ["tool_use", "tool_use"]);
    });
  }

  test(`a whole tool conversation → ${target}`, async () => {
    const request = { ...ask(target, "get_weather and get_time"), tools: TOOLS };
    const first = await world.anthropic.messages.create(request);
    const results = first.content
      .filter((block) => block.type === "tool_use")
      .map((block): Anthropic.ToolResultBlockParam => ({
        type: "tool_result",
        tool_use_id: block.id,
        content: [{ type: "text", text: `of ${block.name}` }],
      }));
    const second = await world.anthropic.messages.create({
      ...request,
      messages: [
        ...request.messages,
        { role: "assistant", content: first.content as Anthropic.ContentBlockParam[] },
        { role: "user", content: results },
      ],
    });
    assert.equal(textOf(second), "tool results: of get_weather; of get_time");
  });

  test(`tool_choice → ${target}`, async () => {
    const create = async (choice: Anthropic.ToolChoice, content = "anything"): Promise<unknown[]> =>
      calls(await world.anthropic.messages.create({ ...ask(target, content), tools: TOOLS, tool_choice: choice }));
    assert.equal((await create({ type: "auto" })).length, 0);
    assert.match(JSON.stringify(await create({ type: "any" })), /^\[\["get_weather"/);
    assert.match(JSON.stringify(await create({ type: "tool", name: "get_time" })), /^\[\["get_time"/);
    assert.equal((await create({ type: "auto", disable_parallel_tool_use: true }, "get_weather get_time")).length, 1);
    assert.equal((await create({ type: "none" }, "get_weather")).length, 0);
  });

  test(`structured output → ${target}`, async () => {
    const schema = z.object({ title: z.string(), tags: z.array(z.string()), inner: z.object({ yes: z.boolean() }) });
    const message = await world.anthropic.messages.parse({
      ...ask(target, "make"),
      output_config: { format: zodOutputFormat(schema) },
    });
    assert.deepEqual(message.parsed_output, {
      title: "title: make",
      tags: ["tags: make 1", "tags: make 2"],
      inner: { yes: true },
    });
  });

  test(`images → ${target}`, async () => {
    const message = await world.anthropic.messages.create(
      ask(target, [
        { type: "text", text: "What is this?" },
        { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } },
        { type: "image", source: { type: "url", url: "https://example.com/cat.png" } },
      ]),
    );
    assert.equal(textOf(message), "What is this? [2 images]");
    const body = world.simulators[target].requests().at(-1)?.body.toString() ?? "";
    assert.ok(body.includes(PIXEL), "the image's bytes reach the vendor as they are");
  });

  test(`stop sequences, limits and their stop reasons → ${target}`, async () => {
    const stopped = await world.anthropic.messages.create({
      ...ask(target, "alpha STOP beta"),
      stop_sequences: ["STOP"],
    });
    assert.equal(textOf(stopped), "alpha ");
    if (target === "anthropic")
      assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ["stop_sequence", "STOP"]);
    const short = await world.anthropic.messages.create({ ...ask(target, "a long story"), max_tokens: 2 });
    assert.deepEqual([textOf(short), short.stop_reason], ["a long s", "max_tokens"]);
  });

  test(`cached tokens → ${target} (15)`, async () => {
    const system: Anthropic.TextBlockParam[] = [
      { type: "text", text: "context ".repeat(200), cache_control: { type: "ephemeral" } },
    ];
    const request = { ...ask(target, "question"), system };
    const first = await world.anthropic.messages.create(request);
    const second = await world.anthropic.messages.create(request);
    const streamed = await world.anthropic.messages.stream(request).finalMessage();
    for (const usage of [second.usage, streamed.usage]) {
      assert.ok((usage.cache_read_input_tokens ?? 0) >= 300, JSON.stringify(usage));
    }
    const total = (usage: Anthropic.Usage): number =>
      usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
    assert.equal(total(second.usage), total(first.usage));
  });

  test(`count_tokens → ${target}`, async () => {
    const { max_tokens: _unused, ...request } = ask(target, "count these tokens, please");
    const short = await world.anthropic.messages.countTokens({ ...request, system: "Be brief." });
    const long = await world.anthropic.messages.countTokens({ ...request, system: "Be brief. ".repeat(100) });
    assert.ok(short.input_tokens > 0 && long.input_tokens > short.input_tokens + 100);
  });
}

test("thinking → anthropic goes back byte for byte, whole and streamed (16)", async () => {
  const request = {
    ...ask("anthropic", "get_time"),
    tools: TOOLS,
    thinking: { type: "enabled" as const, budget_tokens: 1024 },
  };
  for (const first of [
    await world.anthropic.messages.create(request),
    await world.anthropic.messages.stream(request).finalMessage(),
  ]) {
    assert.deepEqual(
      first.content.map((block) => block.type),
      ["thinking", "tool_use"],
    );
    const call = first.content.find((block) => block.type === "tool_use");
    const second = await world.anthropic.messages.create({
      ...request,
      messages: [
        ...request.messages,
        { role: "assistant", content: first.content as Anthropic.ContentBlockParam[] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: call?.id ?? "", content: "noon" }] },
      ],
    });
    assert.equal(textOf(second), "tool results: noon");
  }
});

test("thinking → openai becomes thinking, and may go back", async () => {
  const request = { ...ask("openai", "why"), thinking: { type: "enabled" as const, budget_tokens: 2048 } };
  const whole = await world.anthropic.messages.create(request);
  const streamed = await world.anthropic.messages.stream(request).finalMessage();
  for (const message of [whole, streamed]) {
    const [thinking, text] = message.content;
    assert.equal(thinking?.type === "thinking" && thinking.thinking, "Let me think about: why");
    assert.equal(text?.type === "text" && text.text, "why");
  }
  const next = await world.anthropic.messages.create({
    ...request,
    messages: [
      ...request.messages,
      { role: "assistant", content: whole.content as Anthropic.ContentBlockParam[] },
      { role: "user", content: "so?" },
    ],
  });
  assert.equal(textOf(next), "so?");
});

test("cache markers reach the vendor at the same places (15)", async () => {
  const marker = { type: "ephemeral" as const };
  await world.anthropic.messages.create({
    ...ask("anthropic", [{ type: "text", text: "q", cache_control: { ...marker, ttl: "1h" } }]),
    system: [{ type: "text", text: "s", cache_control: marker }],
    tools: TOOLS.map((tool) => ({ ...tool, cache_control: marker })),
  });
  const body = world.simulators.anthropic.requests()[0]?.body.toString() ?? "";
  assert.equal(body.split('"cache_control"').length - 1, 4);
});

test("what the target's dialect cannot say is refused by name (18)", async () => {
  await assert.rejects(
    world.anthropic.messages.create({ ...ask("openai", "x"), container: "container_1" } as Ask),
    (error) => {
      assert.ok(error instanceof Anthropic.BadRequestError);
      assert.match(error.message, /container/);
      return true;
    },
  );
  assert.equal(world.simulators.openai.stats().hits, 0);
});

test("models list and retrieve show user models", async () => {
  const list = await world.anthropic.models.list();
  assert.deepEqual(list.data.map((model) => model.id).toSorted(), Object.values(MODELS).toSorted());
  assert.equal((await world.anthropic.models.retrieve(MODELS.openai)).id, MODELS.openai);
  await assert.rejects(world.anthropic.models.retrieve("nothing"), Anthropic.NotFoundError);
});

test("the vendor gets its own credential and the client's version and beta", async () => {
  await world.anthropic.messages.create(ask("anthropic", "x"), {
    headers: { "anthropic-beta": "some-beta-2026-01-01", "anthropic-version": "2023-01-01" },
  });
  const header = (name: string): string | undefined =>
    world.simulators.anthropic.requests()[0]?.rawHeaders.find(([key]) => key.toLowerCase() === name)?.[1];
  assert.equal(header("x-api-key"), "sk-anthropic");
  assert.equal(header("authorization"), undefined);
  assert.equal(header("anthropic-version"), "2023-01-01");
  assert.equal(header("anthropic-beta"), "some-beta-2026-01-01");
});

test("one request id a name: the vendor's where it is Anthropic's, else the gateway's", async () => {
  const own = { headers: { "x-request-id": "of-the-client" } };
  const { response, request_id: passed } = await world.anthropic.messages
    .create(ask("anthropic", "x"), own)
    .withResponse();
  assert.match(passed ?? "", /^req_0+[0-9a-z]+$/);
  assert.equal(response.headers.get("x-request-id"), "of-the-client");
  const { request_id: converted } = await world.anthropic.messages.create(ask("openai", "x"), own).withResponse();
  assert.equal(converted, "of-the-client");
});
