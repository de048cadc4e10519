import assert from "node:assert/strict";
import { test } from "node:test";
import { ollamaUrl } from "./ollama-host.ts";
import { zeroConfig } from "./zero-config.ts";

const keyHash = "ab".repeat(32);

test("without any variable there is the built-in model, one consumer and every host", () => {
  const { snapshot, warnings } = zeroConfig({ environment: {}, keyHash });
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    snapshot.providers.map(({ name, kind, dialect, nodes, credentials }) => ({
      name,
      kind,
      dialect,
      nodes,
      credentials,
    })),
    [{ name: "offline", kind: "builtin", dialect: "openai", nodes: [], credentials: [] }],
  );
  assert.deepEqual(
    snapshot.models.map(({ name, targets }) => [name, targets.map(({ provider, model }) => [provider, model])]),
    [["echo", [["offline", "echo"]]]],
  );
  assert.deepEqual(snapshot.consumers, [
    { name: "default", timeZone: "UTC", grants: [{ model: "*" }], keys: [{ name: "first", hash: keyHash }] },
  ]);
  assert.deepEqual(
    snapshot.domains.map(({ host, consumers, routes }) => [
      host,
      consumers,
      routes.map(({ path, apis }) => [path, apis]),
    ]),
    [
      [
        "*",
        undefined,
        [
          ["/v1/*", ["openai", "anthropic"]],
          ["/openai/*", ["openai"]],
          ["/anthropic/*", ["anthropic"]],
        ],
      ],
    ],
  );
  // Whoever tries Sluice has not chosen to open a vendor's account to the network.
  assert.deepEqual(snapshot.server.listen, { host: "127.0.0.1", port: 8080 });
});

test("every vendor whose variable is set is offered under its name", () => {
  const { snapshot, warnings } = zeroConfig({
    environment: {
      OPENAI_API_KEY: "k-openai",
      ANTHROPIC_API_KEY: " k-anthropic\n",
      DEEPSEEK_API_KEY: "k",
      GOOGLE_API_KEY: "k",
      GROQ_API_KEY: "k",
      MISTRAL_API_KEY: "k",
      OPENROUTER_API_KEY: "k",
      TOGETHER_API_KEY: "k",
      XAI_API_KEY: "",
      OLLAMA_HOST: "gpu-box",
    },
    keyHash,
  });
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    snapshot.providers
      .slice(1)
      .map(({ name, dialect, nodes, credentials }) => [
        name,
        dialect,
        nodes.map(({ url }) => url).join(),
        credentials.map(({ apiKey }) => apiKey).join(),
      ]),
    [
      ["openai", "openai", "https://api.openai.com/v1", "k-openai"],
      ["anthropic", "anthropic", "https://api.anthropic.com/v1", "k-anthropic"],
      ["deepseek", "openai", "https://api.deepseek.com/v1", "k"],
      ["gemini", "openai", "https://generativelanguage.googleapis.com/v1beta/openai", "k"],
      ["groq", "openai", "https://api.groq.com/openai/v1", "k"],
      ["mistral", "openai", "https://api.mistral.ai/v1", "k"],
      ["openrouter", "openai", "https://openrouter.ai/api/v1", "k"],
      ["together", "openai", "https://api.together.ai/v1", "k"],
      ["ollama", "openai", "http://gpu-box:11434/v1", ""],
    ],
  );
  const openai = snapshot.models.find(({ name }) => name === "openai/*");
  assert.deepEqual(
    openai?.targets.map(({ provider, model }) => [provider, model]),
    [["openai", "*"]],
  );
});

test("base URLs of the environment are understood as the vendors' SDKs do", () => {
  const { snapshot } = zeroConfig({
    environment: {
      OPENAI_API_KEY: "k",
      OPENAI_BASE_URL: "http://localhost:1234/api/v2/",
      ANTHROPIC_API_KEY: "k",
      ANTHROPIC_BASE_URL: "https://proxy.example/anthropic",
    },
    keyHash,
  });
  assert.deepEqual(
    snapshot.providers.slice(1).map(({ nodes }) => nodes[0]?.url),
    ["http://localhost:1234/api/v2", "https://proxy.example/anthropic/v1"],
  );
});

test("unusable values are told by the variable's name only, and do not stop the rest", () => {
  const canary = "canary-42";
  const { snapshot, warnings } = zeroConfig({
    environment: {
      OPENAI_API_KEY: `${canary}\n${canary}`,
      ANTHROPIC_API_KEY: "k",
      ANTHROPIC_BASE_URL: `not a url ${canary}`,
      GROQ_API_KEY: "k",
      OLLAMA_HOST: `http://${canary} x`,
    },
    keyHash,
  });
  assert.deepEqual(
    snapshot.providers.map(({ name }) => name),
    ["offline", "groq"],
  );
  assert.deepEqual(warnings, [
    "The environment variable OPENAI_API_KEY holds no usable value, so openai is not offered.",
    "The environment variable ANTHROPIC_BASE_URL holds no usable value, so anthropic is not offered.",
    "The environment variable OLLAMA_HOST holds no usable value, so ollama is not offered.",
  ]);
});

test("OLLAMA_HOST is a host, a port, both, or a URL", () => {
  const cases: [string, string | undefined][] = [
    ["", "http://127.0.0.1:11434"],
    ["0.0.0.0", "http://127.0.0.1:11434"],
    ["0.0.0.0:1234", "http://127.0.0.1:1234"],
    [":1234", "http://127.0.0.1:1234"],
    ["gpu", "http://gpu:11434"],
    ["gpu:80", "http://gpu"],
    ["http://gpu", "http://gpu"],
    ["https://gpu/", "https://gpu"],
    ["https://gpu:8443/base/", "https://gpu:8443/base"],
    ["::1", "http://[::1]:11434"],
    ["[::]", "http://[::1]:11434"],
    ["[fe80::2]:99", "http://[fe80::2]:99"],
    [' "gpu" ', "http://gpu:11434"],
    ["http://u:p@gpu", undefined],
    ["a b", undefined],
    ["gpu:99999", undefined],
  ];
  for (const [value, expected] of cases) {
    assert.equal(ollamaUrl(value), expected, value);
  }
});
