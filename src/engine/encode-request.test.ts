import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DIALECTS } from "../dialects/builtin.ts";
import type { Operation } from "../dialects/contract.ts";
import type { DialectName } from "../dialects/form.ts";
import { readBody } from "../lib/json-body.ts";
import type { JsonObject } from "../lib/json.ts";
import { encodeAttempt, type RequestEncoding } from "./encode-request.ts";
import type { CompiledModel, ComposedModelFilters, Endpoint } from "./engine.ts";
import type { ModelCall } from "./model-call.ts";

interface Case {
  readonly body: string;
  readonly client?: DialectName;
  readonly target?: DialectName;
  readonly operation?: Operation;
  readonly stream?: boolean;
  /** Model of the target, and the user model's name as configured. */
  readonly upstreamModel?: string;
  readonly userModel?: string;
  readonly filters?: Partial<ComposedModelFilters>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly fixedHeaders?: readonly string[];
  readonly dropUnsupported?: boolean;
}

interface Encoded extends RequestEncoding {
  readonly text: string;
  readonly path: string;
  readonly fixed: readonly string[];
  readonly headers: readonly string[];
}

function encode(options: Case): Encoded {
  const { client = "openai", target = client, operation = "chat", upstreamModel = "up", userModel = "mine" } = options;
  const scan = readBody(Buffer.from(options.body), ["model", "stream", "stream_options"]);
  const asked = scan.get("model") as string;
  const call = {
    exchange: {
      dialect: DIALECTS[client],
      requestId: "req_1",
      headers: options.headers ?? {},
      route: { config: { dropUnsupported: options.dropUnsupported ?? false } },
    },
    operation,
    scan,
    asked,
    answerKind: options.stream === true ? "stream" : "whole",
    serving: { model: { name: userModel } as CompiledModel, name: asked },
  } as unknown as ModelCall;
  const endpoint = {
    target: { config: { model: upstreamModel }, dialect: DIALECTS[target], filters: options.filters ?? {} },
    basePath: "/base",
    headers: options.fixedHeaders ?? ["authorization", "Bearer x"],
  } as unknown as Endpoint;
  const { request, encoded } = encodeAttempt(call, endpoint);
  const { body, path, fixedHeaders, headers } = request;
  return { ...encoded, text: body!.toString(), path, fixed: fixedHeaders, headers };
}

describe("between sides of one dialect", () => {
  test("the model's name is replaced and every other byte stays", () => {
    const strange =
      ' {\t"messages" : [ {"role":"user","content":"\\u00fc 1.0e5 model"} ],\n"model"  :  "mine" , "n":1.00, "seed":9007199254740993}\n';
    assert.equal(encode({ body: strange }).text, strange.replace('"mine"', '"up"'));
  });

  test("where the name is the same nothing is written anew", () => {
    const body = '{"model":"up","messages":[]}';
    assert.equal(encode({ body }).text, body);
  });

  test("a name that JSON must escape is escaped, and a member `model` deeper down is not the one", () => {
    const body = '{"metadata":{"model":"mine"},"model":"mine"}';
    assert.equal(encode({ body, upstreamModel: 'a"b\\c' }).text, '{"metadata":{"model":"mine"},"model":"a\\"b\\\\c"}');
  });

  test("a key written with escapes is the same key", () => {
    assert.deepEqual(JSON.parse(encode({ body: '{"mod\\u0065l":"mine"}' }).text), { model: "up" });
  });

  test("`*` is what the client wrote there", () => {
    const body = '{"model":"vendor/$&/x"}';
    assert.equal(encode({ body, userModel: "vendor/*", upstreamModel: "*" }).text, '{"model":"$&/x"}');
    assert.equal(encode({ body, userModel: "vendor/*", upstreamModel: "a-*-b" }).text, '{"model":"a-$&/x-b"}');
  });

  const STREAM_OPTIONS: readonly [given: string, sent: unknown, injected: boolean, includeUsage: boolean][] = [
    ["", { include_usage: true }, true, false],
    [',"stream_options":null', { include_usage: true }, true, false],
    [',"stream_options":{}', { include_usage: true }, true, false],
    [',"stream_options":{"include_usage":false}', { include_usage: true }, true, false],
    [',"stream_options":{"include_usage":true}', { include_usage: true }, false, true],
    [
      ',"stream_options":{"include_obfuscation":false}',
      { include_obfuscation: false, include_usage: true },
      true,
      false,
    ],
    // the client's mistake, for the vendor to name
    [',"stream_options":"all"', "all", false, false],
    [',"stream_options":[1]', [1], false, false],
  ];
  for (const [given, sent, usageInjected, includeUsage] of STREAM_OPTIONS) {
    test(`usage of a stream is asked for: ${given === "" ? "nothing said" : given.slice(1)}`, () => {
      const encoded = encode({ body: `{"model":"mine","stream":true${given}}`, stream: true });
      assert.deepEqual(JSON.parse(encoded.text), { model: "up", stream: true, stream_options: sent });
      assert.deepEqual([encoded.usageInjected, encoded.includeUsage], [usageInjected, includeUsage]);
    });
  }

  test("where there is no stream, or another dialect, no usage is asked for", () => {
    assert.equal(encode({ body: '{"model":"mine"}' }).text, '{"model":"up"}');
    const body = '{"model":"mine","stream":true}';
    assert.equal(encode({ body, client: "anthropic", stream: true }).text, '{"model":"up","stream":true}');
  });

  test("a filter of the wire form gets what would be sent", () => {
    const seen: unknown[] = [];
    const wireRequest = (body: JsonObject, operation: Operation): void => {
      seen.push(structuredClone(body), operation);
      body["temperature"] = 0;
    };
    const encoded = encode({ body: '{"model":"mine","stream":true}', stream: true, filters: { wireRequest } });
    const sent = { model: "up", stream: true, stream_options: { include_usage: true } };
    assert.deepEqual(seen, [sent, "chat"]);
    assert.deepEqual(JSON.parse(encoded.text), { ...sent, temperature: 0 });
  });

  test("a filter of the internal form changes chats, and leaves what has no such form alone", () => {
    const filters: Partial<ComposedModelFilters> = {
      request: (form) => {
        form.stop = ["END"];
      },
    };
    const chat = encode({ body: '{"model":"mine","messages":[{"role":"user","content":"x"}]}', filters });
    assert.deepEqual((JSON.parse(chat.text) as JsonObject)["stop"], ["END"]);
    const body = '{"model":"mine","input":"x"}';
    assert.equal(encode({ body, operation: "embeddings", filters }).text, '{"model":"up","input":"x"}');
  });
});

describe("between dialects", () => {
  const CHAT = { model: "mine", messages: [{ role: "user", content: "x" }], max_tokens: 5 };

  test("a chat goes through the internal form, with the target's path and model", () => {
    const encoded = encode({ body: JSON.stringify(CHAT), client: "openai", target: "anthropic" });
    assert.equal(encoded.path, "/base/messages");
    const sent = JSON.parse(encoded.text) as JsonObject;
    assert.deepEqual([sent["model"], sent["max_tokens"]], ["up", 5]);
    assert.equal(encoded.sameDialect, false);
  });

  test("what only one dialect has is refused", () => {
    for (const [client, target, operation] of [
      ["openai", "anthropic", "embeddings"],
      ["openai", "anthropic", "completions"],
      ["anthropic", "openai", "count_tokens"],
    ] as const) {
      assert.throws(() => encode({ body: '{"model":"mine"}', client, target, operation }), {
        code: "unsupported_operation",
      });
    }
  });

  test("a field that cannot be mapped is refused by name, or dropped and named where the route allows it", () => {
    const body = JSON.stringify({ ...CHAT, logit_bias: { "1": 1 } });
    assert.throws(() => encode({ body, client: "openai", target: "anthropic" }), {
      code: "unsupported_field",
      param: "logit_bias",
    });
    const encoded = encode({ body, client: "openai", target: "anthropic", dropUnsupported: true });
    assert.deepEqual(encoded.dropped, ["logit_bias"]);
  });
});

describe("headers", () => {
  const body = '{"model":"mine"}';
  const headers = {
    traceparent: "00-1",
    authorization: "Bearer client",
    "x-api-key": "client",
    cookie: "a=b",
    "anthropic-version": "2099-01-01",
    "anthropic-beta": "one",
    "openai-organization": "theirs",
    host: "x",
    connection: "x-secret",
  };

  test("of the client's go only those of the protocol that both sides speak, and the trace", () => {
    assert.deepEqual(encode({ body, headers }).headers, ["x-request-id", "req_1", "traceparent", "00-1"]);
    const anthropic = encode({ body, headers, client: "anthropic", stream: true });
    assert.deepEqual(
      new Set(anthropic.headers.filter((_, index) => index % 2 === 0)),
      new Set(["x-request-id", "traceparent", "accept", "anthropic-version", "anthropic-beta"]),
    );
  });

  test("what the client's header takes the place of is not sent twice", () => {
    const fixedHeaders = ["x-api-key", "ours", "anthropic-version", "2023-06-01", "user-agent", "sluice"];
    const encoded = encode({ body, headers, client: "anthropic", fixedHeaders });
    assert.deepEqual(encoded.fixed, ["x-api-key", "ours", "user-agent", "sluice"]);
    assert.equal(encode({ body, client: "anthropic", fixedHeaders }).fixed, fixedHeaders, "made once for all requests");
  });
});
