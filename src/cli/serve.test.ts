import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));
const ANY_PORT = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--workers", "1"];
const directory = mkdtempSync(join(tmpdir(), "sluice-serve-"));
after(() => {
  rmSync(directory, { recursive: true });
});

test("a first key that cannot be kept is said in a sentence, and nothing starts", () => {
  writeFileSync(join(directory, "data"), "");
  const { status, stderr } = spawnSync(process.execPath, [main, "serve", ...ANY_PORT], {
    cwd: directory,
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.equal(stderr, "The first key cannot be kept in data/first-key.json. Make data writable.\n");
  assert.equal(status, 1);
});

test("with TLS the address begins with https", async () => {
  const certificate = spawnSync(
    "openssl",
    "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=localhost".split(" "),
    { cwd: directory },
  );
  assert.equal(certificate.status, 0, String(certificate.stderr));
  writeFileSync(join(directory, "sluice.yaml"), "server: { tls: { cert: cert.pem, key: key.pem } }\n");
  const child = spawn(process.execPath, [main, "serve", "--config", join(directory, "sluice.yaml"), ...ANY_PORT], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exit = once(child, "exit");
  let said = "";
  for await (const chunk of child.stderr.setEncoding("utf8")) {
    said += String(chunk);
    if (said.includes("Sluice listens")) child.kill();
  }
  assert.match(said, /^Sluice listens on https:\/\/127\.0\.0\.1:\d+ \(admin: http:\/\//m);
  assert.deepEqual(await exit, [0, null]);
});
