/** The official OpenAI SDK against the gateway, with a vendor of either dialect behind it. */
import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
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
const TOOLS: OpenAI.ChatCompletionFunctionTool[] = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "Weather of a city",
      parameters: {
        type: "object",
        properties: { city: { type: "string" }, days: { type: "integer" } },
        required: ["city", "days"],
      },
    },
  },
  {
    type: "function",
    function: {
      name: "get_time",
      parameters: { type: "object", properties: { zone: { type: "string" } }, required: ["zone"] },
    },
  },
];

interface Ask {
  readonly model: string;
  readonly messages: OpenAI.ChatCompletionMessageParam[];
}

function ask(target: TargetName, content: string): Ask {
  return { model: MODELS[target], messages: [{ role: "user", content }] };
}

function functionCalls(answer: OpenAI.ChatCompletion): (readonly [name: string, text: string])[] {
  const calls = answer.choices[0]?.message.tool_calls ?? [];
  return calls
    .filter((call) => call.type === "function")
    .map((call) => [call.function.name, call.function.arguments] as const);
}

/** Arguments as values: Anthropic carries objects, not text, so white space may differ. */
function parsedCalls(answer: OpenAI.ChatCompletion): unknown[] {
  return functionCalls(answer).map(([name, text]): unknown[] => [name, JSON.parse(text)]);
}

for (const target of TARGETS) {
  test(`chat → ${target}`, async () => {
    const { data, response } = await world.openai.chat.completions
      .create({
        model: MODELS[target],
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Hello, 世界 😀" },
        ],
      })
      .withResponse();
    assert.equal(data.object, "chat.completion");
    assert.equal(data.choices[0]?.message.role, "assistant");
    assert.equal(data.choices[0]?.message.content, "Hello, 世界 😀");
    assert.equal(data.choices[0]?.finish_reason, "stop");
    assert.ok((data.usage?.prompt_tokens ?? 0) > 5);
    assert.ok((data.usage?.completion_tokens ?? 0) > 2);
    assert.equal(data.usage?.total_tokens, (data.usage?.prompt_tokens ?? 0) + (data.usage?.completion_tokens ?? 0));
    assert.ok(response.headers.get("x-request-id"));
    assert.equal(response.headers.get("set-cookie"), null, "a vendor's cookie is not for the client");
  });

  test(`stream → ${target}`, async () => {
    const stream = await world.openai.chat.completions.create({
      ...ask(target, "one two three four five"),
      stream: true,
    });
    let text = "";
    let chunks = 0;
    let finish: string | null = null;
    for await (const chunk of stream) {
      chunks += 1;
      assert.equal(chunk.usage ?? null, null, "usage was not asked for");
      assert.equal(chunk.choices.length, 1, "no chunk without choices, since usage was not asked for");
      text += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    assert.deepEqual([text, finish], ["one two three four five", "stop"]);
    assert.ok(chunks > 5);
    const [entry] = await world.gateway.waitForEntries(1).then((entries) => entries.slice(-1));
    assert.ok(entry);
  });

  test(`stream with usage → ${target}`, async () => {
    const whole = await world.openai.chat.completions.create(ask(target, "count me"));
    const streamed = await world.openai.chat.completions
      .stream({ ...ask(target, "count me"), stream_options: { include_usage: true } })
      .finalChatCompletion();
    assert.equal(streamed.usage?.prompt_tokens, whole.usage?.prompt_tokens);
    assert.equal(streamed.usage?.completion_tokens, whole.usage?.completion_tokens);
  });

  for (const order of ["", "&interleave=1"]) {
    if (order !== "" && target !== "openai") continue;
    test(`parallel tool calls, streamed = whole${order} → ${target} (17)`, async () => {
      const request = { ...ask(target, `/simulate calls=3${order}\nget_weather and get_time`), tools: TOOLS };
      const whole = await world.openai.chat.completions.create(request);
      const streamed = await world.openai.chat.completions.stream(request).finalChatCompletion();
      assert.deepEqual(parsedCalls(streamed), parsedCalls(whole));
      assert.deepEqual(parsedCalls(whole).length, 3);
      assert.match(functionCalls(whole)[0]?.[1] ?? "", /漢😀/);
      assert.equal(whole.choices[0]?.finish_reason, "tool_calls");
      assert.equal(streamed.choices[0]?.finish_reason, "tool_calls");
      const ids = new Set(whole.choices[0]?.message.tool_calls?.map((call) => call.id));
      assert.equal(ids.size, 3);
    });
  }

  test(`a whole tool conversation → ${target}`, async () => {
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "get_weather and get_time" }];
    const first = await world.openai.chat.completions.create({ model: MODELS[target], messages, tools: TOOLS });
    const message = first.choices[0]?.message;
    assert.ok(message);
    messages.push(message);
    for (const call of message.tool_calls ?? [])
      messages.push({ role: "tool", tool_call_id: call.id, content: `result ${call.id.length > 0}` });
    const second = await world.openai.chat.completions.create({ model: MODELS[target], messages, tools: TOOLS });
    assert.equal(second.choices[0]?.message.content, "tool results: result true; result true");
  });

  test(`tool_choice and parallel_tool_calls → ${target}`, async () => {
    const request = ask(target, "anything");
    const create = async (
      more: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming>,
    ): Promise<OpenAI.ChatCompletion> => world.openai.chat.completions.create({ ...request, tools: TOOLS, ...more });
    assert.deepEqual(functionCalls(await create({})).length, 0);
    assert.equal(functionCalls(await create({ tool_choice: "required" }))[0]?.[0], "get_weather");
    const named = await create({ tool_choice: { type: "function", function: { name: "get_time" } } });
    assert.equal(functionCalls(named)[0]?.[0], "get_time");
    const both = ask(target, "get_weather get_time").messages;
    assert.equal(functionCalls(await create({ messages: both, parallel_tool_calls: false })).length, 1);
    assert.equal(functionCalls(await create({ messages: both, tool_choice: "none" })).length, 0);
  });

  test(`structured output → ${target}`, async () => {
    const schema = z.object({
      title: z.string(),
      tags: z.array(z.string()),
      score: z.number(),
      inner: z.object({ yes: z.boolean() }),
    });
    const answer = await world.openai.chat.completions.parse({
      ...ask(target, "make"),
      response_format: zodResponseFormat(schema, "thing"),
    });
    assert.deepEqual(answer.choices[0]?.message.parsed, {
      title: "title: make",
      tags: ["tags: make 1", "tags: make 2"],
      score: 0.5,
      inner: { yes: true },
    });
  });

  test(`images → ${target}`, async () => {
    const content: OpenAI.ChatCompletionContentPart[] = [
      { type: "text", text: "What is this?" },
      { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } },
      { type: "image_url", image_url: { url: "https://example.com/cat.png" } },
    ];
    const answer = await world.openai.chat.completions.create({
      model: MODELS[target],
      messages: [{ role: "user", content }],
    });
    assert.equal(answer.choices[0]?.message.content, "What is this? [2 images]");
    const body = world.simulators[target].requests().at(-1)?.body.toString() ?? "";
    assert.ok(body.includes(PIXEL), "the image's bytes reach the vendor as they are");
  });

  test(`stop sequences, limits and their finish reasons → ${target}`, async () => {
    const stopped = await world.openai.chat.completions.create({ ...ask(target, "alpha STOP beta"), stop: "STOP" });
    assert.deepEqual([stopped.choices[0]?.message.content, stopped.choices[0]?.finish_reason], ["alpha ", "stop"]);
    const short = await world.openai.chat.completions.create({
      ...ask(target, "a long story"),
      max_completion_tokens: 2,
    });
    assert.deepEqual([short.choices[0]?.message.content, short.choices[0]?.finish_reason], ["a long s", "length"]);
  });

  test(`cached tokens → ${target}`, async () => {
    const part: Record<string, unknown> = { type: "text", text: "context ".repeat(200) };
    if (target === "anthropic") part["cache_control"] = { type: "ephemeral" };
    const messages = [
      { role: "system", content: [part] },
      { role: "user", content: "question" },
    ] as unknown as OpenAI.ChatCompletionMessageParam[];
    const request = { model: MODELS[target], messages };
    await world.openai.chat.completions.create(request);
    const again = await world.openai.chat.completions.create(request);
    const cached = again.usage?.prompt_tokens_details?.cached_tokens ?? 0;
    assert.ok(cached >= 300, `${cached} cached tokens`);
    assert.ok(cached <= (again.usage?.prompt_tokens ?? 0), "cached tokens are part of the prompt's");
    const [entry] = (await world.gateway.waitForEntries(1)).slice(-1);
    assert.ok(entry);
  });

  test(`a refusal → ${target}`, async () => {
    const answer = await world.openai.chat.completions.create(ask(target, "/simulate finish=content_filter\nno"));
    assert.equal(answer.choices[0]?.finish_reason, "content_filter");
  });
}

test("reasoning → anthropic, whole and streamed, and back with its signature (16)", async () => {
  for (const target of ["anthropic", "anthropicAdaptive"] as const) {
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "get_time please" }];
    const request = {
      model: MODELS[target],
      messages,
      tools: TOOLS,
      reasoning_effort: "low" as const,
      max_completion_tokens: 8000,
    };
    const first = await world.openai.chat.completions.create(request);
    const message = first.choices[0]?.message;
    assert.ok(message);
    const thoughts = (message as unknown as { reasoning_content?: string }).reasoning_content;
    assert.equal(thoughts, "Let me think about: get_time please");
    assert.ok((first.usage?.completion_tokens_details?.reasoning_tokens ?? 0) > 0);
    let streamed = "";
    for await (const chunk of await world.openai.chat.completions.create({ ...request, stream: true })) {
      streamed += (chunk.choices[0]?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? "";
    }
    assert.equal(streamed, thoughts);
    // The message goes back as it came. The vendor mock refuses a tool turn whose thinking is missing or changed.
    messages.push(message);
    for (const call of message.tool_calls ?? [])
      messages.push({ role: "tool", tool_call_id: call.id, content: "noon" });
    const second = await world.openai.chat.completions.create(request);
    assert.equal(second.choices[0]?.message.content, "tool results: noon");
  }
});

test("reasoning → openai", async () => {
  const answer = await world.openai.chat.completions.create({ ...ask("openai", "why"), reasoning_effort: "high" });
  const message = answer.choices[0]?.message as { reasoning_content?: string; content?: string | null } | undefined;
  assert.equal(message?.reasoning_content, "Let me think about: why");
  assert.equal(message?.content, "why");
});

test("several candidates → openai; refused by name → anthropic (18)", async () => {
  const two = await world.openai.chat.completions.create({ ...ask("openai", "hi"), n: 2 });
  assert.deepEqual(
    two.choices.map((choice) => choice.message.content),
    ["hi", "hi (candidate 2)"],
  );
  await assert.rejects(world.openai.chat.completions.create({ ...ask("anthropic", "hi"), n: 2 }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "n");
    return true;
  });
  assert.equal(world.simulators.anthropic.stats().hits, 0);
});

test("completions, whole and streamed", async () => {
  const request = { model: MODELS.openai, prompt: "say this", max_tokens: 20 };
  assert.equal((await world.openai.completions.create(request)).choices[0]?.text, "say this");
  let text = "";
  for await (const chunk of await world.openai.completions.create({ ...request, stream: true }))
    text += chunk.choices[0]?.text ?? "";
  assert.equal(text, "say this");
});

test("embeddings in numbers and in base64", async () => {
  const request = { model: MODELS.openai, input: ["one", "two"], dimensions: 32 };
  const numbers = await world.openai.embeddings.create({ ...request, encoding_format: "float" });
  // The SDK asks for base64 by itself and decodes it.
  const decoded = await world.openai.embeddings.create(request);
  assert.equal(numbers.data.length, 2);
  assert.equal(numbers.data[0]?.embedding.length, 32);
  assert.deepEqual(decoded.data, numbers.data);
  assert.ok(numbers.usage.prompt_tokens > 0);
  const bodies = world.simulators.openai.requests().map((request) => request.body.toString());
  assert.ok(bodies.some((body) => body.includes('"base64"')) && bodies.some((body) => body.includes('"float"')));
});

test("models list and retrieve show user models", async () => {
  const ids = (await world.openai.models.list()).data.map((model) => model.id);
  assert.deepEqual(ids.toSorted(), Object.values(MODELS).toSorted());
  const model = await world.openai.models.retrieve(MODELS.openai);
  assert.deepEqual([model.id, model.object], [MODELS.openai, "model"]);
  await assert.rejects(world.openai.models.retrieve("nothing"), OpenAI.NotFoundError);
});

test("same dialect: the bytes reach the vendor as they came, but for the model's name", async () => {
  const body = `{ "model" : "${MODELS.openai}",\n "messages":[{"role":"user","content":"caf\\u00e9 \\/ é"}], "temperature": 1.0 }`;
  const answer = await fetch(`${world.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${world.key}`, "content-type": "application/json" },
    body,
  });
  assert.equal(answer.status, 200);
  const [received] = world.simulators.openai.requests();
  assert.equal(received?.body.toString(), body.replace(MODELS.openai, "gpt-5.1"));
  const header = (name: string): string | undefined =>
    received?.rawHeaders.find(([key]) => key.toLowerCase() === name)?.[1];
  assert.equal(header("authorization"), "Bearer sk-openai");
  assert.ok(header("content-length"));
});
