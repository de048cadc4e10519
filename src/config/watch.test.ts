import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf, MISSING } from "./loaded-file.ts";
import type { LoadedFile } from "./loaded-file.ts";
import { temporaryDirectory } from "./config-helper.test.ts";
import { watchConfig } from "./watch.ts";
import type { ConfigWatch, WatchPace } from "./watch.ts";

const PACE: WatchPace = { settleMs: 25, pollMs: 60_000 };
/** Longer than two looks after an event take, on a busy machine too. */
const QUIET_MS = 250;
const DEADLINE_MS = 20_000;

/** Counts the changes that are told. */
class Observer {
  changes = 0;
  readonly watch: ConfigWatch;

  constructor(context: TestContext, path: string, pace: WatchPace = PACE) {
    this.watch = watchConfig(path, () => (this.changes += 1), pace);
    context.after(() => this.watch.close());
  }

  /** Waits for this many changes, and that no more follow. */
  async expect(changes: number): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    while (this.changes < changes && Date.now() < deadline) {
      await sleep(5);
    }
    await sleep(QUIET_MS);
    assert.equal(this.changes, changes);
  }
}

function loaded(path: string, content: string): LoadedFile {
  return { path, digest: digestOf(Buffer.from(content)) };
}

/** A file that is being watched, and has been looked at. */
async function observe(context: TestContext, pace?: WatchPace): Promise<{ path: string; observer: Observer }> {
  const path = join(temporaryDirectory(), "sluice.yaml");
  writeFileSync(path, "one");
  const observer = new Observer(context, path, pace);
  observer.watch.setFiles([loaded(path, "one")]);
  await observer.expect(0);
  return { path, observer };
}

test("a file written in place", async (context) => {
  const { path, observer } = await observe(context);
  writeFileSync(path, "two");
  await observer.expect(1);
  appendFileSync(path, " more");
  await observer.expect(2);
});

test("a file replaced by a rename, as editors do, again and again", async (context) => {
  const { path, observer } = await observe(context);
  for (const [index, text] of ["two", "three", "four"].entries()) {
    writeFileSync(`${path}.swp`, text);
    renameSync(`${path}.swp`, path);
    await observer.expect(index + 1);
  }
});

test("a file moved away and written anew, and one deleted and made again", async (context) => {
  const { path, observer } = await observe(context);
  renameSync(path, `${path}~`);
  writeFileSync(path, "two");
  await observer.expect(1);
  rmSync(path);
  await observer.expect(2);
  writeFileSync(path, "two");
  await observer.expect(3);
});

test("the swap of a ConfigMap's symlink", async (context) => {
  // Kubernetes: sluice.yaml -> ..data/sluice.yaml, ..data -> a directory named for the time, swapped by a rename.
  const mount = temporaryDirectory();
  const path = join(mount, "sluice.yaml");
  const publish = (stamp: string, text: string): void => {
    mkdirSync(join(mount, stamp));
    writeFileSync(join(mount, stamp, "sluice.yaml"), text);
    symlinkSync(stamp, join(mount, "..data_tmp"));
    renameSync(join(mount, "..data_tmp"), join(mount, "..data"));
  };
  publish("..2026_01", "one");
  symlinkSync("..data/sluice.yaml", path);
  const observer = new Observer(context, path);
  observer.watch.setFiles([loaded(path, "one")]);
  await observer.expect(0);
  publish("..2026_02", "two");
  rmSync(join(mount, "..2026_01"), { recursive: true });
  await observer.expect(1);
  publish("..2026_03", "three");
  rmSync(join(mount, "..2026_02"), { recursive: true });
  await observer.expect(2);
  publish("..2026_04", "three");
  await observer.expect(2);
});

test("links through other directories: each one on the way is watched", async (context) => {
  const root = temporaryDirectory();
  for (const name of ["etc", "releases", "releases/1", "releases/2"]) {
    mkdirSync(join(root, name));
  }
  writeFileSync(join(root, "releases/1/sluice.yaml"), "one");
  writeFileSync(join(root, "releases/2/sluice.yaml"), "two");
  symlinkSync(join(root, "releases/1"), join(root, "releases/current"));
  symlinkSync("../releases/current/sluice.yaml", join(root, "etc/sluice.yaml"));
  const path = join(root, "etc/sluice.yaml");
  const observer = new Observer(context, path);
  observer.watch.setFiles([loaded(path, "one")]);
  await observer.expect(0);
  symlinkSync(join(root, "releases/2"), join(root, "releases/next"));
  renameSync(join(root, "releases/next"), join(root, "releases/current"));
  await observer.expect(1);
  writeFileSync(join(root, "releases/2/sluice.yaml"), "three");
  await observer.expect(2);
});

test("a file written in pieces is one change, when it has settled", async (context) => {
  const { path, observer } = await observe(context, { settleMs: 100, pollMs: 60_000 });
  for (let piece = 0; piece < 10; piece++) {
    appendFileSync(path, `piece ${piece}\n`);
    await sleep(10);
  }
  await observer.expect(1);
});

test("a file that never settles is looked at all the same", async (context) => {
  const { path, observer } = await observe(context, { settleMs: 5, pollMs: 60_000 });
  const deadline = Date.now() + DEADLINE_MS;
  while (observer.changes === 0 && Date.now() < deadline) {
    await appendFile(path, "x"); // not in step with the watcher, and leaving it time where writing is slow
    await sleep(1);
  }
  assert.ok(observer.changes > 0);
});

test("the same content, other times and other files beside it are no change", async (context) => {
  const { path, observer } = await observe(context);
  writeFileSync(path, "one");
  utimesSync(path, 1, 1);
  writeFileSync(`${path}.copy`, "one");
  renameSync(`${path}.copy`, path);
  writeFileSync(`${path}.log`, "x");
  await observer.expect(0);
});

test("further files, missing ones too, count as soon as they are named, and no longer than that", async (context) => {
  const { path, observer } = await observe(context);
  const secrets = temporaryDirectory();
  const key = join(secrets, "key");
  const later = join(secrets, "made/later");
  writeFileSync(key, "k1");
  observer.watch.setFiles([loaded(path, "one"), loaded(key, "k1"), { path: later, digest: MISSING }]);
  await observer.expect(0);
  writeFileSync(key, "k2");
  await observer.expect(1);
  observer.watch.setFiles([loaded(path, "one"), { path: later, digest: MISSING }]);
  writeFileSync(key, "k3");
  await observer.expect(1);
});

test("a change between reading and watching is not lost", async (context) => {
  const { path, observer } = await observe(context);
  writeFileSync(path, "two");
  observer.watch.setFiles([loaded(path, "what was read before")]);
  await observer.expect(1);
});

test("where no event comes, the poll finds the change", async (context) => {
  const root = temporaryDirectory();
  const path = join(root, "not/there/yet/sluice.yaml");
  const observer = new Observer(context, path, { settleMs: 10, pollMs: 50 });
  observer.watch.setFiles([{ path, digest: MISSING }]);
  await observer.expect(0);
  mkdirSync(join(root, "not/there/yet"), { recursive: true });
  writeFileSync(path, "one");
  await observer.expect(1);
  // A directory replaced by another of its name: its own events are those of the old one.
  renameSync(join(root, "not/there"), join(root, "not/gone"));
  mkdirSync(join(root, "not/there/yet"), { recursive: true });
  writeFileSync(path, "two");
  await observer.expect(2);
});

test("an unreadable file is a state like any other", async (context) => {
  const { path, observer } = await observe(context);
  rmSync(path);
  mkdirSync(path);
  await observer.expect(1);
  observer.watch.setFiles([{ path, digest: undefined }]);
  await observer.expect(1);
  rmSync(path, { recursive: true });
  writeFileSync(path, "one");
  await observer.expect(2);
});

test("after close nothing is told", async (context) => {
  const { path, observer } = await observe(context);
  await observer.watch.close();
  writeFileSync(path, "two");
  await observer.expect(0);
});

test("watching keeps no process alive", () => {
  const path = join(temporaryDirectory(), "sluice.yaml");
  writeFileSync(path, "one");
  const code = `
    import { watchConfig } from ${JSON.stringify(new URL("watch.ts", import.meta.url).href)};
    watchConfig(${JSON.stringify(path)}, () => undefined).setFiles([{ path: ${JSON.stringify(path)}, digest: "other" }]);
    setTimeout(() => console.log("end"), 300);`;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", code], { timeout: 20_000 });
  assert.equal(output.toString(), "end\n");
});
