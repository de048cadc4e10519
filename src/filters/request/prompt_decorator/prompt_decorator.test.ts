import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExactObject, JsonObject, JsonValue } from "../../../lib/json.ts";
import type { ChatView } from "../../contract.ts";
import { promptDecorator } from "./prompt_decorator.ts";

const VIEW: ChatView = {
  requestId: "req_1",
  method: "POST",
  path: "/v1/chat/completions",
  host: "x",
  headers: { "x-tenant": "blue" },
  dialect: "openai",
  asked: "index",
  model: "index",
  consumer: "search",
  key: "prod",
};
const OPTIONS = {
  prepend: [
    { role: "system", content: "You serve {{ .consumer }}." },
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello!" },
  ],
  append: [
    { role: "system", content: "Never swear." },
    { role: "user", content: "(tenant {{ index .headers `x-tenant` }})" },
  ],
  headers: ["x-tenant"],
};
const FEW_SHOT = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello!" },
];
const CONTEXT = { role: "user", content: "(tenant blue)" };
const BEFORE = { role: "system", content: "You serve search." };
const BEHIND = { role: "system", content: "Never swear." };

function run(members: ExactObject, view: Partial<ChatView> = {}, options: object = OPTIONS): ExactObject {
  const filter = promptDecorator.create(promptDecorator.schema.parse(options));
  return filter.chat!({ ...VIEW, ...view }, members);
}

/** What a second gateway, or a second filter, makes of it. */
function twice(members: JsonObject, view: Partial<ChatView> = {}): void {
  const once = { ...members, ...run(members, view) };
  assert.deepEqual({ ...once, ...run(once, view) }, once, "what is there is not put there again");
}

test("openai: instructions around instructions, examples before the conversation, context behind the user", () => {
  const own = { role: "developer", content: "Own." };
  const call = { role: "assistant", content: null, tool_calls: [{ id: "c", type: "function" }] };
  const result = { role: "tool", tool_call_id: "c", content: "7" };
  const said = { role: "user", content: [{ type: "text", text: "Count", cache_control: { type: "ephemeral" } }] };
  const cases: [messages: JsonValue[], expected: JsonValue[]][] = [
    [
      [own, said],
      [BEFORE, own, BEHIND, ...FEW_SHOT, said, CONTEXT],
    ],
    [
      [said, call, result],
      [BEFORE, BEHIND, ...FEW_SHOT, said, CONTEXT, call, result],
    ],
    [
      [said, call],
      [BEFORE, BEHIND, ...FEW_SHOT, said, CONTEXT, call],
    ],
    [[own], [BEFORE, own, BEHIND, ...FEW_SHOT, CONTEXT]],
  ];
  for (const [messages, expected] of cases) {
    const before = structuredClone(messages);
    assert.deepEqual(run({ messages })["messages"], expected);
    assert.deepEqual(messages, before, "the request itself is not changed");
  }
  for (const [messages] of cases) twice({ messages });
});

test("anthropic: instructions are blocks of `system`, markers stay where they were, results of tools come first", () => {
  const marked = { type: "text", text: "Own.", cache_control: { type: "ephemeral" } };
  const use = { role: "assistant", content: [{ type: "tool_use", id: "t", name: "n", input: {} }] };
  const results = { role: "user", content: [{ type: "tool_result", tool_use_id: "t", content: "7" }] };
  const view = { dialect: "anthropic" } as const;
  const members = { system: [marked], messages: [{ role: "user", content: "Count" }, use, results] };
  const { system, messages } = run(members, view);
  const text = (words: string): JsonObject => ({ type: "text", text: words });
  assert.deepEqual(system, [text(BEFORE.content), marked, text(BEHIND.content)]);
  assert.deepEqual(messages, [
    ...FEW_SHOT,
    { role: "user", content: [text("Count"), text(CONTEXT.content)] },
    use,
    results,
  ]);
  twice(members, view);
  const plain = run({ system: "Own.", messages: [results] }, view, { append: [{ role: "user", content: "x" }] });
  assert.deepEqual(plain, { messages: [{ role: "user", content: [...results.content, text("x")] }] });
  const bare = run({ messages: [] }, view);
  assert.deepEqual(bare["system"], [text(BEFORE.content), text(BEHIND.content)], "also where there were none");
  assert.deepEqual(bare["messages"], [...FEW_SHOT, { role: "user", content: [text(CONTEXT.content)] }]);
  twice({ messages: [] }, view);
});

test("a template that comes out empty puts nothing in, and nothing empty is made", () => {
  const options = {
    prepend: [
      { role: "system", content: '{{ if eq .consumer "search" }}{{ else }}Elsewhere.{{ end }}' },
      { role: "user", content: " \n" },
    ],
    append: [{ role: "user", content: "{{ .metadata.note }}" }],
  };
  const said = [{ role: "user", content: "Hi" }];
  const members = { messages: said, metadata: { note: "" } };
  assert.deepEqual(run(members, {}, options)["messages"], said);
  assert.deepEqual(run(members, { dialect: "anthropic" }, options), {});
  const system = { prepend: [{ role: "system", content: "Own." }] };
  assert.deepEqual(run({ system: "", messages: [{ role: "user" }] }, { dialect: "anthropic" }, system), {
    system: [{ type: "text", text: "Own." }],
  });
});

test("only the requests that it is for; what is no conversation is left for others to refuse", () => {
  const options = { ...OPTIONS, when: { models: ["index", "gpt-*"], consumers: ["search"] } };
  const members = { messages: [{ role: "user", content: "x" }] };
  const touched = (view: Partial<ChatView>): boolean => Object.keys(run(members, view, options)).length > 0;
  assert.ok(touched({}));
  assert.ok(touched({ asked: "alias" }), "by the model's own name");
  assert.ok(touched({ model: "gpt-4o", asked: "gpt-4o" }));
  assert.ok(!touched({ model: "other", asked: "other" }));
  assert.ok(!touched({ consumer: "ads" }));
  const byHeader = (headers: ChatView["headers"], ...tenants: string[]): boolean => {
    const when = { headers: { "x-tenant": tenants, "x-stage": ["*"] } };
    return Object.keys(run(members, { headers }, { ...OPTIONS, when })).length > 0;
  };
  const blue = { "x-tenant": "blue", "x-stage": "" };
  assert.ok(byHeader(blue, "red", "blue"));
  assert.ok(byHeader(blue, "bl*"));
  assert.ok(!byHeader(blue, "red"));
  assert.ok(!byHeader({ "x-tenant": "blue" }, "blue"), "all of them, and a header that is not there has no value");
  assert.ok(!byHeader({}, "*"));
  for (const messages of [undefined, null, "x", {}]) assert.deepEqual(run({ messages }), {});
  assert.doesNotThrow(() => run({ messages: [null, 7, "x", [], { role: 7 }, {}] }));
  assert.doesNotThrow(() => run({ system: 7, messages: [null, { role: "user" }] }, { dialect: "anthropic" }));
});

test("what the caller sends is data, and what a template misses is the caller's mistake", () => {
  const options = { prepend: [{ role: "system", content: "For {{ .metadata.team }}" }] };
  const members = { messages: [], metadata: { team: "{{ .key }}" } };
  assert.deepEqual(run(members, {}, options)["messages"], [{ role: "system", content: "For {{ .key }}" }]);
  assert.throws(() => run({ messages: [] }, {}, options), { code: "invalid_request", message: /team/ });
});

test("options that make no sense are refused", () => {
  for (const options of [
    {},
    { prepend: [] },
    { append: [{ role: "assistant", content: "x" }] },
    { prepend: [{ role: "system", content: "{{ if }}" }] },
    { prepend: [{ role: "system", content: "x" }], headers: ["X-Upper"] },
    { prepend: [{ role: "system", content: "x" }], when: { models: [] } },
    { prepend: [{ role: "system", content: "x" }], when: { headers: { "X-Tenant": ["x"] } } },
    { prepend: [{ role: "system", content: "x" }], when: { headers: { "x-tenant": [] } } },
    { prepend: [{ role: "system", content: "x" }], when: { routes: ["x"] } },
  ]) {
    assert.ok(!promptDecorator.schema.safeParse(options).success, JSON.stringify(options));
  }
});
