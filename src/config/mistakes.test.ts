import assert from "node:assert/strict";
import { test } from "node:test";
import { TestConfig } from "./config-helper.test.ts";

const config = new TestConfig();
const HASH = "ab".repeat(32);
const PROVIDER = "providers: [ { name: p, dialect: openai, baseUrl: http://a/v1 } ]\n";

test("every kind of mistake names its place, what is wrong and what to do", () => {
  const cases: [string, string][] = [
    // keys and types
    ["gatway: x", '1:1 gatway: there is no such key. Did you mean "gateway"?'],
    ["server: { listn: x }", '1:11 server.listn: there is no such key. Did you mean "listen"?'],
    ["server: 1", "1:9 server: must be a map, not a number, found 1."],
    ["providers: {}", "1:12 providers: must be a list, not a map."],
    ["models: [ x ]", '1:11 models[0]: must be a map, not a text, found "x".'],
    ["gateway: 12", "1:10 gateway: must be a text, not a number, found 12. Quote it."],
    ["gateway: a\ngateway: b", "2:1 gateway: this key is there twice. Remove one of them."],
    [
      "gateway: ${NAME}",
      "1:10 gateway: needs the environment variable NAME, which is not set. Set it, or give a default: ${NAME:-…}.",
    ],
    [
      "gateway: a b",
      '1:10 gateway: must be 1 to 128 letters, digits, dots, dashes or underscores, beginning with a letter or digit, found "a b".',
    ],
    // values
    [
      "server: { drainTimeout: 10x }",
      '1:25 server.drainTimeout: must be a duration with a unit, such as 300s, 200ms or 1h30m, found "10x".',
    ],
    [
      "server: { drainTimeout: 10 }",
      "1:25 server.drainTimeout: must be a duration with a unit, such as 300s, 200ms or 1h30m, found 10.",
    ],
    ["server: { drainTimeout: 0s }", '1:25 server.drainTimeout: must be longer than 0 and at most 24d, found "0s".'],
    [
      "server: { maxBodyBytes: 20MiX }",
      '1:25 server.maxBodyBytes: must be a size, such as 20MiB or 1GB, or a number of bytes, found "20MiX".',
    ],
    ["server: { maxBodyBytes: 2GiB }", '1:25 server.maxBodyBytes: must be from 1 to 1073741824 bytes, found "2GiB".'],
    ["server: { workers: -1 }", "1:20 server.workers: must be a whole number from 0 to 1024, found -1."],
    [
      "server: { listen: 8080 }",
      "1:19 server.listen: must be an address and a port, such as 0.0.0.0:8080, [::1]:8080 or :8080, found 8080.",
    ],
    ["server: { tls: { cert: a } }", "1:16 server.tls.key: is missing. Add `key`."],
    ["admin: { tokens: [ { name: a } ] }", "1:20 admin.tokens[0].hash: is missing. Add `hash`."],
    [
      "admin: { tokens: [ { name: a, token: sk-sluice-x } ] }",
      "1:31 admin.tokens[0].token: keys are not kept in plain text, only as `hash`. `sluice keys new` makes a key and its hash.",
    ],
    [
      `admin: { tokens: [ { name: a, hash: "sha256:${HASH}" }, { name: a, hash: "sha256:${"cd".repeat(32)}" } ] }`,
      '1:122 admin.tokens[1].name: the token name is already used at admin.tokens[0].name, found "a". Each must be unique.',
    ],
    // providers
    [
      "providers: [ { name: p, dialect: opnai, baseUrl: http://a } ]",
      '1:34 providers[0].dialect: must be one of openai, anthropic, found "opnai". Did you mean "openai"?',
    ],
    [
      "providers: [ { name: p, dialect: openai } ]",
      "1:14 providers[0]: has neither `baseUrl` nor `nodes`. Add `baseUrl: https://…`.",
    ],
    [
      "providers: [ { name: p, dialect: openai, baseUrl: ftp://a } ]",
      "1:51 providers[0].baseUrl: must be a URL that begins with http:// or https://.",
    ],
    [
      "providers: [ { name: p, dialect: openai, baseUrl: http://u:p@a } ]",
      "1:51 providers[0].baseUrl: holds a user name or password. Put secrets under `credentials` or `headers`.",
    ],
    [
      "providers: [ { name: p, dialect: openai, nodes: [ discovery://x ] } ]",
      "1:51 providers[0].nodes[0]: discovery is not supported yet. Name the nodes by URL.",
    ],
    [
      "providers: [ { name: p, dialect: openai, nodes: [ http://a, http://a/ ] } ]",
      "1:61 providers[0].nodes[1]: this node is already used at providers[0].nodes[0]. Each must be unique.",
    ],
    [
      "providers: [ { name: p, dialect: openai, nodes: [ http://a ], baseUrl: http://b } ]",
      "1:63 providers[0].baseUrl: stands beside `nodes`. Keep one of them; `nodes` takes several URLs.",
    ],
    [
      "providers: [ { name: p, dialect: openai, kind: builtin, baseUrl: http://b } ]",
      "1:57 providers[0].baseUrl: means nothing for a built-in provider. Remove it, or remove `kind: builtin`.",
    ],
    [
      "providers: [ { name: p, dialect: openai, baseUrl: http://a, headers: { Host: x } } ]",
      "1:72 providers[0].headers.Host: is set by Sluice for every request. Remove it.",
    ],
    [
      'providers: [ { name: p, dialect: openai, baseUrl: http://a, headers: { "a b": x } } ]',
      '1:72 providers[0].headers["a b"]: is not a header\'s name.',
    ],
    [
      "providers: [ { name: p, dialect: openai, baseUrl: http://a, credentials: [ { name: a, apiKey: x }, { name: a, apiKey: y } ] } ]",
      '1:108 providers[0].credentials[1].name: this credential name is already used at providers[0].credentials[0].name, found "a". Each must be unique.',
    ],
    // models
    [
      `${PROVIDER}models: [ { name: m, targets: [ { provider: q, model: x } ] } ]`,
      '2:45 models[0].targets[0].provider: there is no provider "q". Did you mean "p"?',
    ],
    [`${PROVIDER}models: [ { name: m, targets: [] } ]`, "2:31 models[0].targets: must not be empty."],
    [
      `${PROVIDER}models: [ { name: m, targets: [ { provider: p, model: "x*" } ] } ]`,
      '2:55 models[0].targets[0].model: has *, but the name of the user model does not end in *, found "x*".',
    ],
    [
      `${PROVIDER}models: [ { name: "*m", targets: [ { provider: p, model: x } ] } ]`,
      '2:19 models[0].name: may have * only at its end, found "*m".',
    ],
    [
      `${PROVIDER}models: [ { name: m, targets: [ { provider: p, model: x, weight: 0 } ] } ]`,
      "2:66 models[0].targets[0].weight: must be a number greater than 0, at most 1000000, found 0.",
    ],
    [
      `${PROVIDER}models: [ { name: m, targets: [ { provider: p, model: x, priority: 0.5 } ] } ]`,
      "2:68 models[0].targets[0].priority: must be a whole number from 0 to 1000, found 0.5.",
    ],
    [
      `${PROVIDER}models: [ { name: m, aliases: [ m ], targets: [ { provider: p, model: x } ] } ]`,
      '2:33 models[0].aliases[0]: this model name is already used at models[0].name, found "m". Each must be unique.',
    ],
    [
      `${PROVIDER}models: [ { name: m, fallbacks: [ mm ], targets: [ { provider: p, model: x } ] } ]`,
      '2:35 models[0].fallbacks[0]: there is no model "mm". Did you mean "m"?',
    ],
    [
      `${PROVIDER}models: [ { name: m, fallbacks: [ m ], targets: [ { provider: p, model: x } ] } ]`,
      '2:35 models[0].fallbacks[0]: is the model itself, found "m". Remove it.',
    ],
    [
      `${PROVIDER}models: [ { name: m, balance: { policy: least-delay }, targets: [ { provider: p, model: x } ] } ]`,
      '2:41 models[0].balance.policy: this policy is not supported yet, found "least-delay". Use weighted or round-robin.',
    ],
    [
      `${PROVIDER}models: [ { name: m, retry: { on: [ 500 ] }, targets: [ { provider: p, model: x } ] } ]`,
      "2:37 models[0].retry.on[0]: must be one of 429, connect, 5xx, firstTokenTimeout, found 500.",
    ],
    // consumers
    [
      "consumers: [ { name: c, keys: [ { name: k, hash: sk-sluice-x } ] } ]",
      "1:50 consumers[0].keys[0].hash: is a key in plain text; only its hash belongs here. `sluice keys new` makes a key and its hash.",
    ],
    [
      "consumers: [ { name: c, keys: [ { name: k, hash: 1234 } ] } ]",
      "1:50 consumers[0].keys[0].hash: must be a text, not a number. Quote it.",
    ],
    [
      "consumers: [ { name: c, keys: [ { name: k, hash: abc } ] } ]",
      "1:50 consumers[0].keys[0].hash: must be `sha256:` and 64 hexadecimal digits. `sluice keys new` makes a key and its hash.",
    ],
    [
      `consumers: [ { name: c, keys: [ { name: k, hash: "sha256:${HASH}", expiresAt: 2027-06-30 } ] } ]`,
      '1:136 consumers[0].keys[0].expiresAt: must be a time with its zone, such as 2027-06-30T00:00:00+08:00 or 2027-06-29T16:00:00Z, found "2027-06-30".',
    ],
    [
      `consumers: [ { name: c, grants: [ { model: a* } ], keys: [ { name: k, hash: "sha256:${HASH}", grants: [ { model: b } ] } ] } ]`,
      '1:171 consumers[0].keys[0].grants[0].model: grants "b", which the consumer itself is not granted. A key\'s grants narrow those of its consumer; add it there first.',
    ],
    // domains
    [
      "domains: [ { host: a:80, routes: [ { path: /, api: openai } ] } ]",
      '1:20 domains[0].host: must be a host name, `*.` and a host name, or `*`, without a port, found "a:80". Hosts match on every port.',
    ],
    [
      "domains: [ { host: a_b..c, routes: [ { path: /, api: openai } ] } ]",
      '1:20 domains[0].host: must be a host name, `*.` and a host name, or `*`, found "a_b..c".',
    ],
    [
      "domains: [ { host: a, consumers: [ c ], routes: [ { path: /, api: openai } ] } ]",
      '1:36 domains[0].consumers[0]: there is no consumer "c". Add it under `consumers`.',
    ],
    [
      "domains: [ { host: a, routes: [ { path: v1, api: openai } ] } ]",
      '1:41 domains[0].routes[0].path: must begin with /, found "v1".',
    ],
    [
      "domains: [ { host: a, routes: [ { path: /a/*/b, api: openai } ] } ]",
      '1:41 domains[0].routes[0].path: may have * only as its last segment (/v1/*), found "/a/*/b".',
    ],
    [
      "domains: [ { host: a, routes: [ { path: /a/../b, api: openai } ] } ]",
      '1:41 domains[0].routes[0].path: must be a plain path: no //, no . or .. segments, no query, other characters percent-encoded, found "/a/../b".',
    ],
    [
      "domains: [ { host: a, routes: [ { path: / } ] } ]",
      "1:33 domains[0].routes[0]: has neither `api` nor `middlewares`, so nothing answers. Add `api: openai`.",
    ],
    [
      "domains: [ { host: a, routes: [ { path: /, api: gemini } ] } ]",
      '1:49 domains[0].routes[0].api: must be openai, anthropic, or a list of them, found "gemini".',
    ],
    [
      "domains: [ { host: a, routes: [ { path: /, api: openai, protocol: HTTPS } ] } ]",
      '1:67 domains[0].routes[0].protocol: must be HTTP, found "HTTPS". Did you mean "HTTP"?',
    ],
    [
      "domains: [ { host: a, routes: [ { path: /, api: openai, exposeHeaders: yes } ] } ]",
      '1:72 domains[0].routes[0].exposeHeaders: must be true or false, found "yes".',
    ],
    // filters
    [
      "domains: [ { host: a, routes: [ { path: /, api: openai, middlewares: [ { name: corse } ] } ] } ]",
      '1:80 domains[0].routes[0].middlewares[0].name: there is no filter "corse". Did you mean "cors"?',
    ],
    [
      "domains: [ { host: a, routes: [ { path: /, api: openai, middlewares: [ { name: think_tags } ] } ] } ]",
      '1:80 domains[0].routes[0].middlewares[0].name: is a filter for targets: it stands under `filters` of a model\'s target, found "think_tags". Move it there.',
    ],
    [
      "domains: [ { host: a, routes: [ { path: /, middlewares: [ { name: v1_mcp_server } ] } ] } ]",
      '1:67 domains[0].routes[0].middlewares[0].name: MCP servers are not supported yet, found "v1_mcp_server". Remove it.',
    ],
    [
      "domains: [ { host: a, routes: [ { path: /, api: openai, middlewares: [ { name: cors, options: { orgins: [] } } ] } ] } ]",
      '1:97 domains[0].routes[0].middlewares[0].options.orgins: there is no such key. Did you mean "origins"?',
    ],
    [
      "domains: [ { host: a, routes: [ { path: /, api: openai, middlewares: [ { name: cors, options: { '@type': a/b.ThinkTagsConfig } } ] } ] } ]",
      '1:106 domains[0].routes[0].middlewares[0].options["@type"]: names another filter\'s options than those of cors. Correct it or leave it out.',
    ],
  ];
  for (const [text, expected] of cases) {
    const problems = config.problems(text);
    assert.ok(problems.includes(expected), `${text}\n${problems.join("\n")}\nexpected: ${expected}`);
  }
});
