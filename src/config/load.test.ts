import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadConfig } from "./load.ts";
import { formatProblem } from "./problem.ts";
import { TEST_FILTERS, TEST_NOW, TestConfig } from "./config-helper.test.ts";

const config = new TestConfig();
const HASH = "ab".repeat(32);
const OTHER_HASH = "cd".repeat(32);

const PROVIDER = "providers: [ { name: p, dialect: openai, baseUrl: http://a/v1 } ]\n";
const MODEL = "models: [ { name: m, targets: [ { provider: p, model: x } ] } ]\n";
const CONSUMER = `consumers: [ { name: c, grants: [ { model: "*" } ], keys: [ { name: k, hash: "sha256:${HASH}" } ] } ]\n`;
const VALID = PROVIDER + MODEL + CONSUMER;

test("defaults are filled in, and nothing else", () => {
  const { snapshot, warnings, files } = config.load(VALID);
  assert.match(snapshot.version, /^[0-9a-f]{16}$/);
  assert.deepEqual(
    { ...snapshot, version: "" },
    {
      version: "",
      gateway: "main",
      server: {
        listen: { host: "0.0.0.0", port: 8080 },
        workers: 0,
        drainTimeoutMs: 600_000,
        maxBodyBytes: 20 * 2 ** 20,
        maxBufferedBytes: 0,
        maxHeaderBytes: 32 * 2 ** 10,
        headersTimeoutMs: 15_000,
        requestTimeoutMs: 120_000,
        keepAliveTimeoutMs: 75_000,
        maxConnections: 20_000,
        heartbeatMs: 15_000,
      },
      admin: { listen: { host: "127.0.0.1", port: 8081 }, tokens: [] },
      accessLog: { output: "stdout" },
      quotas: { mode: "soft", burstMs: 60_000, onAuthorityLoss: "share", timeZone: "UTC" },
      store: { kind: "sqlite", path: "data/sluice.db" },
      providers: [
        {
          name: "p",
          dialect: "openai",
          kind: "http",
          engine: "generic",
          nodes: [{ url: "http://a/v1" }],
          credentials: [],
          timeouts: { connectMs: 3_000, firstTokenMs: 120_000, idleMs: 60_000, totalMs: 600_000 },
          maxConnections: 16_384,
          headers: {},
        },
      ],
      models: [
        {
          name: "m",
          aliases: [],
          targets: [{ provider: "p", model: "x", weight: 1, priority: 0, filters: [] }],
          balance: { policy: "weighted" },
          retry: { attempts: 2, on: ["connect", "429", "5xx", "firstTokenTimeout"] },
          fallbacks: [],
        },
      ],
      consumers: [{ name: "c", timeZone: "UTC", grants: [{ model: "*" }], keys: [{ name: "k", hash: HASH }] }],
      domains: [
        {
          host: "*",
          routes: [
            {
              path: "/v1/*",
              apis: ["openai", "anthropic"],
              middlewares: [],
              exposeHeaders: false,
              dropUnsupported: false,
            },
            { path: "/openai/*", apis: ["openai"], middlewares: [], exposeHeaders: false, dropUnsupported: false },
            {
              path: "/anthropic/*",
              apis: ["anthropic"],
              middlewares: [],
              exposeHeaders: false,
              dropUnsupported: false,
            },
          ],
        },
      ],
      templates: [],
      prices: [],
    },
  );
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    files.map(({ path }) => path),
    [config.path],
  );
});

test("everything that can be written arrives", () => {
  const text = `
gateway: edge-1
server:
  { listen: "[::1]:9000", workers: "\${WORKERS}", drainTimeout: 1h30m, maxBodyBytes: 1GB, maxBufferedBytes: 4GiB,
    maxHeaderBytes: 65536, headersTimeout: 1s,
    requestTimeout: 2s, keepAliveTimeout: 3s, maxConnections: 5, heartbeat: 200ms }
admin: { listen: :9001 }
accessLog: { output: logs/access.log }
providers:
  - name: cloud
    dialect: anthropic
    baseUrl: https://api.anthropic.com/
    credentials: [ { apiKey: "\${KEY}" }, { name: spare, apiKey: b, weight: 0.5 } ]
    headers: { X-Team: red }
    maxConnections: 7
  - name: idc
    dialect: openai
    engine: vllm
    nodes: [ http://10.0.0.7:8000, "http://10.0.0.8:8000/base/" ]
    timeouts: { connect: 1s, firstToken: 2s, idle: 3s, total: 4s }
  - { name: test, dialect: openai, kind: builtin }
models:
  - name: index
    aliases: [ index-latest ]
    targets:
      - { provider: idc, model: index-72b, weight: 3, filters: [ { name: think_tags, options: { field: b } } ] }
      - { provider: cloud, model: claude, priority: 1 }
    balance: { policy: round-robin }
    retry: { attempts: 0, on: [ connect, 429 ] }
    fallbacks: [ other, cloud/opus ]
  - { name: other, targets: [ { provider: test, model: echo } ], fallbacks: [ index-latest ] }
  - { name: cloud/*, targets: [ { provider: cloud, model: "claude-*" } ] }
consumers:
  - name: search
    grants: [ { model: index }, { model: cloud/* } ]
    keys:
      - { name: a, hash: "SHA256:x" }
      - { name: b, hash: "sha256:${OTHER_HASH}", expiresAt: 2027-06-30T00:00:00+08:00, grants: [ { model: cloud/opus } ] }
domains:
  - host: AI.Example.com
    consumers: [ search ]
    routes:
      - path: /v1/reply-to-en
        protocol: HTTP
        timeout: 300s
        middlewares:
          - name: v2_chat_template
            options:
              '@type': type.googleapis.com/infra.gateway.middleware.llm.v1.contrib.ChatTemplateConfig
              prompt: hi
      - { path: "/*", api: [ openai ], exposeHeaders: true, dropUnsupported: "\${DROP}" }
  - { host: "*.bücher.example", routes: [ { path: /, api: anthropic } ] }
`.replace('"SHA256:x"', `"sha256:${HASH.toUpperCase()}"`);
  const { snapshot, warnings } = config.load(text, { WORKERS: "3", KEY: "sk-x", DROP: "true" });
  assert.deepEqual(warnings, []);
  assert.equal(snapshot.gateway, "edge-1");
  assert.deepEqual(snapshot.server, {
    listen: { host: "::1", port: 9000 },
    workers: 3,
    drainTimeoutMs: 5_400_000,
    maxBodyBytes: 1e9,
    maxBufferedBytes: 4 * 2 ** 30,
    maxHeaderBytes: 65_536,
    headersTimeoutMs: 1_000,
    requestTimeoutMs: 2_000,
    keepAliveTimeoutMs: 3_000,
    maxConnections: 5,
    heartbeatMs: 200,
  });
  assert.deepEqual(snapshot.admin, { listen: { host: "0.0.0.0", port: 9001 }, tokens: [] });
  assert.equal(snapshot.accessLog.output, join(config.directory, "logs/access.log"));
  const [cloud, idc, builtin] = snapshot.providers;
  assert.deepEqual(cloud?.nodes, [{ url: "https://api.anthropic.com/v1" }]);
  assert.deepEqual(cloud?.credentials, [
    { name: "credential-1", apiKey: "sk-x", weight: 1 },
    { name: "spare", apiKey: "b", weight: 0.5 },
  ]);
  assert.deepEqual(cloud?.headers, { "x-team": "red" });
  assert.equal(cloud?.maxConnections, 7);
  assert.deepEqual(idc?.nodes, [{ url: "http://10.0.0.7:8000/v1" }, { url: "http://10.0.0.8:8000/base" }]);
  assert.deepEqual(idc?.timeouts, { connectMs: 1_000, firstTokenMs: 2_000, idleMs: 3_000, totalMs: 4_000 });
  assert.deepEqual([builtin?.kind, builtin?.nodes], ["builtin", []]);
  assert.deepEqual(snapshot.models[0], {
    name: "index",
    aliases: ["index-latest"],
    targets: [
      {
        provider: "idc",
        model: "index-72b",
        weight: 3,
        priority: 0,
        filters: [{ name: "think_tags", options: { field: "b" } }],
      },
      { provider: "cloud", model: "claude", weight: 1, priority: 1, filters: [] },
    ],
    balance: { policy: "round-robin" },
    retry: { attempts: 0, on: ["connect", "429"] },
    fallbacks: ["other", "cloud/opus"],
  });
  assert.deepEqual(snapshot.consumers[0]?.keys, [
    { name: "a", hash: HASH },
    { name: "b", hash: OTHER_HASH, expiresAt: Date.parse("2027-06-29T16:00:00Z"), grants: [{ model: "cloud/opus" }] },
  ]);
  assert.deepEqual(snapshot.domains[0], {
    host: "ai.example.com",
    consumers: ["search"],
    routes: [
      {
        path: "/v1/reply-to-en",
        apis: [],
        // `@type` says which filter the options are for; the filter itself does not take it.
        middlewares: [{ name: "v2_chat_template", options: { prompt: "hi" } }],
        timeoutMs: 300_000,
        exposeHeaders: false,
        dropUnsupported: false,
      },
      { path: "/*", apis: ["openai"], middlewares: [], exposeHeaders: true, dropUnsupported: true },
    ],
  });
  assert.equal(snapshot.domains[1]?.host, "*.xn--bcher-kva.example");
});

test("the snapshot is plain data and its version follows its meaning, not its text", () => {
  const first = config.load(VALID).snapshot;
  assert.deepEqual(structuredClone(first), first);
  assert.equal(config.load(`# comment\n${VALID}gateway:   "main"\n`).snapshot.version, first.version);
  assert.notEqual(config.load(`${VALID}gateway: other\n`).snapshot.version, first.version);
  assert.notEqual(config.load(VALID.replace("model: x", "model: y")).snapshot.version, first.version);
});

test("anchors and merges are understood, and errors within them point to where they are written", () => {
  const shared = `
providers:
  - &base { name: p, dialect: openai, baseUrl: http://a, timeouts: &slow { total: 900s } }
  - { <<: *base, name: q }
  - { name: r, dialect: openai, baseUrl: http://a, timeouts: { <<: *slow, connect: 1s } }
`;
  const { snapshot } = config.load(shared);
  assert.deepEqual(
    snapshot.providers.map(({ name, timeouts }) => [name, timeouts.totalMs, timeouts.connectMs]),
    [
      ["p", 900_000, 3_000],
      ["q", 900_000, 3_000],
      ["r", 900_000, 1_000],
    ],
  );
  assert.deepEqual(
    config.problems(shared.replace("900s", "soon")).map((line) => line.split(":").slice(0, 2).join(":")),
    ["3:83 providers[0].timeouts.total", "3:83 providers[1].timeouts.total", "3:83 providers[2].timeouts.total"],
  );
});

test("all mistakes of a file are reported at once, in the order of the file", () => {
  const problems = config.problems(`
domains: [ { host: a, consumers: [ nobody ], routes: [ { path: x, api: openai } ] }, { host: b, consumers: [ nobody ], routes: [ { path: /, api: openai } ] } ]
models:
  - { name: m, targets: [ { provider: nowhere, model: x } ] }
  - { name: n, targets: [ { provider: broken, model: x } ], fallbacks: [ gone ] }
providers: [ { name: broken, dialect: nonsense } ]
gatway: x
`);
  assert.deepEqual(
    problems.map((line) => line.slice(0, line.indexOf(": "))),
    [
      "2:64 domains[0].routes[0].path",
      "2:110 domains[1].consumers[0]",
      "4:39 models[0].targets[0].provider",
      // `broken` is wrong in itself, but it is there: the reference to it is not another mistake
      "5:74 models[1].fallbacks[0]",
      "6:39 providers[0].dialect",
      "7:1 gatway",
    ],
  );
});

test("more than twenty mistakes are counted", () => {
  const error = config.refuse(Array.from({ length: 30 }, (_, index) => `key${index}: 1`).join("\n"));
  assert.equal(error.problems.length, 20);
  assert.equal(error.total, 30);
  assert.match(error.message, /… and 10 more$/);
  assert.equal(error.code, "invalid_configuration");
});

test("no secret is shown in any error, wherever it came from", () => {
  const canary = "canary-7f3a9c";
  writeFileSync(join(config.directory, "secret"), `${canary}\n`);
  const texts = [
    `providers: [ { name: p, dialect: openai, baseUrl: http://a, credentials: [ { name: "\${C}", apiKey: "\${C}\\n" } ] } ]`,
    `providers: [ { name: "\${C} x", dialect: "\${C}", baseUrl: "\${file:secret}", timeouts: { idle: "\${C}" } } ]`,
    `providers: [ { name: p, dialect: openai, baseUrl: ftp://${canary}, credentials: [ { apiKey: [ ${canary} ] } ] } ]`,
    `providers: [ { name: p, dialect: openai, baseUrl: "http://u:${canary}@a" } ]`,
    `providers: [ { name: p, dialect: openai, baseUrl: http://a, headers: { x: "${canary}\\n" } } ]`,
    `consumers: [ { name: c, keys: [ { name: k, hash: sk-${canary} } ] } ]`,
    `consumers: [ { name: c, keys: [ { name: k, key: ${canary} } ] } ]`,
    `server: { tls: { cert: "\${C}", key: "-----BEGIN ${canary}" }, listen: "\${C}", workers: "\${file:secret}" }`,
    `a: &a "\${C}"\nserver: { listen: *a, drainTimeout: *a, workers: *a }`,
    `base: &b { drainTimeout: "\${C}" }\nserver: { <<: *b }`,
    `domains: [ { host: a, routes: [ { path: /, api: openai, middlewares: [ { name: cors, options: { origins: ${canary} } } ] } ] } ]`,
    `gateway: "${canary}`,
    `gateway: [${canary}`,
    `gateway: a: ${canary}`,
  ];
  for (const text of texts) {
    const error = config.refuse(text, { C: canary });
    assert.ok(!error.message.includes(canary), `${text}\n${error.message}`);
    assert.ok(!JSON.stringify(error.problems).includes(canary));
  }
});

test("what is allowed but hardly meant is a warning", () => {
  const { warnings } = config.load(`${PROVIDER}models:
  - { name: m, targets: [ { provider: p, model: x } ] }
  - { name: a/*, targets: [ { provider: p, model: "*" } ] }
consumers:
  - { name: none, keys: [ { name: k, hash: "sha256:${HASH}" } ] }
  - name: c
    grants: [ { model: mm }, { model: a/x }, { model: b/* }, { model: a* } ]
    keys: [ { name: k, hash: "sha256:${OTHER_HASH}", expiresAt: 2026-05-31T23:59:59Z } ]
domains: [ { host: a, consumers: [], routes: [ { path: /, api: openai } ] } ]
`);
  assert.deepEqual(
    warnings.map((warning) => formatProblem(warning).slice(config.path.length + 1)),
    [
      '6:5: consumers[0]: has no grants, so its keys can use no model. Add `grants: [{ model: "*" }]`.',
      '8:24: consumers[1].grants[0].model: grants "mm", and there is no such model. Did you mean "m"?',
      '8:55: consumers[1].grants[2].model: grants "b/*", and there is no such model.',
      '9:116: consumers[1].keys[0].expiresAt: has passed: this key is refused, found "2026-05-31T23:59:59Z". Remove the key, or set a later time.',
      "10:34: domains[0].consumers: is empty, so nobody may use this domain. Leave it out to allow everybody.",
    ],
  );
  assert.deepEqual(
    config.load("gateway: x").warnings.map(({ message }) => message),
    ["there are no models, so clients can ask for nothing", "there are no keys, so nobody can call"],
  );
});

test("duplicate names, hosts, paths and keys are refused across the file", () => {
  const hash = `"sha256:${HASH}"`;
  const problems = config.problems(`providers:
  - { name: p, dialect: openai, baseUrl: http://a }
  - { name: p, dialect: openai, baseUrl: http://b }
models:
  - { name: m, aliases: [ n ], targets: [ { provider: p, model: x } ] }
  - { name: n, targets: [ { provider: p, model: x } ] }
consumers:
  - { name: c, grants: [ { model: m }, { model: m } ], keys: [ { name: k, hash: ${hash} }, { name: k, hash: ${hash} } ] }
  - { name: c }
domains:
  - { host: a.b, routes: [ { path: /x, api: openai }, { path: /x, api: anthropic } ] }
  - { host: A.B, routes: [ { path: /x, api: [ openai, openai ] } ] }
`);
  assert.deepEqual(
    problems.map((line) => line.slice(0, line.indexOf(","))),
    [
      "3:13 providers[1].name: this provider name is already used at providers[0].name",
      "6:13 models[1].name: this model name is already used at models[0].aliases[0]",
      "8:49 consumers[0].grants[1].model: this grant is already used at consumers[0].grants[0].model",
      "8:166 consumers[0].keys[1].name: this key name is already used at consumers[0].keys[0].name",
      "8:175 consumers[0].keys[1].hash: this key's hash is already used at consumers[0].keys[0].hash. Each must be unique.".slice(
        0,
        -1,
      ),
      "9:13 consumers[1].name: this consumer name is already used at consumers[0].name",
      "11:63 domains[0].routes[1].path: this path is already used at domains[0].routes[0].path",
      "12:13 domains[1].host: this host is already used at domains[0].host",
      "12:45 domains[1].routes[0].api: names one dialect twice. Remove one.".slice(0, -1),
    ],
  );
});

test("certificates are read from files or text, and are files to watch", () => {
  const cert = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
  const key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----";
  writeFileSync(join(config.directory, "cert.pem"), `${cert}\n`);
  writeFileSync(join(config.directory, "key.pem"), `${key}\n`);
  const byPath = config.load('server: { tls: { cert: cert.pem, key: "${file:key.pem}" } }');
  assert.deepEqual(byPath.snapshot.server.tls, { cert, key });
  assert.deepEqual(
    byPath.files.map(({ path }) => path),
    ["sluice.yaml", "key.pem", "cert.pem"].map((name) => join(config.directory, name)),
  );
  assert.match(
    config.problems("server: { tls: { cert: key.pem, key: key.pem } }").join(),
    /is not PEM with "BEGIN CERTIFICATE"/,
  );
  assert.match(
    config.problems("server: { tls: { cert: gone.pem, key: key.pem } }").join(),
    /needs the file gone.pem, which does not exist/,
  );
});

test("errors carry the files whose change may be the cure", () => {
  const error = config.refuse('gateway: "${file:missing}"');
  assert.deepEqual(
    error.files.map(({ path, digest }) => [path, digest === "missing"]),
    [
      [config.path, false],
      [join(config.directory, "missing"), true],
    ],
  );
});

test("the process's environment is the default", () => {
  process.env["SLUICE_TEST_GATEWAY"] = "from-env";
  writeFileSync(config.path, "gateway: ${SLUICE_TEST_GATEWAY}");
  assert.equal(loadConfig(config.path, { filters: TEST_FILTERS, now: TEST_NOW }).snapshot.gateway, "from-env");
  delete process.env["SLUICE_TEST_GATEWAY"];
});
