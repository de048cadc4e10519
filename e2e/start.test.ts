/** How a gateway starts, or says why it cannot: every failure is one clear sentence and exit code 1. */
import assert from "node:assert/strict";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test from "node:test";
import type { JsonObject } from "../src/lib/json.ts";
import { testKey, type Ending } from "./harness.ts";
import { chatBody } from "./raw-http.ts";
import { FREE_PORTS, SluiceProcess, temporaryDirectory } from "./sluice-process.ts";

/** Fails to start, and says so in words for people. */
async function assertFails(
  t: Ending,
  parameters: readonly string[],
  reason: RegExp,
  files: Readonly<Record<string, string>> = {},
): Promise<SluiceProcess> {
  const cwd = await temporaryDirectory(t);
  for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), content);
  const sluice = new SluiceProcess(t, parameters, { cwd });
  assert.equal(await sluice.ended(10_000), 1, `${parameters.join(" ")}: ${sluice.stderr}`);
  assert.match(sluice.stderr, reason);
  assert.doesNotMatch(sluice.stderr, /^\s+at /m, "a stack is no message");
  assert.doesNotMatch(sluice.stderr, /listens on/);
  return sluice;
}

const SERVE = ["serve", ...FREE_PORTS];
const WITH_CONFIG = [...SERVE, "--config", "sluice.yaml"];

function config(more: JsonObject = {}): string {
  return JSON.stringify({
    providers: [{ name: "offline", dialect: "openai", kind: "builtin" }],
    models: [{ name: "echo", targets: [{ provider: "offline", model: "echo" }] }],
    consumers: [{ name: "tests", grants: [{ model: "*" }], keys: [{ name: "k", hash: testKey("start").hash }] }],
    accessLog: { output: "none" },
    ...more,
  });
}

test("without a configuration: a key is shown once, and works ever after", async (t) => {
  const cwd = await temporaryDirectory(t);
  const call = async (url: string, key: string): Promise<number> => {
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: chatBody("echo"),
    });
    await answer.arrayBuffer();
    return answer.status;
  };
  const first = new SluiceProcess(t, SERVE, { cwd });
  const { url } = await first.announced();
  const [key = "", ...others] = new Set(first.stderr.match(/sk-sluice-[\w-]+/g));
  assert.deepEqual(others, []);
  assert.equal(first.stderr.match(/shown only now/g)?.length, 1);
  assert.equal(await call(url, key), 200);
  first.child.kill("SIGKILL");
  await first.exit;
  assert.ok(!(await readFile(join(cwd, "data", "first-key.json"), "utf8")).includes(key), "the key itself is kept");
  const second = new SluiceProcess(t, SERVE, { cwd });
  const again = await second.announced();
  assert.doesNotMatch(second.stderr, /sk-sluice-\w/);
  assert.equal(await call(again.url, key), 200);
  assert.equal(await call(again.url, `${key.slice(0, -1)}_`), 401);
  second.child.kill("SIGTERM");
  assert.equal(await second.ended(3_000), 0);
  assert.ok(!(first.stdout + second.stdout).includes(key));
});

test("no place for the first key", async (t) => {
  const cwd = await temporaryDirectory(t);
  await writeFile(join(cwd, "data"), "a file where the directory should be");
  const sluice = new SluiceProcess(t, SERVE, { cwd });
  assert.equal(await sluice.ended(10_000), 1);
  assert.match(sluice.stderr, /first key cannot be kept in data/);
  assert.doesNotMatch(sluice.stderr, /^\s+at /m);
});

test("ports that are taken", async (t) => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
  t.after(() => blocker.close());
  const taken = `127.0.0.1:${(blocker.address() as AddressInfo).port}`;
  await assertFails(
    t,
    ["serve", "--listen", taken, "--admin-listen", "127.0.0.1:0"],
    new RegExp(`port is in use.*${taken}.*choose another with --listen`),
  );
  await assertFails(
    t,
    ["serve", "--listen", "127.0.0.1:0", "--admin-listen", taken],
    new RegExp(`port is in use.*${taken}.*choose another with --admin-listen`),
  );
});

test("a second gateway on one port is refused, though workers share ports", async (t) => {
  const cwd = await temporaryDirectory(t);
  const first = new SluiceProcess(t, SERVE, { cwd });
  const { port } = await first.announced();
  await assertFails(t, ["serve", "--listen", `127.0.0.1:${port}`, "--admin-listen", "127.0.0.1:0"], /port is in use/);
});

test("an address that is not this machine's", async (t) => {
  await assertFails(t, ["serve", "--listen", "192.0.2.1:8080", "--admin-listen", "127.0.0.1:0"], /192\.0\.2\.1/);
});

test("configurations that cannot be read or run", async (t) => {
  await assertFails(t, WITH_CONFIG, /sluice\.yaml/);
  await assertFails(t, [...SERVE, "--config", "."], /\./);
  await assertFails(t, WITH_CONFIG, /sluice\.yaml:3:\d+: not valid YAML/, { "sluice.yaml": "models:\n  - name: [\n" });
  await assertFails(t, WITH_CONFIG, /sluice\.yaml:1:\d+: modles: there is no such key\. Did you mean "models"/, {
    "sluice.yaml": "modles: []\n",
  });
  await assertFails(t, WITH_CONFIG, /NOT_SET/, { "sluice.yaml": 'gateway: "${NOT_SET}"\n' });
  await assertFails(t, WITH_CONFIG, /gone\.pem/, {
    "sluice.yaml": config({ server: { tls: { cert: "gone.pem", key: "gone.pem" } } }),
  });
  const pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const key = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n";
  const failed = await assertFails(t, WITH_CONFIG, /server\.tls/, {
    "sluice.yaml": config({ server: { tls: { cert: pem, key } } }),
  });
  assert.doesNotMatch(failed.stderr, /Y2FuYXJ5/);
});

test("a configuration that may not be read", async (t) => {
  if (process.getuid?.() === 0) return t.skip("root may read everything");
  const cwd = await temporaryDirectory(t);
  await writeFile(join(cwd, "sluice.yaml"), config());
  await chmod(join(cwd, "sluice.yaml"), 0o000);
  const sluice = new SluiceProcess(t, WITH_CONFIG, { cwd });
  assert.equal(await sluice.ended(10_000), 1);
  assert.match(sluice.stderr, /sluice\.yaml.*permission/i);
});

test("arguments that are none", async (t) => {
  await assertFails(t, ["serve", "--port", "80"], /unknown option '--port'/);
  await assertFails(t, ["serve", "--workers", "0"], /whole number from 1/);
  await assertFails(t, ["serve", "--listen", "localhost:99999"], /Give an address and a port/);
  await assertFails(t, ["serve", "--config"], /argument missing/);
  await assertFails(t, ["serve", "surplus"], /too many arguments/);
  await assertFails(t, ["srve"], /unknown command 'srve'/);
});

test("an environment of a vendor offers its models, and its key is shown nowhere", async (t) => {
  const cwd = await temporaryDirectory(t);
  await mkdir(join(cwd, "data"));
  const { key, hash } = testKey("zero");
  await writeFile(join(cwd, "data", "first-key.json"), JSON.stringify({ hash }));
  const secret = "canary-vendor-key-1234567890";
  const sluice = new SluiceProcess(t, SERVE, {
    cwd,
    environment: { OPENAI_API_KEY: secret, OPENAI_BASE_URL: "http://127.0.0.1:1/v1", OLLAMA_HOST: "http://[bad" },
  });
  const { url, adminUrl } = await sluice.announced();
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: chatBody("openai/gpt-4o"),
  });
  assert.equal(answer.status, 502);
  const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
  sluice.child.kill("SIGTERM");
  assert.equal(await sluice.ended(3_000), 0);
  assert.match(sluice.stderr, /OLLAMA_HOST holds no usable value/);
  for (const text of [await answer.text(), metrics, sluice.stderr, sluice.stdout]) {
    assert.doesNotMatch(text, /canary/);
    assert.ok(!text.includes(key));
  }
});

test("a provider's secret in the file is shown nowhere when the file is wrong", async (t) => {
  const failed = await assertFails(t, WITH_CONFIG, /sluice\.yaml/, {
    "sluice.yaml": config({
      providers: [
        {
          name: "v",
          dialect: "openai",
          baseUrl: "http://user:canary-password@127.0.0.1/v1",
          credentials: [{ name: "canary-like", apiKey: "canary-secret", wieght: 1 }],
        },
      ],
    }),
  });
  assert.doesNotMatch(failed.stderr, /canary-(secret|password)/);
});
